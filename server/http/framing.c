/*
 * framing.c - see framing.h.
 *
 * libmicrohttpd 0.9.75 is laxer than RFC 9112 where it matters, and stricter where it does not. It
 * ends the line of a chunk at a bare LF, even within an extension; it refuses space after a
 * Content-Length; and it answers a Content-Length that is not a number twice, before any of our
 * code runs. It has no hook for the bytes, but it receives them through recv and
 * gnutls_record_recv, and the linker binds these names to the functions here. They pass on what is
 * right, mend what may be mended, and end the connection where a proxy in front could read the
 * bytes differently. A library that receives in another way is noticed by http_guard, as no head
 * has ended here when it asks for an answer, and at the start by probe.c.
 */
#include "server/http/framing.h"
#include "server/base/field_value.h"
#include "server/http/connection.h"
#include "server/http/http_server.h"
#include "server/http/tell.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { DESCRIPTORS_MAX = 1 << 17 }; /* more than connections_max may ask for */

/* Written as a connection starts and ends, read by the thread that it belongs to. */
static _Atomic(struct http_connection *) connections[DESCRIPTORS_MAX];

void http_frame(struct http_connection *connection, bool begins)
{
    if (connection->descriptor >= 0 && connection->descriptor < DESCRIPTORS_MAX)
        atomic_store(&connections[connection->descriptor], begins ? connection : NULL);
}

static struct http_connection *connection_of(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX ? atomic_load(&connections[descriptor])
                                                           : NULL;
}

bool http_is_arriving(const struct http_connection *connection)
{
    int unread_bytes = 0; /* counted first: they go from the kernel to the framing to a request */
    return ioctl(connection->descriptor, FIONREAD, &unread_bytes) != 0 || unread_bytes > 0 ||
           atomic_load(&connection->is_receiving) ||
           atomic_load(&connection->framing.heads) > atomic_load(&connection->framing.answered);
}

/* ---- heads; a step returns whether the byte is passed on ---- */

static void find_flaw(struct http_framing *f, const char *flaw)
{
    if (f->flaw)
        return;
    f->flaw = flaw;
    f->flawed_head = f->heads + 1;
}

/* Passes nothing on from here. */
static bool give_up(struct http_framing *f, const char *reason)
{
    f->end = reason;
    return false;
}

static void begin_line(struct http_framing *f, enum http_part part)
{
    f->part = part;
    f->line_bytes = f->name_bytes = 0;
}

static void end_head(struct http_framing *f)
{
    f->heads++;
    if (f->has_coding)
        f->part = f->is_chunked ? HTTP_CHUNK_SIZE : HTTP_UNKNOWN;
    else
        f->part = f->left > 0 ? HTTP_PLAIN_BODY : HTTP_BEFORE_HEAD;
    f->has_length = f->has_coding = f->is_chunked = false;
    f->line_bytes = f->digits = 0;
    if (f->part == HTTP_CHUNK_SIZE)
        f->left = 0;
}

static bool is_field(const struct http_framing *f, const char *name)
{
    return f->name_bytes == strlen(name) && strncasecmp(f->name, name, f->name_bytes) == 0;
}

/* The name of a field has come: decides whether its value says where the body ends. */
static void begin_value(struct http_framing *f)
{
    f->word_bytes = 0;
    f->has_space = false;
    f->previous = '\0';
    if (is_field(f, "Content-Length") && !f->has_length) {
        f->part = HTTP_LENGTH;
        f->has_length = true;
        f->left = f->digits = 0;
    } else if (is_field(f, "Transfer-Encoding") && !f->has_coding) {
        f->part = HTTP_CODING;
        f->has_coding = true;
    } else {
        f->part = HTTP_OTHER_VALUE;
    }
}

/* A byte of a line without a value of interest. An empty line ends the head. */
static bool step_line(struct http_framing *f, char byte)
{
    if (byte == '\n') {
        const bool is_empty = f->line_bytes == 0 || (f->line_bytes == 1 && f->name[0] == '\r');
        if (f->part == HTTP_BEFORE_HEAD)
            begin_line(f, is_empty ? HTTP_BEFORE_HEAD : HTTP_FIELD);
        else if (f->part == HTTP_FIELD && is_empty)
            end_head(f);
        else
            begin_line(f, HTTP_FIELD);
        return true;
    }
    if (f->part == HTTP_FIELD && byte == ':')
        begin_value(f);
    else if (f->name_bytes < sizeof f->name) /* longer than any name of interest */
        f->name[f->name_bytes++] = byte;
    f->line_bytes++;
    return true;
}

/* Passes on only digits, so that the library reads a number; the guard refuses the flaw. */
static bool step_length(struct http_framing *f, char *byte)
{
    uint64_t length;
    const bool is_space = *byte == ' ' || *byte == '\t', is_after_cr = f->previous == '\r';
    f->previous = *byte;
    if (*byte == '\n' && f->digits == 0)
        return give_up(f, "the Content-Length is not a number");
    if (*byte == '\n') {
        begin_line(f, HTTP_FIELD);
        return true;
    }
    if (is_space && f->digits == 0)
        return true;
    if (isdigit((unsigned char)*byte) && !f->has_space) {
        f->digits++;
        if (__builtin_mul_overflow(f->left, 10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(*byte - '0'), &length))
            return false; /* a length beyond all limits stays beyond them */
        f->left = length;
        return true;
    }
    f->has_space = true; /* no digit may follow */
    if (f->digits > 0 && !is_after_cr && (is_space || *byte == '\r'))
        return false;
    find_flaw(f, "the Content-Length is not a number");
    *byte = '0';
    return f->digits++ == 0;
}

/* "chunked" or another coding; drops space after it. */
static bool step_coding(struct http_framing *f, char *byte)
{
    static const char chunked[] = "chunked";
    if (*byte == '\n') {
        f->is_chunked =
            f->word_bytes == strlen(chunked) && strncasecmp(f->word, chunked, f->word_bytes) == 0;
        begin_line(f, HTTP_FIELD);
        return true;
    }
    const bool is_after_cr = f->previous == '\r';
    f->previous = *byte;
    if (!is_after_cr && (*byte == ' ' || *byte == '\t' || *byte == '\r')) {
        f->has_space = f->has_space || f->word_bytes > 0 || *byte == '\r';
        return f->word_bytes == 0 && *byte != '\r';
    }
    if (f->has_space)
        *byte = ','; /* it is another coding anyway */
    if (f->word_bytes < sizeof f->word)
        f->word[f->word_bytes++] = *byte;
    return true;
}

/* ---- chunks ---- */

/* The line before a chunk. Drops extensions, which mean nothing. */
static bool step_chunk_line(struct http_framing *f, char byte)
{
    const int digit = f->part == HTTP_CHUNK_SIZE ? field_hex_digit(byte) : -1;
    if (f->part == HTTP_CHUNK_LF) {
        if (byte != '\n')
            return give_up(f, "a chunk's line has a CR without an LF");
        f->part = f->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
        f->line_bytes = f->digits = 0;
        return true;
    }
    if (digit >= 0) {
        f->digits++;
        if (f->left >> 60)
            return give_up(f, "a chunk's size is more than can be counted");
        f->left = f->left << 4 | (unsigned)digit;
        return true;
    }
    if (f->digits == 0)
        return give_up(f, "a chunk's size is not a hexadecimal number");
    if (byte == '\r') {
        f->part = HTTP_CHUNK_LF;
        return true;
    }
    if (byte == '\n')
        return give_up(f, "a chunk's line ends with an LF alone, expected CR LF");
    if (f->part == HTTP_CHUNK_SIZE && (byte == ' ' || byte == '\t' || byte == ';'))
        f->part = byte == ';' ? HTTP_CHUNK_EXTENSION : HTTP_CHUNK_SPACE;
    else if (f->part == HTTP_CHUNK_SPACE && byte == ';')
        f->part = HTTP_CHUNK_EXTENSION;
    else if (f->part == HTTP_CHUNK_SIZE ||
             (f->part == HTTP_CHUNK_SPACE && byte != ' ' && byte != '\t') ||
             ((unsigned char)byte < 0x20 && byte != '\t') || byte == 0x7f)
        return give_up(f, "a chunk's line is not a size, or a size with extensions");
    return false;
}

/* The CR LF after a chunk. */
static bool step_chunk_end(struct http_framing *f, char byte)
{
    if (byte != (f->part == HTTP_CHUNK_END ? '\r' : '\n'))
        return give_up(f, "a chunk is longer than its size, or no CR LF follows it");
    f->part = f->part == HTTP_CHUNK_END ? HTTP_CHUNK_END_LF : HTTP_CHUNK_SIZE;
    return true;
}

/* Lines after the last chunk, up to an empty one. */
static bool step_trailer(struct http_framing *f, char byte)
{
    const bool is_after_cr = f->line_bytes > 0 && f->previous == '\r';
    if (is_after_cr != (byte == '\n') || byte == '\0')
        return give_up(f, "a line after the chunks does not end with CR LF");
    if (byte == '\n' && f->line_bytes == 1)
        begin_line(f, HTTP_BEFORE_HEAD);
    else
        f->line_bytes = byte == '\n' ? 0 : f->line_bytes + 1;
    f->previous = byte;
    return true;
}

/* ---- all of it ---- */

static bool step(struct http_framing *f, char *byte)
{
    if (*byte == '\0' && f->part <= HTTP_CODING)
        find_flaw(f, "the head holds a zero byte");
    switch (f->part) {
    case HTTP_BEFORE_HEAD:
    case HTTP_FIELD:
    case HTTP_OTHER_VALUE:
        return step_line(f, *byte);
    case HTTP_LENGTH:
        return step_length(f, byte);
    case HTTP_CODING:
        return step_coding(f, byte);
    case HTTP_CHUNK_END:
    case HTTP_CHUNK_END_LF:
        return step_chunk_end(f, *byte);
    case HTTP_TRAILER:
        return step_trailer(f, *byte);
    default:
        return step_chunk_line(f, *byte);
    }
}

/* How many of the bytes belong to a body. They are passed on unseen. */
static size_t bytes_of_body(struct http_framing *f, size_t bytes)
{
    if (f->part == HTTP_UNKNOWN)
        return bytes;
    if (f->part != HTTP_PLAIN_BODY && f->part != HTTP_CHUNK)
        return 0;
    const size_t taken = f->left < bytes ? (size_t)f->left : bytes;
    f->left -= taken;
    if (f->left == 0)
        f->part = f->part == HTTP_CHUNK ? HTTP_CHUNK_END : HTTP_BEFORE_HEAD;
    return taken;
}

size_t http_pass_on(struct http_framing *f, char *bytes, size_t count)
{
    size_t from = 0, to = 0;
    while (from < count && !f->end) {
        const size_t taken = bytes_of_body(f, count - from);
        if (taken > 0) {
            if (to != from)
                memmove(bytes + to, bytes + from, taken);
            from += taken;
            to += taken;
        } else {
            char byte = bytes[from++];
            if (step(f, &byte))
                bytes[to++] = byte;
        }
    }
    return to;
}

/* ---- the functions by which the library receives ---- */

/* The library wants more after malformed bytes: it gets the end of the connection, and the client
 * is told why. False: not yet, as the request before still has to be answered. */
static bool end_it(struct http_connection *connection, gnutls_session_t session)
{
    struct http_server *server = connection->server;
    char *text = NULL;
    pthread_mutex_lock(&server->connections_mutex);
    const bool may_end = !connection->request || connection->is_in_body || connection->is_cut_off;
    if (may_end && !connection->is_malformed && !connection->is_cut_off)
        text = http_write_told(connection, 400, connection->framing.end);
    connection->is_malformed = connection->is_malformed || may_end;
    connection->is_told = connection->is_told && !may_end;
    pthread_mutex_unlock(&server->connections_mutex);
    if (text && session)
        gnutls_record_send(session, text, strlen(text));
    else if (text)
        send(connection->descriptor, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    free(text);
    return may_end;
}

/* Reduces what was received to what is passed on. False: that is nothing, so receive again. */
static bool look_at(struct http_connection *connection, void *bytes, ssize_t *received)
{
    if (!connection || *received <= 0)
        return true;
    *received = (ssize_t)http_pass_on(&connection->framing, bytes, (size_t)*received);
    if (connection->framing.end) {
        atomic_store(&connection->is_ended, true);
        shutdown(connection->descriptor, SHUT_RD); /* or the library would wait for more */
    }
    return *received > 0;
}

static void note_receiving(struct http_connection *connection, bool is_receiving)
{
    if (connection)
        atomic_store(&connection->is_receiving, is_receiving);
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    struct http_connection *connection = connection_of(fd);
    ssize_t received;
    if (flags & MSG_PEEK || (connection && connection->server->has_tls))
        connection = NULL; /* these are TLS records */
    do {
        if (connection && connection->framing.end) {
            note_receiving(connection, false);
            errno = EAGAIN;
            return end_it(connection, NULL) ? 0 : -1;
        }
        note_receiving(connection, true);
        received = recvfrom(fd, buf, n, flags, NULL, NULL);
    } while (!look_at(connection, buf, &received));
    note_receiving(connection, false);
    return received;
}

ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size)
{
    struct http_connection *connection = connection_of(gnutls_transport_get_int(session));
    unsigned char sequence[8];
    ssize_t received;
    do {
        if (connection && connection->framing.end) {
            note_receiving(connection, false);
            return end_it(connection, session) ? 0 : GNUTLS_E_AGAIN;
        }
        note_receiving(connection, true);
        received = gnutls_record_recv_seq(session, data, data_size, sequence);
    } while (!look_at(connection, data, &received));
    note_receiving(connection, false);
    return received;
}

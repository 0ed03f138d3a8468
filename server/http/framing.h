/* framing.h - where a request's head, body and chunks end, in the bytes that come. */
#ifndef PPM_SERVER_HTTP_FRAMING_H
#define PPM_SERVER_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the next byte of a connection belongs to. Heads come first. */
enum http_part {
    HTTP_BEFORE_HEAD, /* empty lines, and the request line */
    HTTP_FIELD,
    HTTP_OTHER_VALUE,
    HTTP_LENGTH,
    HTTP_CODING,
    HTTP_PLAIN_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_SPACE,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_LF,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_CHUNK_END_LF,
    HTTP_TRAILER,
    HTTP_UNKNOWN, /* a coding that is refused */
};

struct http_framing {
    enum http_part part;
    uint64_t left;                              /* of a body or a chunk */
    _Atomic unsigned long long heads, answered; /* that have come, and that the guard has seen */
    const char *flaw;               /* what is wrong with a head; NULL: nothing so far */
    unsigned long long flawed_head; /* the number of that head, from 1 */
    const char *end;                /* why nothing more is passed on; NULL: everything is */
    bool has_length, has_coding, is_chunked;
    bool has_space; /* after a value */
    char previous;
    char name[18], word[8]; /* a field's, and a coding's, as far as they matter */
    size_t line_bytes, name_bytes, word_bytes, digits;
};

struct http_connection;

/* Starts or stops looking at what the library receives on the connection's descriptor. */
void http_frame(struct http_connection *connection, bool begins);

/* Whether a connection without a request has one on its way: bytes in the kernel, or in the library
 * and not framed yet, or a whole head. The caller holds connections_mutex, so that no request
 * begins meanwhile. */
bool http_is_arriving(const struct http_connection *connection);

/* Mends bytes in place. Returns the number of them to pass on. */
size_t http_pass_on(struct http_framing *framing, char *bytes, size_t count);

#endif

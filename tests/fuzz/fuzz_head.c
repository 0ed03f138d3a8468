/*
 * fuzz_head.c - request heads, as libmicrohttpd passes them: heads that the guard accepts are
 * compared with the bytes received, read line by line.
 */
#include "server/http/connection.h"
#include "server/http/framing.h"
#include "server/http/guard.h"
#include "server/http/http.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "server/http/target.h"
#include "server/http/trace.h"
#include "tests/fuzz/fuzz.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEAD_BYTES_MAX = 1 << 12, CONNECTION_BYTES = 1 << 16, RUNS = 3 };

static const char plain_head[] =
    "(GET|POST) [!-~]+ HTTP/1\\.1\r?\n(X-[a-z]+:[ \t]*[!-~]*[ \t]*\r?\n)*"
    "Host:[ \t]*[a-z]*\r?\n(Accept:[ \t]*[!-~]*[ \t]*\r?\n)*\r?\n";
/* An absolute target has to name a host. */
static const char absolute_head[] = "[A-Z]+ [Hh][Tt][Tt][Pp][Ss]?://.*",
                  plain_absolute_head[] = "[A-Z]+ [Hh][Tt][Tt][Pp][Ss]?://[a-z]+([/?][!-~]*)? .*";
static char *raw_target;
static void write_timing(const struct http_request *request, char *ret_text, size_t bytes)
{
    (void)request;
    snprintf(ret_text, bytes, "compute");
}

static const struct http_application application = {.write_timing = write_timing};
static struct http_server server = {.options = {.application = &application}};
static struct http_connection connection = {.server = &server};
static bool has_passed;
static struct http_trace trace;

/* ---- the head, read simply ---- */

struct fields {
    unsigned hosts, lengths, encodings;
    const char *traceparent; /* NULL: none or several */
    unsigned traceparents;
};

static bool is_text(const char *line)
{
    for (; *line; line++)
        if ((unsigned char)*line < 0x20 ? *line != '\t' : *line == 0x7f)
            return false;
    return true;
}

/* "Name: value", the value without space around it. */
static void check_field(char *line, struct fields *fields)
{
    char *value = strchr(line, ':');
    FUZZ_CHECK(value && is_text(line), "passed the line \"%s\"", line);
    *value++ = '\0';
    FUZZ_CHECK(fuzz_matches(line, "[-!#$%&'*+.^_`|~0-9A-Za-z]+"), "passed the name \"%s\"", line);
    value += strspn(value, " \t");
    for (char *end = strchr(value, '\0'); end > value && strchr(" \t", end[-1]);)
        *--end = '\0';
    fields->hosts += strcasecmp(line, "Host") == 0;
    if (strcasecmp(line, "Content-Length") == 0) {
        fields->lengths++;
        FUZZ_CHECK(fuzz_matches(value, "[0-9]+"), "passed a length of \"%s\"", value);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        fields->encodings++;
        FUZZ_CHECK(strcasecmp(value, "chunked") == 0, "passed the encoding \"%s\"", value);
    } else if (strcasecmp(line, "traceparent") == 0) {
        fields->traceparent = fields->traceparents++ ? NULL : value;
    }
}

static void check_trace(const char *traceparent)
{
    const bool is_one =
        traceparent &&
        (fuzz_matches(traceparent, "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}") ||
         (fuzz_matches(traceparent,
                       "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[^ \t]*)?") &&
          strncmp(traceparent, "00", 2) != 0 && strncmp(traceparent, "ff", 2) != 0)) &&
        !fuzz_matches(traceparent, "..-0{32}.*") && !fuzz_matches(traceparent, ".{35}-0{16}.*");
    FUZZ_CHECK(is_one == (*trace.trace_id != '\0'), "\"%s\": %s", traceparent, trace.trace_id);
    if (is_one)
        FUZZ_CHECK(strncmp(trace.trace_id, traceparent + 3, 32) == 0 &&
                       strncmp(trace.parent_id, traceparent + 36, 16) == 0 &&
                       trace.is_sampled == (strtoul(traceparent + 53, NULL, 16) & 1),
                   "\"%s\": %s %s", traceparent, trace.trace_id, trace.parent_id);
}

/* At the end of a line, zero bytes look to the guard like CR and LF. */
static char *next_line(char **at, char *end)
{
    char *line = *at, *after = memchr(line, '\n', (size_t)(end - line));
    *at = after ? after + 1 : end;
    after = after ? after : end;
    while (after > line && (after[-1] == '\r' || after[-1] == '\0'))
        after--;
    *after = '\0';
    FUZZ_CHECK(line + strlen(line) == after, "passed a zero byte after \"%s\"", line);
    return line;
}

/* The library also accepts a bare CR as the end of a line, and ignores such lines before a
 * request. */
static bool begins_with_bare_cr(const char *head, size_t size)
{
    const char *end = memchr(head, '\n', size);
    for (const char *at = head; end && at + 1 < end; at++)
        if (*at == '\r')
            return true;
    return false;
}

/* Whether the server has to take it. */
static bool is_plain(const char *head)
{
    return fuzz_matches(head, plain_head) &&
           (!fuzz_matches(head, absolute_head) || fuzz_matches(head, plain_absolute_head));
}

static void check_head(char *head, size_t size)
{
    struct fields fields = {0};
    if (begins_with_bare_cr(head, size))
        return;
    char *at = head, *const end = head + size;
    /* lines before a request that are empty, or start with a zero byte, are ignored */
    while (at < end && strchr("\r\n", *at)) {
        char *after = memchr(at, '\n', (size_t)(end - at));
        at = after ? after + 1 : end;
    }
    char *line = next_line(&at, end);
    FUZZ_CHECK(fuzz_matches(line, "[A-Z]+ [!-~]+ HTTP/1\\.[0-9]"), "passed \"%s\"", line);
    const bool is_old = fuzz_matches(line, ".* HTTP/1\\.0");
    /* A colon and LF look like the CR and LF of the head's end. */
    while (*(line = next_line(&at, end)) && strcmp(line, ":") != 0)
        check_field(line, &fields);
    FUZZ_CHECK(fields.lengths + fields.encodings <= 1, "passed %u lengths and %u encodings",
               fields.lengths, fields.encodings);
    FUZZ_CHECK(fields.hosts == 1 || (fields.hosts == 0 && is_old), "passed %u hosts", fields.hosts);
    FUZZ_CHECK(!is_old || fields.encodings == 0, "passed chunks of HTTP/1.0");
    check_trace(fields.traceparent);
}

/* ---- the head, read by the server ---- */

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)context, (void)mhd;
    *socket_context = &connection;
    http_frame(&connection, what == MHD_CONNECTION_NOTIFY_STARTED);
}

static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    (void)context, (void)mhd;
    free(raw_target);
    return raw_target = strdup(target);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *piece,
                                  size_t *piece_bytes, void **state)
{
    struct http_request request = {
        .server = &server, .connection = mhd, .target = http_copy_target(raw_target)};
    (void)context, (void)url, (void)piece, (void)piece_bytes, (void)state;
    snprintf(request.method, sizeof request.method, "%s", method);
    http_make_printable(request.method);
    FUZZ_CHECK(request.target && http_read_target(&request), "out of memory");
    http_read_trace(&request);
    has_passed = http_guard(&request, method, raw_target, version) == HTTP_PROCEED;
    trace = request.trace;
    FUZZ_CHECK(has_passed || (request.closes && request.response.status >= 400), "no refusal");
    http_drop_response(&request);
    free(request.path);
    free(request.target);
    return MHD_NO; /* which ends the connection */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct MHD_Daemon *daemon;
    const struct sockaddr_un address = {.sun_family = AF_UNIX};
    int ends[2];
    if (!daemon)
        daemon = MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, NULL,
                                  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                  MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
                                  MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_END);
    if (size == 0 || size > HEAD_BYTES_MAX)
        return 0;
    FUZZ_CHECK(daemon && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 &&
                   send(ends[0], data, size, 0) == (ssize_t)size && shutdown(ends[0], SHUT_WR) == 0,
               "no connection");
    has_passed = false;
    connection = (struct http_connection){.server = &server, .descriptor = ends[1]};
    FUZZ_CHECK(MHD_add_connection(daemon, ends[1], (const void *)&address, sizeof address) ==
                   MHD_YES,
               "no connection");
    for (int i = 0; i < RUNS; i++)
        MHD_run(daemon);
    close(ends[0]);
    char *head = malloc(size + 1);
    FUZZ_CHECK(head, "out of memory");
    memcpy(head, data, size);
    head[size] = '\0';
    FUZZ_CHECK(has_passed || !is_plain(head), "refused \"%s\"", head);
    if (has_passed)
        check_head(head, size);
    free(head);
    return 0;
}

/* guard.c - see guard.h. RFC 9112, RFC 9110.
 *
 * libmicrohttpd 0.9.75 accepts heads that a proxy in front may read differently (request
 * smuggling). They are refused before a route is looked up. A malformed request line, a line
 * without a colon and a head beyond connection_memory_bytes never come here: the library answers
 * them itself, as HTML and without our headers.
 */
#include "server/http/guard.h"
#include "server/base/field_value.h"
#include "server/http/connection.h"
#include "server/http/framing.h"

#include <microhttpd.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* What a walk over the head's fields has found. */
struct head {
    unsigned hosts, lengths, encodings;
    const char *host, *encoding, *expect;
    bool has_bad_name, has_bad_value;
    bool has_gap;
    uintptr_t end; /* of the line before */
};

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return true;
    return false;
}

/* libmicrohttpd parses a head in place and splits it with zero bytes. It does not report a zero
 * byte that was sent, a line that continues on the next ("Content-Length: 5" with " 0" below it
 * becomes a field named Content-Length0), or a line without a name, which it takes for the head's
 * end. Each leaves a gap between two parts that is longer than a line end. */
static void look_for_gap(struct head *head, const char *name, const char *value)
{
    const uintptr_t gap = (uintptr_t)name - head->end;
    const bool is_in_place = (uintptr_t)value > (uintptr_t)name + strlen(name);
    head->has_gap = head->has_gap || gap < 1 || gap > 2 || !is_in_place;
    head->end = (uintptr_t)value + strlen(value);
}

/* From the first byte of the method to the empty line. */
static size_t head_bytes(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

/* The library keeps space after a value (RFC 9112 5.1). The head is in the connection's memory,
 * which may be written to. */
static void trim_end(const char *value)
{
    size_t bytes = strlen(value);
    while (bytes > 0 && strchr(" \t", value[bytes - 1]))
        ((char *)(uintptr_t)value)[--bytes] = '\0';
}

static enum MHD_Result look_at_field(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct head *head = context;
    (void)kind;
    value = value ? value : "";
    look_for_gap(head, name, value);
    trim_end(value);
    head->has_bad_name = head->has_bad_name || !field_is_token(name);
    head->has_bad_value = head->has_bad_value || has_control(value);
    if (strcasecmp(name, "Host") == 0) {
        head->hosts++;
        head->host = value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->lengths++;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->encodings++;
        head->encoding = value;
    } else if (strcasecmp(name, "Expect") == 0) {
        head->expect = value;
    }
    return MHD_YES;
}

/* Only bytes of names, ports and IPv6 addresses; may be empty. */
static bool is_host(const char *host)
{
    return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             ".-_~%!$&'()*+,;=:[]")] == '\0';
}

static bool is_target(const char *target)
{
    for (const char *c = target; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f)
            return false;
    return *target != '\0';
}

static bool is_known_method(const char *method)
{
    static const char *const methods[] = {"GET",     "HEAD",  "POST",    "PUT",  "DELETE",
                                          "OPTIONS", "PATCH", "CONNECT", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* Walks over all fields. Whether the head, which starts at method, has a part that was not shown.
 */
static bool has_hidden_part(const struct http_request *request, const char *method,
                            const char *raw_target, const char *version, struct head *ret_head)
{
    const uintptr_t start = (uintptr_t)method, end = start + head_bytes(request);
    ret_head->end = (uintptr_t)version + strlen(version);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at_field, ret_head);
    if ((uintptr_t)version < start || (uintptr_t)version >= end)
        return true; /* this library keeps heads elsewhere; with it, probe.c refuses to start */
    if (ret_head->has_gap || end - ret_head->end < 2 || end - ret_head->end > 4 ||
        (uintptr_t)version - start != strlen(method) + 1 + strlen(raw_target) + 1)
        return true;
    static const char line_ends[4];
    return memcmp((const char *)ret_head->end, line_ends, end - ret_head->end) != 0;
}

/* What framing.c has found wrong in the bytes of this head; NULL: nothing. */
static const char *find_flaw(const struct http_request *request)
{
    struct http_framing *framing = &http_connection_of(request->connection)->framing;
    framing->answered++;
    if (framing->heads < framing->answered)
        return "the head was not received by this server's own means";
    return framing->flaw && framing->answered >= framing->flawed_head ? framing->flaw : NULL;
}

/* Closes the connection too, so that nothing after this head is read as another. */
static enum http_next refuse(struct http_request *request, unsigned status, const char *detail)
{
    request->closes = true;
    return http_problem(request, status, "%s", detail);
}

enum http_next http_guard(struct http_request *request, const char *method, const char *raw_target,
                          const char *version)
{
    struct head head = {0};
    const bool is_old = strcmp(version, "HTTP/1.0") == 0; /* all others are read as 1.1 */
    const char *flaw = find_flaw(request);
    const bool hides = has_hidden_part(request, method, raw_target, version, &head);
    if (!is_known_method(request->method))
        return refuse(request, 501, "unknown method, expected GET, HEAD, POST or PUT");
    if (!is_target(raw_target))
        return refuse(request, 400,
                      "the request target holds a byte that is not visible ASCII, expected it "
                      "percent-encoded");
    if (hides)
        return refuse(request, 400,
                      "the head holds a zero byte, a folded line, a header without a name, or more "
                      "than one space between the parts of its first line");
    if (flaw)
        return refuse(request, 400, flaw);
    if (head.has_bad_name)
        return refuse(request, 400,
                      "a header name is not a token: found a space or a control byte");
    if (head.has_bad_value)
        return refuse(request, 400, "a header's value holds a control byte");
    if (head.hosts > 1 || (head.hosts == 0 && !is_old))
        return refuse(request, 400, "found no Host header or several, expected exactly one");
    if ((head.hosts > 0 && !is_host(head.host)) ||
        (request->host && (!*request->host || !is_host(request->host))))
        return refuse(request, 400, "the Host header or the target's host is not a host name");
    if (!request->host)
        request->host = head.host ? head.host : "";
    if (head.lengths > 1)
        return refuse(request, 400, "found several Content-Length headers, expected one");
    if (head.encodings > 0 && head.lengths > 0)
        return refuse(request, 400,
                      "found both Content-Length and Transfer-Encoding, expected one of them");
    if (head.encodings > 0 && is_old)
        return refuse(request, 400, "found Transfer-Encoding in HTTP/1.0, which does not have it");
    if (head.encodings > 1 || (head.encoding && strcasecmp(head.encoding, "chunked") != 0))
        return refuse(request, 501, "unsupported Transfer-Encoding, expected chunked");
    if (head.expect && strcasecmp(head.expect, "100-continue") != 0)
        return refuse(request, 417, "unsupported Expect header, expected 100-continue");
    return HTTP_PROCEED;
}

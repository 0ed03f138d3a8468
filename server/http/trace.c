/* trace.c - W3C Trace Context: the traceparent of a request, and our span in its trace.
 *
 *     version "-" trace-id "-" parent-id "-" trace-flags     all lower-case hexadecimal digits
 *
 * A traceparent that is malformed, all zeros or repeated is ignored.
 */
#include "server/http/trace.h"
#include "server/http/ids.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

enum { VERSION_AT = 0, TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, TRACEPARENT_BYTES = 55 };

struct found {
    const char *value;
    size_t count;
};

static enum MHD_Result look_at_field(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct found *found = context;
    (void)kind;
    if (strcasecmp(name, "traceparent") != 0)
        return MHD_YES;
    found->value = value;
    found->count++;
    return MHD_YES;
}

static bool is_hex(const char *text, size_t count)
{
    return strspn(text, "0123456789abcdef") >= count;
}

static bool is_zero(const char *text, size_t count)
{
    return strspn(text, "0") >= count;
}

/* A later version may have more after another dash. Space may follow. */
static bool is_traceparent(const char *text)
{
    const size_t bytes = strcspn(text, " \t");
    if (bytes < TRACEPARENT_BYTES || text[TRACE_AT - 1] != '-' || text[PARENT_AT - 1] != '-' ||
        text[FLAGS_AT - 1] != '-' || !is_hex(text + VERSION_AT, 2) ||
        !is_hex(text + TRACE_AT, HTTP_TRACE_ID_BYTES - 1) ||
        !is_hex(text + PARENT_AT, HTTP_SPAN_ID_BYTES - 1) || !is_hex(text + FLAGS_AT, 2))
        return false;
    if (is_zero(text + TRACE_AT, HTTP_TRACE_ID_BYTES - 1) ||
        is_zero(text + PARENT_AT, HTTP_SPAN_ID_BYTES - 1) || strncmp(text, "ff", 2) == 0)
        return false;
    if (text[bytes + strspn(text + bytes, " \t")] != '\0')
        return false;
    return bytes == TRACEPARENT_BYTES ||
           (strncmp(text, "00", 2) != 0 && text[TRACEPARENT_BYTES] == '-');
}

void http_read_trace(struct http_request *request)
{
    struct http_trace *trace = &request->trace;
    struct found found = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at_field, &found);
    if (found.count != 1 || !found.value || !is_traceparent(found.value))
        return;
    memcpy(trace->trace_id, found.value + TRACE_AT, HTTP_TRACE_ID_BYTES - 1);
    memcpy(trace->parent_id, found.value + PARENT_AT, HTTP_SPAN_ID_BYTES - 1);
    trace->is_sampled = strchr("13579bdf", found.value[FLAGS_AT + 1]) != NULL;
    http_random_hex(trace->span_id);
}

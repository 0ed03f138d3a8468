/* coding.c - see coding.h. RFC 9110 8.4.1, 12.5.3. */
#include "server/http/coding.h"
#include "server/base/field_value.h"

#include <microhttpd.h>
#include <strings.h>

static const struct {
    const char *name;
    enum http_coding coding;
} codings[] = {
    {"identity", HTTP_IDENTITY},
    {"gzip", HTTP_GZIP},
    {"x-gzip", HTTP_GZIP},
    {"deflate", HTTP_DEFLATE},
};

const char *http_coding_name(enum http_coding coding)
{
    return coding == HTTP_GZIP ? "gzip" : "deflate";
}

bool http_find_coding(struct span name, enum http_coding *ret_coding)
{
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (span_is(name, codings[i].name)) {
            *ret_coding = codings[i].coding;
            return true;
        }
    return false;
}

/* ---- Accept-Encoding ---- */

/* ";q=0.5", or nothing. */
static bool read_weight(struct span rest, int *ret_quality)
{
    *ret_quality = 1000;
    field_skip_space(&rest);
    if (rest.bytes == 0)
        return true;
    if (!field_skip_byte(&rest, ';'))
        return false;
    field_skip_space(&rest);
    return span_is(field_token(&rest), "q") && field_skip_byte(&rest, '=') &&
           field_quality(rest, ret_quality);
}

/* "gzip" or "gzip;q=0.5"; anything else says nothing. */
static void weigh(struct span element, struct http_codings *qualities)
{
    enum http_coding coding;
    int *held = NULL, quality;
    const struct span name = field_token(&element);
    if (span_is(name, "*"))
        held = &qualities->any;
    else if (http_find_coding(name, &coding))
        held = &qualities->of[coding];
    if (held && read_weight(element, &quality) && quality > *held)
        *held = quality;
}

void http_weigh_codings(const char *list, struct http_codings *qualities)
{
    struct span rest = span_of(list), element;
    while (field_next_element(&rest, &element))
        weigh(element, qualities);
}

enum http_coding http_best_coding(const struct http_codings *qualities)
{
    const int *of = qualities->of;
    const int gzip = of[HTTP_GZIP] == HTTP_NOT_NAMED ? qualities->any : of[HTTP_GZIP];
    const int deflate = of[HTTP_DEFLATE] == HTTP_NOT_NAMED ? qualities->any : of[HTTP_DEFLATE];
    const int best = gzip >= deflate ? gzip : deflate;
    if (best <= 0 || of[HTTP_IDENTITY] > best)
        return HTTP_IDENTITY;
    return gzip == best ? HTTP_GZIP : HTTP_DEFLATE;
}

static enum MHD_Result look_for_codings(void *context, enum MHD_ValueKind kind, const char *name,
                                        const char *value)
{
    (void)kind;
    if (value && strcasecmp(name, "Accept-Encoding") == 0)
        http_weigh_codings(value, context);
    return MHD_YES;
}

enum http_coding http_wanted_coding(const struct http_request *request)
{
    struct http_codings qualities = HTTP_NO_CODINGS;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_for_codings, &qualities);
    return http_best_coding(&qualities);
}

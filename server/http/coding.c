/* coding.c - content codings: which one a body has, which one its answer may have (RFC 9110 8.4.1,
 * 12.5.3). */
#include "server/http/http_private.h"

#include <string.h>
#include <strings.h>

/* A stretch of a header. */
struct span {
    const char *start;
    size_t bytes;
};

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

/* Without the space around it. */
static struct span trim(struct span text)
{
    while (text.bytes > 0 && strchr(" \t", text.start[0])) {
        text.start++;
        text.bytes--;
    }
    while (text.bytes > 0 && strchr(" \t", text.start[text.bytes - 1]))
        text.bytes--;
    return text;
}

static bool span_is(struct span text, const char *word)
{
    return text.bytes == strlen(word) && strncasecmp(text.start, word, text.bytes) == 0;
}

static bool find_coding(struct span name, enum http_coding *ret_coding)
{
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (span_is(name, codings[i].name)) {
            *ret_coding = codings[i].coding;
            return true;
        }
    return false;
}

/* ---- Content-Encoding ---- */

struct content_encoding {
    const char *value;
    unsigned fields;
};

static enum MHD_Result look_for_encoding(void *context, enum MHD_ValueKind kind, const char *name,
                                         const char *value)
{
    struct content_encoding *found = context;
    (void)kind;
    if (strcasecmp(name, "Content-Encoding") == 0) {
        found->fields++;
        found->value = value ? value : "";
    }
    return MHD_YES;
}

enum http_next http_check_coding(struct http_request *request)
{
    struct content_encoding found = {.value = ""};
    enum http_coding coding = HTTP_IDENTITY;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_for_encoding, &found);
    const struct span name = trim((struct span){found.value, strlen(found.value)});
    if (found.fields > 1 || (name.bytes > 0 && !find_coding(name, &coding))) {
        http_add_header(request, "Accept-Encoding", "gzip, deflate");
        return http_problem(
            request, 415,
            "Content-Encoding: found %.60s, expected gzip or deflate, only one of them",
            found.fields > 1 ? "several headers" : found.value);
    }
    if (coding == HTTP_IDENTITY || http_expect_compressed(request, coding))
        return HTTP_PROCEED;
    return http_problem(request, 503, "out of memory");
}

/* ---- Accept-Encoding ---- */

/* 0 to 1 with up to three decimals (RFC 9110 12.4.2), in thousandths; HTTP_NOT_NAMED: it is none.
 */
static int read_quality(struct span text)
{
    if (text.bytes == 0 || text.bytes > 5 || (text.bytes > 1 && text.start[1] != '.'))
        return HTTP_NOT_NAMED;
    int quality = 0, place = 1000;
    for (size_t i = 0; i < text.bytes; i++) {
        if (i == 1)
            continue;
        if (text.start[i] < '0' || text.start[i] > '9')
            return HTTP_NOT_NAMED;
        quality += (text.start[i] - '0') * place;
        place /= 10;
    }
    return quality <= 1000 ? quality : HTTP_NOT_NAMED;
}

/* "gzip" or "gzip;q=0.5"; what is neither says nothing. */
static void weigh(struct span element, struct http_codings *qualities)
{
    const char *semicolon = memchr(element.start, ';', element.bytes);
    const char *end = element.start + element.bytes;
    int quality = 1000;
    struct span name = element;
    if (semicolon) {
        name.bytes = (size_t)(semicolon - element.start);
        const struct span weight =
            trim((struct span){semicolon + 1, (size_t)(end - semicolon - 1)});
        quality = weight.bytes > 2 && strncasecmp(weight.start, "q=", 2) == 0
                      ? read_quality((struct span){weight.start + 2, weight.bytes - 2})
                      : HTTP_NOT_NAMED;
    }
    enum http_coding coding;
    int *held = NULL;
    name = trim(name);
    if (span_is(name, "*"))
        held = &qualities->any;
    else if (find_coding(name, &coding))
        held = &qualities->of[coding];
    if (held && quality > *held)
        *held = quality;
}

void http_weigh_codings(const char *list, struct http_codings *qualities)
{
    for (;; list++) {
        const struct span element = {list, strcspn(list, ",")};
        weigh(element, qualities);
        list += element.bytes;
        if (!*list)
            return;
    }
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

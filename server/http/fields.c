/* fields.c - see fields.h. An answer that ignores a mistyped or repeated header is a wrong answer.
 */
#include "server/http/fields.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A header of this server, treated like the application's: no other name has the prefix. */
static const char own_header[] = "X-Request-Timeout-Ms", own_prefix[] = "X-Request-Timeout";

/* Headers that may appear only once. */
static const char *const single_headers[] = {
    own_header, "Content-Type", "Origin", "Sec-Fetch-Site", "Authorization", "X-Api-Key", NULL};

enum { SINGLE_COUNT = sizeof single_headers / sizeof *single_headers - 1 };

/* What a walk over the fields has found. */
struct found {
    const struct http_application *application;
    const char *parameters; /* that the route knows */
    const char *unknown, *repeated;
    unsigned headers_seen, parameters_seen; /* a bit for each name */
};

/* The index of a name in a list, or of the list's end. */
static size_t index_in(const char *const *list, const char *name)
{
    size_t i = 0;
    while (list[i] && strcasecmp(list[i], name) != 0)
        i++;
    return i;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether it looks like a header that is known, and is not. */
static bool is_mistyped(const struct http_application *application, const char *name)
{
    for (const char *const *prefix = application->header_prefixes; *prefix; prefix++)
        if (has_prefix(name, *prefix))
            return true;
    return has_prefix(name, own_prefix);
}

/* Notes the index-th name of a list. */
static void see(struct found *found, unsigned *seen, size_t index, const char *name)
{
    if (*seen >> index & 1 && !found->repeated)
        found->repeated = name;
    *seen |= 1U << index;
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct found *found = context;
    const char *const *headers = found->application->headers;
    const size_t single = index_in(single_headers, name), own = index_in(headers, name);
    (void)kind;
    (void)value;
    if (single_headers[single])
        see(found, &found->headers_seen, single, name);
    else if (headers[own])
        see(found, &found->headers_seen, SINGLE_COUNT + own, name);
    else if (is_mistyped(found->application, name))
        found->unknown = name;
    return MHD_YES;
}

static enum MHD_Result look_at_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                         const char *value)
{
    struct found *found = context;
    size_t index = 0;
    (void)kind;
    if (!*name && !value) /* between "&&" */
        return MHD_YES;
    for (const char *known = found->parameters; *known; index++) {
        const size_t bytes = strcspn(known, " ");
        if (strlen(name) == bytes && strncmp(known, name, bytes) == 0) {
            see(found, &found->parameters_seen, index, name);
            return MHD_YES;
        }
        known += bytes + (known[bytes] ? 1 : 0);
    }
    found->unknown = *name ? name : "\"\"";
    return MHD_YES;
}

enum { KNOWN_BYTES = 256 };

/* "A, B and C": the application's, and this server's own. */
static void name_headers(const char *const *headers, char ret[KNOWN_BYTES])
{
    size_t at = 0;
    for (; *headers && at < KNOWN_BYTES; headers++)
        at += (size_t)snprintf(ret + at, KNOWN_BYTES - at, "%s%s", at ? ", " : "", *headers);
    if (at < KNOWN_BYTES)
        snprintf(ret + at, KNOWN_BYTES - at, "%s%s", at ? " and " : "", own_header);
}

static enum http_next check_headers(struct http_request *request)
{
    struct found found = {.application = request->server->options.application};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at_header, &found);
    if (found.unknown) {
        char known[KNOWN_BYTES];
        name_headers(found.application->headers, known);
        return http_problem(request, 400, "%.60s: unknown header; known headers are %s",
                            found.unknown, known);
    }
    if (!found.repeated)
        return HTTP_PROCEED;
    return http_problem(request, 400, "%.60s: found several headers, expected one", found.repeated);
}

static enum http_next check_parameters(struct http_request *request)
{
    struct found found = {.parameters = request->route->parameters};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, look_at_parameter,
                              &found);
    if (found.unknown)
        return http_problem(request, 400, "%.60s: unknown query parameter; %s%s", found.unknown,
                            *found.parameters ? "known ones are: " : "none is known here",
                            found.parameters);
    if (!found.repeated)
        return HTTP_PROCEED;
    return http_problem(request, 400, "%.60s: found in the query several times, expected once",
                        found.repeated);
}

enum http_next http_check_fields(struct http_request *request)
{
    if (!request->route->parameters)
        return HTTP_PROCEED;
    const enum http_next next = check_headers(request);
    return next == HTTP_PROCEED ? check_parameters(request) : next;
}

/* ---- lists ---- */

struct list {
    const char *name;
    char *text;
    size_t bytes, lines;
};

static enum MHD_Result add_line(void *context, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    struct list *list = context;
    (void)kind;
    if (strcasecmp(name, list->name) != 0)
        return MHD_YES;
    const size_t bytes = value ? strlen(value) : 0;
    if (list->text) {
        if (list->lines > 0)
            list->text[list->bytes++] = ',';
        memcpy(list->text + list->bytes, value ? value : "", bytes);
        list->bytes += bytes;
    } else {
        list->bytes += bytes + 1; /* a comma, or the end */
    }
    list->lines++;
    return MHD_YES;
}

const char *http_list(struct http_request *request, const char *name)
{
    struct list list = {.name = name};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_line, &list);
    if (list.lines < 2)
        return http_header(request, name);
    char *text = malloc(list.bytes + 1);
    if (!text)
        return http_header(request, name);
    list = (struct list){.name = name, .text = text};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_line, &list);
    text[list.bytes] = '\0';
    free(request->list);
    return request->list = text;
}

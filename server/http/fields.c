/* fields.c - headers and parameters by their names: those that are mistyped or stand there twice
 * are refused, since an answer that ignores them is a wrong one. */
#include "server/http/http_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Headers of our own, each once; no other name begins as they do. */
static const char *const own_headers[] = {"X-Tensor-Shape", "X-Tensor-Dtype", "X-Tensor-Layout",
                                          "X-Request-Timeout-Ms",
                                          "Inference-Header-Content-Length"};
static const char *const own_beginnings[] = {"X-Tensor-", "X-Request-Timeout", "Inference-Header-"};

/* HTTP's that mean something else when they stand there twice. */
static const char *const single_headers[] = {"Content-Type", "Origin", "Sec-Fetch-Site",
                                             "Authorization", "X-Api-Key"};

enum { OWN_COUNT = sizeof own_headers / sizeof *own_headers };
enum { SINGLE_COUNT = sizeof single_headers / sizeof *single_headers };

/* What a walk has found; names: what was found, when something was. */
struct found {
    const char *parameters; /* that the route knows */
    const char *unknown, *repeated;
    unsigned headers_seen, parameters_seen; /* a bit for each one of a list */
};

/* The index of a name in a list, or count. */
static size_t index_in(const char *const *list, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcasecmp(list[i], name) != 0)
        i++;
    return i;
}

/* Takes note of the index-th name of a list. */
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
    const size_t own = index_in(own_headers, OWN_COUNT, name);
    const size_t single = index_in(single_headers, SINGLE_COUNT, name);
    (void)kind;
    (void)value;
    if (own < OWN_COUNT)
        see(found, &found->headers_seen, own, name);
    else if (single < SINGLE_COUNT)
        see(found, &found->headers_seen, OWN_COUNT + single, name);
    else
        for (size_t i = 0; i < sizeof own_beginnings / sizeof *own_beginnings; i++)
            if (strncasecmp(name, own_beginnings[i], strlen(own_beginnings[i])) == 0)
                found->unknown = *name ? name : "\"\"";
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

static enum http_next check_headers(struct http_request *request)
{
    struct found found = {0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_at_header, &found);
    if (found.unknown)
        return http_problem(request, 400,
                            "%.60s: unknown header; known headers are %s, %s, %s, %s and %s",
                            found.unknown, own_headers[0], own_headers[1], own_headers[2],
                            own_headers[3], own_headers[4]);
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

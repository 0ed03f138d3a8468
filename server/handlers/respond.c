/* respond.c - see respond.h. */
#include "server/handlers/respond.h"

#include <jansson.h>
#include <string.h>

enum http_next handlers_respond_json(struct http_request *request, json_t *json)
{
    char *text = json ? ppm_json_text(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "application/json", text, strlen(text));
    http_compress_here(request);
    return HTTP_RESPOND;
}

void handlers_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

enum http_next handlers_no_such_model(struct http_request *request, const struct registry *registry,
                                      const char *name)
{
    char names[300];
    registry_names(registry, names, sizeof names);
    return http_problem(request, 404, "found no model \"%.64s\", expected one of: %s", name, names);
}

/* test_openapi.c - /openapi.json describes the routes, and nothing else. openapi.sh checks the
 * descriptions with a running server. */
#include "server/handlers/openapi.h"
#include "server/handlers/routes.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static json_t *read_document(void)
{
    size_t bytes = 0;
    json_error_t error;
    char *text = openapi_text(&bytes);
    cr_assert(text && strlen(text) == bytes);
    json_t *document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    cr_assert(document, "line %d: %s", error.line, error.text);
    free(text);
    return document;
}

static bool is_routed(const char *method, const char *path)
{
    for (const struct http_route *route = handlers_routes; route->pattern; route++)
        if (strcasecmp(route->method, method) == 0 && strcmp(route->pattern, path) == 0)
            return true;
    return false;
}

Test(openapi, every_route_is_described)
{
    json_t *document = read_document(), *paths = json_object_get(document, "paths");
    size_t count = 0;
    for (const struct http_route *route = handlers_routes; route->pattern; route++, count++) {
        char method[16];
        snprintf(method, sizeof method, "%s", route->method);
        for (char *at = method; *at; at++)
            *at = (char)(*at | 0x20);
        const json_t *operation = json_object_get(json_object_get(paths, route->pattern), method);
        cr_expect(json_is_object(operation), "%s %s: not described", route->method, route->pattern);
        const json_t *security = json_object_get(operation, "security"); /* [{}]: open to all */
        cr_expect((security != NULL) == route->is_open, "%s %s: security", route->method,
                  route->pattern);
    }
    cr_assert(count >= 30);
    json_decref(document);
}

Test(openapi, only_routes_are_described)
{
    json_t *document = read_document(), *item, *operation;
    const char *path, *method;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            cr_expect(is_routed(method, path), "%s %s is described, but not routed", method, path);
        }
    }
    json_decref(document);
}

Test(openapi, the_version_is_the_programs)
{
    json_t *document = read_document();
    const json_t *info = json_object_get(document, "info");
    cr_assert_str_eq(json_string_value(json_object_get(info, "version")), PPM_VERSION);
    json_decref(document);
}

/* routes.c - the table of routes, searched. */
#include "server/http/http_private.h"

#include <stdio.h>
#include <string.h>

static bool path_matches(const char *pattern, const char *path, char *ret_argument)
{
    size_t fixed = strcspn(pattern, "{");
    size_t path_bytes = strcspn(path, "?");
    ret_argument[0] = '\0';
    if (strncmp(path, pattern, fixed) != 0)
        return false;
    if (!pattern[fixed])
        return path_bytes == fixed;
    size_t length = path_bytes - fixed;
    if (path_bytes <= fixed || length >= HTTP_ARGUMENT_BYTES || memchr(path + fixed, '/', length))
        return false;
    memcpy(ret_argument, path + fixed, length);
    ret_argument[length] = '\0';
    return true;
}

const struct http_route *http_find_route(const struct http_route *routes, const char *method,
                                         const char *path, char *ret_argument, char *ret_allow)
{
    const bool is_head = strcmp(method, "HEAD") == 0;
    size_t at = 0;
    ret_allow[0] = '\0';
    for (const struct http_route *route = routes; route->pattern; route++) {
        if (!path_matches(route->pattern, path, ret_argument))
            continue;
        if (strcmp(route->method, is_head ? "GET" : method) == 0)
            return route;
        at += (size_t)snprintf(ret_allow + at, HTTP_ALLOW_BYTES - at, "%s%s%s", at ? ", " : "",
                               route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

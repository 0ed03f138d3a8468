/* find_route.c - see find_route.h. */
#include "server/http/find_route.h"

#include <stdio.h>
#include <string.h>

/* The length of what matches the braces at pattern: all of the segment but what follows them in the
 * pattern, as in "/items/{item}:buy". */
static size_t argument_length(const char *pattern, const char *path)
{
    const char *rest = pattern + strcspn(pattern, "}") + 1;
    const size_t segment = strcspn(path, "/?"), after = strcspn(rest, "/");
    return segment > after ? segment - after : 0;
}

static bool path_matches(const char *pattern, const char *path, http_argument *ret_arguments)
{
    size_t count = 0;
    memset(ret_arguments, 0, HTTP_ARGUMENTS_MAX * sizeof *ret_arguments);
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const size_t length = argument_length(pattern, path);
        if (length == 0 || length >= HTTP_ARGUMENT_BYTES || count == HTTP_ARGUMENTS_MAX)
            return false;
        memcpy(ret_arguments[count++], path, length);
        path += length;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0' || *path == '?';
}

const struct http_route *http_find_route(const struct http_route *routes, const char *method,
                                         const char *path, http_argument *ret_arguments,
                                         char *ret_allow)
{
    const bool is_head = strcmp(method, "HEAD") == 0;
    const char *first = NULL; /* pattern that matches: later ones take the path in another sense */
    size_t at = 0;
    ret_allow[0] = '\0';
    for (const struct http_route *route = routes; route->pattern; route++) {
        if (!path_matches(route->pattern, path, ret_arguments))
            continue;
        if (strcmp(route->method, is_head ? "GET" : method) == 0)
            return route;
        first = first ? first : route->pattern;
        if (strcmp(first, route->pattern) == 0)
            at +=
                (size_t)snprintf(ret_allow + at, HTTP_ALLOW_BYTES - at, "%s%s%s", at ? ", " : "",
                                 route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

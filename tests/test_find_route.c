/* test_find_route.c - finding the route for a method and a target. */
#include "server/handlers/routes.h"
#include "server/http/find_route.h"
#include "server/http/http.h"
#include "server/http/target.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <string.h>

Test(find_route, targets_find_their_route)
{
    static const struct {
        const char *method, *target;
        const char *pattern; /* NULL: none */
        const char *argument, *allow;
    } cases[] = {
        {"GET", "/ppm", "/ppm", "", NULL},
        {"POST", "/ppm", "/ppm", "", NULL},
        {"HEAD", "/ppm", "/ppm", "", NULL},
        {"GET", "/ppm?", "/ppm", "", NULL},
        {"POST", "/ppm?shape=1,4,2,2&a=/b?c", "/ppm", "", NULL},
        {"POST", "/ppm/m", "/ppm/{model}", "m", NULL},
        {"POST", "/ppm/m?shape=1", "/ppm/{model}", "m", NULL},
        {"GET", "/ppm/a.b-c_d", "/ppm/{model}", "a.b-c_d", NULL},
        {"GET", "/ppm/%2e%2e", "/ppm/{model}", "%2e%2e", NULL},
        {"HEAD", "/healthz", "/healthz", "", NULL},
        {"GET", "/readyz", "/readyz", "", NULL},
        {"GET", "/metrics?x", "/metrics", "", NULL},
        {"GET", "/openapi.json", "/openapi.json", "", NULL},
        {"GET", "/", "/", "", NULL},
        {"GET", "", NULL, "", ""},
        {"GET", "/page/page.js", "/page/{file}", "page.js", NULL},
        {"HEAD", "/?x", "/", "", NULL},
        {"GET", "/page/", NULL, "", ""},
        {"GET", "*", NULL, "", ""},
        {"GET", "ppm", NULL, "", ""},
        {"GET", "/pp", NULL, "", ""},
        {"GET", "/ppmx", NULL, "", ""},
        {"GET", "/PPM", NULL, "", ""},
        {"POST", "/ppm/", NULL, "", ""},
        {"POST", "/ppm/?x", NULL, "", ""},
        {"POST", "//ppm", NULL, "", ""},
        {"POST", "/ppm//", NULL, "", ""},
        {"POST", "/ppm/m/", NULL, "", ""},
        {"POST", "/ppm/m/n", NULL, "", ""},
        {"GET", "/healthz/", NULL, "", ""},
        {"GET", "/healthz/x", NULL, "", ""},
        {"GET", "http://a/healthz", NULL, "", ""},
        {"PUT", "/ppm", "/ppm", "", NULL},
        {"PUT", "/ppm/m", "/ppm/{model}", "m", NULL},
        {"PUT", "/v2/models/m/infer", NULL, "", "POST"},
        {"GET", "/v1/models", "/v1/models", "", NULL},
        {"GET", "/v1/models/m", "/v1/models/{model}", "m", NULL},
        {"POST", "/v1/models/m:predict", "/v1/models/{model}:predict", "m", NULL},
        {"POST", "/v1/models/a:b:predict?size=1,2", "/v1/models/{model}:predict", "a:b", NULL},
        {"POST", "/v1/models/m/versions/1:predict", "/v1/models/{model}/versions/{version}:predict",
         "m", NULL},
        {"POST", "/v1/models/m:classify", NULL, "", "GET, HEAD"},
        {"POST", "/v1/models/m:predict/", NULL, "", ""},
        {"POST", "/v1/models/:predict", NULL, "", "GET, HEAD"},
        {"POST", "/v1/models/predict", NULL, "", "GET, HEAD"},
        {"PUT", "/v1/models/m:predict", NULL, "", "POST"},
        {"PATCH", "/ppm", NULL, "", "POST, PUT, GET, HEAD"},
        {"get", "/ppm", NULL, "", "POST, PUT, GET, HEAD"},
        {"DELETE", "/ppm/m", NULL, "", "POST, PUT, GET, HEAD"},
        {"POST", "/healthz", NULL, "", "GET, HEAD"},
        {"", "/metrics", NULL, "", "GET, HEAD"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        http_argument arguments[HTTP_ARGUMENTS_MAX];
        char allow[HTTP_ALLOW_BYTES] = "";
        const struct http_route *route =
            http_find_route(handlers_routes, cases[i].method, cases[i].target, arguments, allow);
        cr_assert((route != NULL) == (cases[i].pattern != NULL), "%s %s", cases[i].method,
                  cases[i].target);
        if (route) {
            cr_assert_str_eq(route->pattern, cases[i].pattern, "%s", cases[i].target);
            cr_assert_str_eq(arguments[0], cases[i].argument, "%s", cases[i].target);
        } else {
            cr_assert_str_eq(allow, cases[i].allow, "%s %s", cases[i].method, cases[i].target);
        }
    }
}

Test(find_route, a_long_argument_is_no_argument)
{
    char target[512] = "/ppm/", allow[HTTP_ALLOW_BYTES];
    http_argument arguments[HTTP_ARGUMENTS_MAX];
    memset(target + 5, 'a', HTTP_ARGUMENT_BYTES - 1);
    cr_assert(http_find_route(handlers_routes, "POST", target, arguments, allow) != NULL);
    cr_assert(strlen(arguments[0]) == HTTP_ARGUMENT_BYTES - 1);
    strcat(target, "a");
    cr_assert(http_find_route(handlers_routes, "POST", target, arguments, allow) == NULL);
    cr_assert_str_empty(allow);
}

Test(find_route, all_routes_can_be_found_and_finish)
{
    for (const struct http_route *route = handlers_routes; route->pattern; route++) {
        http_argument arguments[HTTP_ARGUMENTS_MAX];
        char allow[HTTP_ALLOW_BYTES];
        cr_assert(route->finish != NULL, "%s", route->pattern);
        cr_assert(http_find_route(handlers_routes, route->method, route->pattern, arguments,
                                  allow) == route,
                  "%s %s", route->method, route->pattern);
    }
}

Test(find_route, text_is_made_printable)
{
    char text[] = "a\x01\x1b[0m\x7f\x80\xff b~";
    http_make_printable(text);
    cr_assert_str_eq(text, "a??[0m??? b~");
}

/* fuzz_target.c - request targets: the route they match, and their form in logs. */
#include "server/handlers/routes.h"
#include "server/http/find_route.h"
#include "server/http/http.h"
#include "server/http/target.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every byte is itself, or as %1B where it is not visible ASCII. */
static void check_copy(const char *target, const char *copy)
{
    const char *at = copy;
    for (char code[4]; *target; target++) {
        const unsigned char byte = (unsigned char)*target;
        snprintf(code, sizeof code, byte > 0x20 && byte < 0x7f ? "%c" : "%%%02X", byte);
        FUZZ_CHECK(strncmp(at, code, strlen(code)) == 0, "\"%s\"", copy);
        at += strlen(code);
    }
    FUZZ_CHECK(*at == '\0', "\"%s\" goes on", copy);
}

#define SEGMENT "[^/?]{1,128}"
#define MODEL   "/v2/models/" SEGMENT
#define V1      "/v1/models/"
#define VERSION MODEL "/versions/" SEGMENT
/* GET takes all of the last segment for a name, finds that route, and is refused there. */
#define PREDICT V1 "(" SEGMENT "/versions/)?[^/?]{1,120}:predict"
#define REGION  "/v2/systemsharedmemory/region/" SEGMENT

/* What is served, as expressions; the first that matches counts. */
static const struct route {
    const char *expression, *allow;
} served[] = {
    {"/ppm", "POST, PUT, GET, HEAD"},
    {"/ppm/" SEGMENT, "POST, PUT, GET, HEAD"},
    {"/(healthz|readyz|metrics|openapi\\.json)", "GET, HEAD"},
    {"/(page/" SEGMENT ")?", "GET, HEAD"},
    {"/v1/models", "GET, HEAD"},
    {PREDICT, "POST"},
    {V1 "(" SEGMENT "/versions/)?[^/?]{121,128}:predict", "POST"},
    {V1 SEGMENT "(/versions/" SEGMENT ")?", "GET, HEAD"},
    {"/v2(/health/(live|ready))?", "GET, HEAD"},
    {"/v2/models/stats", "GET, HEAD"},
    {MODEL "(/(ready|config|stats))?", "GET, HEAD"},
    {VERSION "(/(ready|config|stats))?", "GET, HEAD"},
    {"(" MODEL "|" VERSION ")/infer", "POST"},
    {"/v2/repository/index", "POST"},
    {"/v2/repository/models/" SEGMENT "/(load|unload)", "POST"},
    {"/v2/systemsharedmemory/status", "GET, HEAD"},
    {REGION "/status", "GET, HEAD"},
    {REGION "/(register|unregister)", "POST"},
    {"/v2/systemsharedmemory/unregister", "POST"},
};

static const char *expected_allow(const char *path)
{
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (fuzz_matches(path, served[i].expression))
            return served[i].allow;
    return "";
}

/* The pattern with its arguments filled in is the path again. */
static void check_arguments(const char *pattern, const http_argument *arguments, const char *path)
{
    char again[2048] = "";
    size_t at = 0;
    for (size_t count = 0; *pattern; pattern++) {
        if (*pattern == '{') {
            at += (size_t)snprintf(again + at, sizeof again - at, "%s", arguments[count++]);
            pattern = strchr(pattern, '}');
        } else {
            again[at++] = *pattern;
        }
    }
    FUZZ_CHECK(strlen(path) == at && memcmp(path, again, at) == 0, "%s became %s", path, again);
}

static void check_route(const char *method, const char *target)
{
    http_argument arguments[HTTP_ARGUMENTS_MAX];
    char allow[HTTP_ALLOW_BYTES];
    char *path = strndup(target, strcspn(target, "?"));
    const char *expected = expected_allow(path);
    const struct http_route *route =
        http_find_route(handlers_routes, method, target, arguments, allow);
    const bool is_served =
        strstr(expected, method) || (strstr("GET, HEAD", method) && fuzz_matches(path, PREDICT));
    FUZZ_CHECK((route != NULL) == is_served, "%s %s: %s", method, target,
               route ? route->pattern : "no route");
    if (route)
        check_arguments(route->pattern, arguments, path);
    else
        FUZZ_CHECK(strcmp(allow, expected) == 0, "%s %s: allows %s", method, target, allow);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "OPTIONS"};
    char *target = fuzz_text(data, size);
    char *copy = http_copy_target(target);
    check_copy(target, copy);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        check_route(methods[i], copy);
    free(copy);
    free(target);
    return 0;
}

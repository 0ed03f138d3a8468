/* fuzz_target.c - request targets: which route they find, and how they stand in logs. */
#include "server/handlers/handlers.h"
#include "server/http/http_private.h"
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

static const char *expected_pattern(const char *target)
{
    static const char *const plain[] = {"/ppm", "/healthz", "/readyz", "/metrics"};
    const size_t bytes = strcspn(target, "?");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strlen(plain[i]) == bytes && strncmp(target, plain[i], bytes) == 0)
            return plain[i];
    return fuzz_matches(target, "/ppm/[^/?]{1,128}(\\?.*)?") ? "/ppm/{model}" : NULL;
}

static void check_route(const char *method, const char *target)
{
    http_argument arguments[HTTP_ARGUMENTS_MAX];
    const char *argument = arguments[0];
    char allow[HTTP_ALLOW_BYTES];
    const bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    const char *pattern = expected_pattern(target);
    const bool is_ppm = pattern && strncmp(pattern, "/ppm", 4) == 0;
    const bool is_served = pattern && (is_get || (is_ppm && strcmp(method, "POST") == 0));
    const struct http_route *route =
        http_find_route(handlers_routes, method, target, arguments, allow);
    FUZZ_CHECK((route != NULL) == is_served, "%s %s: %s", method, target,
               route ? route->pattern : "no route");
    if (route)
        FUZZ_CHECK(strcmp(route->pattern, pattern) == 0, "%s: %s", target, route->pattern);
    else
        FUZZ_CHECK(strcmp(allow, !pattern ? ""
                                 : is_ppm ? "POST, GET, HEAD"
                                          : "GET, HEAD") == 0,
                   "%s %s: allows %s", method, target, allow);
    if (route && strchr(pattern, '{'))
        FUZZ_CHECK(strncmp(argument, target + 5, strlen(argument)) == 0 &&
                       strlen(argument) == strcspn(target + 5, "?"),
                   "%s: the argument is %s", target, argument);
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

/* openapi.c - see openapi.h. */
#include "server/handlers/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The assembler embeds the file, with any compiler and on any machine. */
__asm__(".pushsection .rodata\n"
        "openapi_template:\n"
        ".incbin \"server/handlers/openapi.json\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char openapi_template[] __attribute__((visibility("hidden")));

static const char placeholder[] = "@VERSION@";

char *openapi_text(size_t *ret_bytes)
{
    const char *at = strstr(openapi_template, placeholder);
    const char *rest = at + strlen(placeholder);
    const size_t bytes = (size_t)(at - openapi_template) + strlen(PPM_VERSION) + strlen(rest);
    char *text = malloc(bytes + 1);
    if (!text)
        return NULL;
    snprintf(text, bytes + 1, "%.*s%s%s", (int)(at - openapi_template), openapi_template,
             PPM_VERSION, rest);
    *ret_bytes = bytes;
    return text;
}

enum http_next openapi_finish(struct http_request *request)
{
    size_t bytes = 0;
    char *text = openapi_text(&bytes);
    if (!text)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "application/json", text, bytes);
    http_compress_here(request);
    return HTTP_RESPOND;
}

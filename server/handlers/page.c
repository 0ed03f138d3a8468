/* page.c - see page.h. */
#include "server/handlers/page.h"
#include "server/handlers/app.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The assembler embeds the files, one after the other. */
#define EMBED(name, ...)                                                                           \
    __asm__(".pushsection .rodata\n" #name ":\n" __VA_ARGS__ #name "_end:\n.popsection\n");        \
    extern const char name[] __attribute__((visibility("hidden")));                                \
    extern const char name##_end[] __attribute__((visibility("hidden")))
#define CONTENT(path) ".incbin \"" path "\"\n"
#define SCRIPT(name)  CONTENT("server/page/" name ".js")

EMBED(page_html, CONTENT("server/page/page.html"));
EMBED(page_css, CONTENT("server/page/page.css"));
EMBED(page_icon, CONTENT("server/page/icon.svg"));
EMBED(page_script,
      SCRIPT("tensor") SCRIPT("files") SCRIPT("server") SCRIPT("color") SCRIPT("picture")
          SCRIPT("labels") SCRIPT("photo") SCRIPT("camera") SCRIPT("input") SCRIPT("pyramid")
              SCRIPT("figures") SCRIPT("aside") SCRIPT("messages") SCRIPT("choose") SCRIPT("page"));
EMBED(page_sample3, CONTENT("configs/samples/features-3x30x30.npy"));
EMBED(page_sample4, CONTENT("configs/samples/features-4x30x30.npy"));
EMBED(page_street, CONTENT("configs/samples/street.jpg"));
EMBED(page_about_page, CONTENT("docs/page.md"));
EMBED(page_about_street, CONTENT("docs/street.md"));
EMBED(page_about_models, CONTENT("docs/models.md"));
EMBED(page_about_http, CONTENT("docs/http.md"));

static const char plain_text[] =
    "text/plain; charset=utf-8"; /* text/markdown would be downloaded */

static const struct page_file {
    const char *name; /* of /page/{file}; "": of / */
    const char *type, *bytes, *end;
} files[] = {
    {"", "text/html; charset=utf-8", page_html, page_html_end},
    {"page.css", "text/css; charset=utf-8", page_css, page_css_end},
    {"page.js", "text/javascript; charset=utf-8", page_script, page_script_end},
    {"icon.svg", "image/svg+xml", page_icon, page_icon_end},
    {"features-3x30x30.npy", "application/x-npy", page_sample3, page_sample3_end},
    {"features-4x30x30.npy", "application/x-npy", page_sample4, page_sample4_end},
    {"street.jpg", "image/jpeg", page_street, page_street_end},
    {"page.md", plain_text, page_about_page, page_about_page_end},
    {"street.md", plain_text, page_about_street, page_about_street_end},
    {"models.md", plain_text, page_about_models, page_about_models_end},
    {"http.md", plain_text, page_about_http, page_about_http_end},
};

/* The page talks to this server only, runs only its own script, and cannot be framed. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* FNV-1a, 64 bits: changes with the file. */
static uint64_t hash_of(const struct page_file *file)
{
    uint64_t hash = 14695981039346656037U;
    for (const char *at = file->bytes; at < file->end; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211U;
    return hash;
}

static enum http_next respond_file(struct http_request *request, const struct page_file *file)
{
    const size_t bytes = (size_t)(file->end - file->bytes);
    const char *known = http_list(request, "If-None-Match");
    const bool is_text =
        strcmp(file->type, "application/x-npy") != 0 && strcmp(file->type, "image/jpeg") != 0;
    char tag[24];
    snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)hash_of(file));
    const bool is_known = known && strstr(known, tag);
    char *body = is_known ? NULL : malloc(bytes);
    if (!is_known && !body)
        return http_problem(request, 503, "out of memory");
    /* weak: compressed, the bytes differ */
    http_add_header(request, "ETag", "%s%s",
                    is_text && http_will_compress(request, bytes) ? "W/" : "", tag);
    http_add_header(request, "Cache-Control", "no-cache"); /* revalidate each time, mostly a 304 */
    http_add_header(request, "Content-Security-Policy", "%s", policy);
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    http_add_header(request, "Referrer-Policy", "no-referrer");
    http_add_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    if (is_known) {
        http_respond(request, 304, NULL, NULL, 0);
    } else {
        memcpy(body, file->bytes, bytes);
        http_respond(request, 200, file->type, body, bytes);
    }
    if (is_text && !http_compress_here(request))
        http_add_header(request, "Vary", "Accept-Encoding");
    return HTTP_RESPOND;
}

enum http_next page_finish(struct http_request *request)
{
    const struct app *app = request->context;
    if (!app->settings.page)
        return http_problem(
            request, 404, "the page is off (page: false); POST /ppm computes, GET /ppm describes");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, request->arguments[0]) == 0)
            return respond_file(request, &files[i]);
    return http_problem(request, 404, "found no file \"%.64s\" of the page, which is at /",
                        request->arguments[0]);
}

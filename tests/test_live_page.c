/* test_live_page.c - GET / and the files of the page: access, headers, contents. tests/page/ runs
 * it in a browser. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_file(struct live *live, const char *target, const char *type, const char *begin,
                       size_t least_bytes)
{
    char value[LIVE_HEADER_BYTES], known[LIVE_HEADER_BYTES + 32];
    struct live_answer answer = live_ask(live, "GET", target, "", NULL, 0);
    cr_assert(answer.status == 200, "%s: %d", target, answer.status);
    cr_expect_str_eq(live_header(&answer, "Content-Type", value), type, "%s", target);
    cr_expect(strncmp(answer.body, begin, strlen(begin)) == 0, "%s: %.20s", target, answer.body);
    cr_expect(answer.body_bytes > least_bytes, "%s: %zu bytes", target, answer.body_bytes);
    cr_expect_str_eq(live_header(&answer, "X-Content-Type-Options", value), "nosniff");
    cr_expect_str_eq(live_header(&answer, "Referrer-Policy", value), "no-referrer");
    cr_expect_str_eq(live_header(&answer, "Cache-Control", value), "no-cache");
    snprintf(known, sizeof known, "If-None-Match: W/\"x\", %s\r\n",
             live_header(&answer, "ETag", value));
    struct live_answer same = live_ask(live, "GET", target, known, NULL, 0);
    cr_expect(same.status == 304 && same.body_bytes == 0, "%s: %d", target, same.status);
    struct live_answer other = live_ask(live, "GET", target, "If-None-Match: \"x\"\r\n", NULL, 0);
    cr_expect(other.status == 200 && other.body_bytes == answer.body_bytes, "%s", target);
    live_answer_free(&answer);
    live_answer_free(&same);
    live_answer_free(&other);
}

Test(live_page, is_served_with_all_that_belongs_to_it)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    check_file(&live, "/", "text/html; charset=utf-8", "<!doctype html>", 1000);
    check_file(&live, "/?x=1", "text/html; charset=utf-8", "<!doctype html>", 1000);
    check_file(&live, "/page/page.css", "text/css; charset=utf-8", "/* page.css", 1000);
    check_file(&live, "/page/page.js", "text/javascript; charset=utf-8", "/* tensor.js", 10000);
    check_file(&live, "/page/icon.svg", "image/svg+xml", "<svg ", 100);
    check_file(&live, "/page/features-3x30x30.npy", "application/x-npy", "\x93NUMPY", 10800);
    check_file(&live, "/page/features-4x30x30.npy", "application/x-npy", "\x93NUMPY", 14400);
    check_file(&live, "/page/street.jpg", "image/jpeg", "\xff\xd8\xff", 1000);
    check_file(&live, "/page/page.md", "text/plain; charset=utf-8", "# The page", 1000);
    check_file(&live, "/page/street.md", "text/plain; charset=utf-8", "# What the pyramid", 1000);
    check_file(&live, "/page/models.md", "text/plain; charset=utf-8", "# ", 1000);
    check_file(&live, "/page/http.md", "text/plain; charset=utf-8", "# The HTTP interface", 1000);
    live_stop(&live);
}

/* Nothing from other hosts, nothing inline, no frames. */
Test(live_page, allows_itself_alone)
{
    static const char *const parts[] = {"default-src 'none'; ", "script-src 'self'; ",
                                        "style-src 'self'; ",   "connect-src 'self'; ",
                                        "form-action 'none'; ", "frame-ancestors 'none'"};
    struct live live;
    char policy[LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    struct live_answer answer = live_ask(&live, "GET", "/", "", NULL, 0);
    live_header(&answer, "Content-Security-Policy", policy);
    for (size_t i = 0; i < COUNT(parts); i++)
        cr_expect(strstr(policy, parts[i]), "\"%s\" lacks \"%s\"", policy, parts[i]);
    cr_expect(!strstr(policy, "unsafe") && !strstr(policy, "*"), "\"%s\"", policy);
    cr_expect(!strstr(answer.body, "://") && !strstr(answer.body, "<style") &&
              !strstr(answer.body, "style=") && !strstr(answer.body, "onclick"));
    live_answer_free(&answer);
    live_stop(&live);
}

static void check_status(struct live *live, const char *method, const char *target, int expected,
                         const char *text)
{
    struct live_answer answer = live_ask(live, method, target, "", NULL, 0);
    cr_expect(answer.status == expected, "%s %s: %d", method, target, answer.status);
    cr_expect(strstr(answer.body, text), "%s %s: %s", method, target, answer.body);
    live_answer_free(&answer);
}

Test(live_page, answers_head_and_refuses_the_rest)
{
    struct live live;
    char length[LIVE_HEADER_BYTES], expected[LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    struct live_answer page = live_ask(&live, "GET", "/", "", NULL, 0);
    struct live_answer head = live_ask(&live, "HEAD", "/", "", NULL, 0);
    snprintf(expected, sizeof expected, "%zu", page.body_bytes);
    cr_expect(head.status == 200 && head.body_bytes == 0);
    cr_expect_str_eq(live_header(&head, "Content-Length", length), expected);
    check_status(&live, "GET", "/page/none", 404, "found no file \\\"none\\\"");
    check_status(&live, "GET", "/page/", 404, "nothing is served");
    check_status(&live, "POST", "/", 405, "GET, HEAD");
    live_answer_free(&page);
    live_answer_free(&head);
    live_stop(&live);
}

Test(live_page, is_off_with_page_false)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--page", "false"), NULL);
    check_status(&live, "GET", "/", 404, "page: false");
    check_status(&live, "GET", "/page/page.js", 404, "page: false");
    check_status(&live, "GET", "/healthz", 200, "ok");
    live_stop(&live);
}

/* A browser's address bar sends no key; the requests of the page do. */
Test(live_page, needs_no_key_but_what_it_asks_does)
{
    struct live live;
    char directory[LIVE_PATH_BYTES];
    live_directory_make(directory);
    const char *keys = live_write_quoted(directory, "keys", "secret-0123456789abcdef\n");
    live_start(&live, LIST("--model", LISTING1_MODEL, "--keys-file", keys), NULL);
    check_status(&live, "GET", "/", 200, "<!doctype html>");
    check_status(&live, "GET", "/page/page.js", 200, "tensor.js");
    check_status(&live, "GET", "/ppm", 401, "no key");
    check_status(&live, "GET", "/metrics", 401, "no key");
    live_stop(&live);
    live_directory_remove(directory);
}

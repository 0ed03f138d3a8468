/* test_live_access.c - access: keys, pages of other origins, modes of a unix socket. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POST_NPY "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"

static char directory[LIVE_PATH_BYTES], keys[64];

static void open_folder(void)
{
    live_directory_make(directory);
    snprintf(keys, sizeof keys, "%s/keys", directory);
    live_write_file(keys, "# who may ask\nalpha-0123456789\n\n \tbeta/key+~=\t\r\n#gamma\n");
    chmod(keys, 0600);
}

static void close_folder(void)
{
    live_directory_remove(directory);
}

TestSuite(live_access, .init = open_folder, .fini = close_folder, .timeout = 300);

static void start_with_keys(struct live *ret)
{
    live_start(ret, LIST("--model", LISTING1_GOLDEN, "--keys-file", keys), NULL);
}

static int status_of(const struct live *live, const char *method, const char *target,
                     const char *headers)
{
    struct live_answer answer = live_ask(live, method, target, headers, NULL, 0);
    const int status = answer.status;
    live_answer_free(&answer);
    return status;
}

/* ---- keys ---- */

Test(live_access, a_key_is_asked_for_and_each_one_is_good)
{
    static const struct {
        const char *headers;
        bool is_good;
    } cases[] = {
        {"", false},
        {"Authorization: Bearer alpha-0123456789\r\n", true},
        {"authorization: bearer  alpha-0123456789 \r\n", true},
        {"Authorization: Bearer beta/key+~=\r\n", true},
        {"X-Api-Key: alpha-0123456789\r\n", true},
        {"X-Api-Key: beta/key+~=\t\r\n", true},
        {"Authorization: Basic YTpi\r\nX-Api-Key: alpha-0123456789\r\n", true},
        {"Authorization: Bearer x\r\nX-Api-Key: alpha-0123456789\r\n", true},
        {"Authorization: Bearer alpha-012345678\r\n", false},
        {"Authorization: Bearer alpha-01234567890\r\n", false},
        {"Authorization: Bearer alpha-0123456780\r\n", false},
        {"Authorization: Bearer ALPHA-0123456789\r\n", false},
        {"Authorization: Bearer alpha-0123456789 beta/key+~=\r\n", false},
        {"Authorization: Bearer gamma\r\n", false},
        {"Authorization: Bearer #gamma\r\n", false},
        {"Authorization: Bearer\r\n", false},
        {"Authorization: Bearer \r\n", false},
        {"Authorization: alpha-0123456789\r\n", false},
        {"Authorization: Basic alpha-0123456789\r\n", false},
        {"Authorization: Beareralpha-0123456789\r\n", false},
        {"X-Api-Key: \r\n", false},
        {"X-Api-Key: Bearer alpha-0123456789\r\n", false},
        {"Proxy-Authorization: Bearer alpha-0123456789\r\n", false},
    };
    struct live live;
    start_with_keys(&live);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[LIVE_HEADER_BYTES];
        struct live_answer answer = live_ask(&live, "GET", "/ppm", cases[i].headers, NULL, 0);
        cr_assert(answer.status == (cases[i].is_good ? 200 : 401), "%s: %d", cases[i].headers,
                  answer.status);
        live_header(&answer, "WWW-Authenticate", value);
        cr_assert_str_eq(value, cases[i].is_good ? "" : "Bearer");
        if (!cases[i].is_good)
            live_check_problem(&answer, 401, "expected \"Authorization: Bearer KEY\"",
                               cases[i].headers);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

Test(live_access, health_is_open_and_nothing_else)
{
    static const struct {
        const char *method, *target;
        int status;
    } cases[] = {{"GET", "/healthz", 200},       {"HEAD", "/healthz", 200}, {"GET", "/readyz", 200},
                 {"GET", "/metrics", 401},       {"GET", "/ppm", 401},      {"HEAD", "/ppm", 401},
                 {"GET", "/ppm/" LISTING1, 401}, {"GET", "/nowhere", 401},  {"DELETE", "/ppm", 401},
                 {"POST", "/healthz", 401},      {"OPTIONS", "/ppm", 401},  {"POST", "/ppm", 401}};
    struct live live;
    start_with_keys(&live);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int status = status_of(&live, cases[i].method, cases[i].target, "");
        cr_assert(status == cases[i].status, "%s %s: %d", cases[i].method, cases[i].target, status);
    }
    char port[8];
    snprintf(port, sizeof port, "%u", live.port);
    struct live_output health = live_run(LIST("health", "--port", port), NULL);
    cr_assert(health.status == 0, "%s", health.err);
    live_output_free(&health);
    live_stop(&live);
}

Test(live_access, a_stranger_is_refused_before_the_body)
{
    struct live live;
    struct live_answer answer;
    start_with_keys(&live);
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "Content-Length: 1728\r\nExpect: 100-continue\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 401, "found no key", "no body");
    live_answer_free(&answer);
    cr_assert(live_is_closed(connection));
    close(connection);
    answer = live_ask(&live, "GET", "/metrics", "X-Api-Key: alpha-0123456789\r\n", NULL, 0);
    cr_assert(strstr(answer.body, "\nppm_rejected_total{reason=\"unauthorized\"} 1\n") != NULL,
              "%s", answer.body);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_access, keys_are_not_in_the_log_nor_in_answers)
{
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--keys-file", keys, "--log-level", "debug",
                    "--log-format", "json"),
               NULL);
    struct live_answer answer =
        live_ask(&live, "GET", "/ppm", "X-Api-Key: wrong-secret-key\r\n", NULL, 0);
    cr_assert(answer.status == 401 && !strstr(answer.body, "secret"), "%s", answer.body);
    live_answer_free(&answer);
    cr_assert(status_of(&live, "GET", "/ppm", "X-Api-Key: alpha-0123456789\r\n") == 200);
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "reloaded");
    char *log = live_log(&live);
    cr_assert(!strstr(log, "secret") && !strstr(log, "alpha") && !strstr(log, "beta"), "%s", log);
    cr_assert(strstr(log, "\"warn\",\"message\"") == NULL, "%s", log); /* the 401's line is */
    free(log);
    live_stop(&live);
}

Test(live_access, a_file_that_everyone_may_read_is_warned_of)
{
    struct live live;
    chmod(keys, 0644);
    start_with_keys(&live);
    live_wait_log(&live, " warn  keys_file: ");
    live_stop(&live);
}

Test(live_access, files_without_good_keys_are_refused)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "found no key"},
        {"\n# only\n  \n", "found no key"},
        {"good\nse cret\n", "line 2"},
        {"good\n\nse\x1b"
         "cret",
         "line 3"},
        {"se\xc3\xa9"
         "cret\n",
         "line 1"},
    };
    char long_key[300] = "secret";
    memset(long_key + 6, 'x', 257 - 6);
    for (size_t i = 0; i <= COUNT(cases); i++) {
        live_write_file(keys, i < COUNT(cases) ? cases[i].text : long_key);
        struct live_output output = live_run(
            LIST("serve", "--port", "0", "--model", LISTING1_GOLDEN, "--keys-file", keys), NULL);
        cr_assert(output.status == 2, "%zu: %d", i, output.status);
        cr_assert(strstr(output.err, "keys_file: ") && strstr(output.err, keys) &&
                      strstr(output.err, i < COUNT(cases) ? cases[i].told : "line 1"),
                  "%zu: %s", i, output.err);
        cr_assert(strstr(output.err, "cret") == NULL, "%s", output.err);
        live_output_free(&output);
    }
    static const char *const no_files[] = {"/nowhere/keys", "/tmp", "/dev/zero"};
    for (size_t i = 0; i < COUNT(no_files); i++) {
        struct live_output output = live_run(
            LIST("serve", "--check-config", "--model", LISTING1_GOLDEN, "--keys-file", no_files[i]),
            NULL);
        cr_assert(output.status == 2 && strstr(output.err, no_files[i]), "%s", output.err);
        live_output_free(&output);
    }
}

Test(live_access, a_reload_takes_up_other_keys_or_keeps_the_old_ones)
{
    struct live live;
    start_with_keys(&live);
    live_write_file(keys, "new key\n");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "not reloaded, still serving the old models: keys_file: ");
    cr_assert(status_of(&live, "GET", "/ppm", "X-Api-Key: alpha-0123456789\r\n") == 200);
    live_write_file(keys, "new-key");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, " reloaded: 1 model, ");
    cr_assert(status_of(&live, "GET", "/ppm", "X-Api-Key: alpha-0123456789\r\n") == 401);
    cr_assert(status_of(&live, "GET", "/ppm", "X-Api-Key: new-key\r\n") == 200);
    live_stop(&live);
}

/* ---- pages of other origins ---- */

#define ORIGIN    "Origin: https://a.example\r\n"
#define PREFLIGHT ORIGIN "Access-Control-Request-Method: POST\r\n"

static struct live_answer ask(const struct live *live, const char *method, const char *target,
                              const char *headers)
{
    return live_ask(live, method, target, headers, NULL, 0);
}

static void check_header(const struct live_answer *answer, const char *name, const char *expected)
{
    char value[LIVE_HEADER_BYTES];
    cr_assert_str_eq(live_header(answer, name, value), expected, "%s: found \"%s\" in %s", name,
                     value, answer->head);
}

static void check_no_cors(const struct live_answer *answer)
{
    cr_assert(strstr(answer->head, "Access-Control-") == NULL, "%s", answer->head);
}

Test(live_access, pages_of_other_origins_are_told_nothing_by_default)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer answer = ask(&live, "GET", "/ppm", ORIGIN);
    cr_assert(answer.status == 200);
    check_no_cors(&answer);
    check_header(&answer, "Vary", "");
    live_answer_free(&answer);
    answer = ask(&live, "OPTIONS", "/ppm", PREFLIGHT);
    live_check_problem(&answer, 405, "OPTIONS", "no CORS");
    check_no_cors(&answer);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_access, pages_of_listed_origins_may_ask_and_read)
{
    static const struct {
        const char *method, *target, *origin;
        int status;
        bool is_allowed;
    } cases[] = {
        {"GET", "/ppm", "https://a.example", 200, true},
        {"HEAD", "/healthz", "http://b.example:8080", 200, true},
        {"GET", "/nowhere", "https://a.example", 404, true}, /* errors are readable too */
        {"POST", "/ppm", "https://a.example", 415, true},
        {"GET", "/ppm", "http://a.example", 200, false},
        {"GET", "/ppm", "https://a.example:443", 200, false},
        {"GET", "/ppm", "https://a.example.evil", 200, false},
        {"GET", "/ppm", "https://a.exampl", 200, false},
        {"GET", "/ppm", "a.example,http://b.example", 200, false},
        {"GET", "/ppm", "null", 200, false},
        {"GET", "/ppm", "", 200, false},
    };
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--cors-origins",
                    "https://a.example,http://b.example:8080"),
               NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[128];
        snprintf(headers, sizeof headers, "Origin: %s\r\n", cases[i].origin);
        struct live_answer answer = ask(&live, cases[i].method, cases[i].target, headers);
        cr_assert(answer.status == cases[i].status, "%s: %d", cases[i].origin, answer.status);
        check_header(&answer, "Vary", "Origin");
        if (cases[i].is_allowed) {
            check_header(&answer, "Access-Control-Allow-Origin", cases[i].origin);
            check_header(
                &answer, "Access-Control-Expose-Headers",
                "Inference-Header-Content-Length, Retry-After, Server-Timing, X-Image-Size, "
                "X-Request-Id, X-Tensor-Dtype, X-Tensor-Layout, X-Tensor-Shape, traceparent");
        } else {
            check_no_cors(&answer);
        }
        live_answer_free(&answer);
    }
    struct live_answer answer = ask(&live, "GET", "/ppm", "");
    check_header(&answer, "Vary", "Origin"); /* so that caches keep origins apart */
    check_no_cors(&answer);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_access, a_preflight_is_answered_before_keys_are_asked_for)
{
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--cors-origins", "https://a.example",
                    "--keys-file", keys),
               NULL);
    struct live_answer answer =
        ask(&live, "OPTIONS", "/ppm",
            PREFLIGHT
            "Access-Control-Request-Headers: authorization, content-type, x-tensor-shape\r\n");
    cr_assert(answer.status == 204 && answer.body_bytes == 0, "%d", answer.status);
    check_header(&answer, "Content-Length", "");
    check_header(&answer, "Access-Control-Allow-Origin", "https://a.example");
    check_header(&answer, "Access-Control-Allow-Methods", "POST, PUT, GET, HEAD");
    check_header(&answer, "Access-Control-Allow-Headers",
                 "Accept, Authorization, Content-Encoding, Content-Type, "
                 "Inference-Header-Content-Length, X-Api-Key, X-Request-Id, "
                 "X-Request-Timeout-Ms, X-Tensor-Dtype, X-Tensor-Layout, X-Tensor-Shape, "
                 "traceparent");
    check_header(&answer, "Access-Control-Max-Age", "3600");
    check_header(&answer, "Vary", "Origin");
    live_answer_free(&answer);

    answer = ask(&live, "POST", "/ppm", ORIGIN); /* the page must see why */
    live_check_problem(&answer, 401, "key", "no key");
    check_header(&answer, "Access-Control-Allow-Origin", "https://a.example");
    live_answer_free(&answer);

    static const char *const others[][2] = {
        {"/ppm", "Origin: https://b.example\r\nAccess-Control-Request-Method: POST\r\n"},
        {"/ppm", "Access-Control-Request-Method: POST\r\n"},
        {"/ppm", ORIGIN},
        {"/nowhere", PREFLIGHT},
    };
    for (size_t i = 0; i < COUNT(others); i++)
        cr_assert(status_of(&live, "OPTIONS", others[i][0], others[i][1]) == 401, "%zu", i);
    live_stop(&live);
}

Test(live_access, a_star_lets_pages_of_any_origin_ask)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--cors-origins", "*"), NULL);
    struct live_answer answer = ask(&live, "GET", "/ppm", ORIGIN);
    check_header(&answer, "Access-Control-Allow-Origin", "*");
    check_header(&answer, "Vary", "");
    live_answer_free(&answer);
    answer = ask(&live, "OPTIONS", "/healthz", PREFLIGHT);
    cr_assert(answer.status == 204);
    check_header(&answer, "Access-Control-Allow-Methods", "GET, HEAD");
    live_answer_free(&answer);
    answer = ask(&live, "GET", "/ppm", "");
    check_no_cors(&answer);
    live_answer_free(&answer);
    live_stop(&live);
}

/* ---- a unix socket ---- */

static void check_mode(const char *flag, const char *text, mode_t umask_bits, mode_t expected)
{
    char host[64];
    struct live live;
    struct stat status;
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    umask(umask_bits);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--host", host, flag, text), NULL);
    umask(022);
    cr_assert(stat(live.socket_path, &status) == 0 && S_ISSOCK(status.st_mode));
    cr_assert((status.st_mode & 0777) == expected, "%s %s: %o", flag, text, status.st_mode & 0777);
    live_check_serving(&live, "a mode");
    live_stop(&live);
}

Test(live_access, a_unix_socket_has_the_mode_that_is_configured)
{
    check_mode(NULL, NULL, 0, 0600);
    check_mode("--socket-mode", "0660", 077, 0660);
    check_mode("--socket-mode", "777", 022, 0777);
}

/* test_live_origin.c - what a browser may do for a page of another origin, and which host names
 * the server accepts. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(live_origin, .timeout = 300);

/* Sends head and body unchanged; returns the status, and the detail in *ret unless that is NULL. */
static struct live_answer exchange(const struct live *live, const char *method, const char *target,
                                   const char *headers, const char *body)
{
    struct live_answer answer;
    int connection = live_connect(live);
    live_print(connection, "%s %s HTTP/1.1\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
               method, target, headers, strlen(body), body);
    cr_assert(live_receive(connection, false, &answer), "%s %s %s", method, target, headers);
    close(connection);
    return answer;
}

static int status_of(const struct live *live, const char *method, const char *target,
                     const char *headers, const char *body)
{
    struct live_answer answer = exchange(live, method, target, headers, body);
    const int status = answer.status;
    live_answer_free(&answer);
    return status;
}

#define HOST "Host: localhost\r\n"
#define EVIL HOST "Origin: https://evil.example\r\n"

/* ---- pages of other origins ---- */

Test(live_origin, a_page_of_another_origin_changes_and_computes_nothing)
{
    static const char *const orders[] = {
        "/ppm",
        "/ppm/" LISTING1,
        "/v2/models/" LISTING1 "/infer",
        "/v2/repository/index",
        "/v2/repository/models/" LISTING1 "/load",
        "/v2/repository/models/" LISTING1 "/unload",
        "/v2/systemsharedmemory/region/r/register",
        "/v2/systemsharedmemory/region/r/unregister",
        "/v2/systemsharedmemory/unregister",
        "/nowhere",
    };
    static const char *const pages[] = {
        EVIL "Content-Type: text/plain;charset=UTF-8\r\nSec-Fetch-Site: cross-site\r\n",
        EVIL "Content-Type: application/json\r\n",
        EVIL,
        HOST "Origin: null\r\n",
        HOST "Origin: \r\n",
        HOST "Origin: http://localhost.evil.example\r\n",
        HOST "Origin: http://localhost:1\r\n",
        HOST "Origin: http://localhost@evil.example\r\n",
        HOST "Origin: file://localhost\r\n",
        HOST "Sec-Fetch-Site: cross-site\r\n",
        HOST "Sec-Fetch-Site: same-site\r\n",
        HOST "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
    };
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_MODEL, "--allow-model-control", "--allow-shared-memory"),
               NULL);
    for (size_t i = 0; i < COUNT(orders); i++)
        for (size_t k = 0; k < COUNT(pages); k++)
            cr_assert(status_of(&live, "POST", orders[i], pages[k], "{}") == 403, "%s %s",
                      orders[i], pages[k]);
    cr_assert(status_of(&live, "GET", "/v2/models/" LISTING1 "/ready", HOST, "") == 200);
    struct live_answer answer = exchange(&live, "POST", "/ppm", EVIL, "{}");
    live_check_problem(&answer, 403, "\"https://evil.example\", expected a page of this server",
                       "evil");
    live_answer_free(&answer);
    cr_assert(live_metric(&live, "ppm_rejected_total{reason=\"foreign\"}") ==
              COUNT(orders) * COUNT(pages) + 1);
    live_stop(&live);
}

/* If the refusal waited for the body, the body would be read and stored. */
Test(live_origin, it_is_refused_before_the_body)
{
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    int connection = live_connect(&live);
    live_print(connection, "POST /ppm HTTP/1.1\r\n" EVIL "Content-Length: 1000\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 403, "cors_origins", "no body");
    live_answer_free(&answer);
    close(connection);
    live_stop(&live);
}

Test(live_origin, a_page_may_still_be_shown_what_is_only_read)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    struct live_answer answer = exchange(&live, "GET", "/ppm", EVIL, "");
    cr_assert(answer.status == 200 && !strstr(answer.head, "Access-Control-"), "%s", answer.head);
    live_answer_free(&answer);
    live_stop(&live);
}

/* Content-Type does not matter here: a 415 shows that the origin was accepted. */
Test(live_origin, the_servers_own_page_and_listed_ones_compute)
{
    static const char *const pages[] = {
        HOST "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n",
        HOST "Origin: https://localhost\r\n", /* a proxy terminates TLS */
        "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n",
        "Host: LOCALHOST:80\r\nOrigin: http://localhost\r\n",
        "Host: localhost.:8080\r\nOrigin: http://localhost.:8080\r\n",
        "Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:8080\r\n",
        "Host: app.localhost\r\nOrigin: https://app.localhost:443\r\n",
        HOST "Origin: https://a.example\r\nSec-Fetch-Site: cross-site\r\n",
        HOST "Sec-Fetch-Site: same-origin\r\n",
        HOST "Sec-Fetch-Site: none\r\n",
        HOST,
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--cors-origins", "https://a.example"), NULL);
    for (size_t i = 0; i < COUNT(pages); i++)
        cr_assert(status_of(&live, "POST", "/ppm", pages[i], "{}") == 415, "%s", pages[i]);
    live_stop(&live);
}

/* ---- names ---- */

static void check_names(const struct live *live, const char *const *names, int status)
{
    for (; *names; names++) {
        char header[128];
        snprintf(header, sizeof header, "Host: %s\r\n", *names);
        const int found = status_of(live, "GET", "/ppm", header, "");
        cr_assert(found == status, "%s: %d", *names, found);
    }
}

Test(live_origin, on_a_loopback_address_only_this_machines_names_are_answered)
{
    char machine[300] = "";
    struct live live;
    gethostname(machine, sizeof machine - 1);
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    check_names(&live,
                LIST("localhost", "LocalHost:8080", "localhost.", "localhost.:8080", "127.0.0.1",
                     "127.0.0.1:1", "app.localhost", "a.b.localhost:80", machine, ""),
                200);
    check_names(&live,
                LIST("rebound.evil.example:8080", "evil.example", "localhost.evil.example",
                     "evillocalhost", "127.0.0.1.evil.example", "192.0.2.1", "127.0.0.2", "[::1]",
                     "0.0.0.0", "a"),
                421);
    check_names(&live, LIST("localhost:x", "[::1", "local host", "localhost:80:80"), 400);
    static const char *const targets[] = {"/healthz", "/readyz", "/metrics", "/", "/v2"};
    for (size_t i = 0; i < COUNT(targets); i++)
        cr_assert(status_of(&live, "GET", targets[i], "Host: evil.example\r\n", "") == 421, "%s",
                  targets[i]);
    struct live_answer answer = exchange(&live, "GET", "/ppm", "Host: evil.example\r\n", "");
    live_check_problem(&answer, 421, "allowed_hosts", "evil");
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_origin, allowed_hosts_names_others)
{
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_MODEL, "--allowed-hosts", "maps.example.org,*.example.net"),
               NULL);
    check_names(&live,
                LIST("maps.example.org", "Maps.Example.org.:443", "a.example.net",
                     "a.b.example.net", "localhost", "127.0.0.1"),
                200);
    check_names(&live,
                LIST("example.org", "xmaps.example.org", "example.net", "xexample.net", "evil"),
                421);
    live_stop(&live);
    live_start(&live, LIST("--model", LISTING1_MODEL, "--allowed-hosts", "*"), NULL);
    check_names(&live, LIST("evil.example", "[2001:db8::1]:80"), 200);
    live_stop(&live);
}

Test(live_origin, names_that_are_none_are_refused_at_the_start)
{
    static const char *const lists[] = {
        "https://a.example", "a.example:80", "a,,b", "a b", "*a", "*.", "[::1", "a,*"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct live_output output =
            live_run(LIST("serve", "--port", "0", "--allowed-hosts", lists[i]), NULL);
        cr_assert(output.status == 2 && strstr(output.err, "allowed_hosts: found "), "%s: %s",
                  lists[i], output.err);
        live_output_free(&output);
    }
}

/* A proxy on this machine decides which names it passes on. */
Test(live_origin, on_other_addresses_and_unix_sockets_any_name_is_answered)
{
    char directory[LIVE_PATH_BYTES], host[64];
    struct live live;
    live_directory_make(directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    live_start(&live, LIST("--model", LISTING1_MODEL, "--host", host), NULL);
    check_names(&live, LIST("maps.example.org", "localhost"), 200);
    live_stop(&live);
    live_directory_remove(directory);
}

/* ---- the target ---- */

Test(live_origin, a_whole_address_is_a_target_and_names_the_host)
{
    static const struct {
        const char *target, *headers;
        int status;
    } cases[] = {
        {"http://localhost/healthz", HOST, 200},
        {"HTTP://127.0.0.1:8080/ppm?shape=1,4,2,2", HOST, 200},
        {"https://localhost/healthz", HOST, 200},
        {"http://localhost/healthz", "Host: evil.example\r\n", 200}, /* RFC 9112 3.2.2 */
        {"http://localhost", HOST, 200},
        {"http://localhost?x=1", HOST, 200},
        {"http://evil.example/healthz", HOST, 421},
        {"http://user@localhost/healthz", HOST, 400},
        {"http:///healthz", HOST, 400},
        {"http://localhost/nowhere", HOST, 404},
        {"ftp://localhost/healthz", HOST, 404},
        {"/ppm/%6cisting1-pytorch-ppm", HOST, 200},
        {"/%70pm/listing1%2Dpytorch%2dppm", HOST, 200},
        {"http://localhost/%68ealthz", HOST, 200},
        {"/v2/models/%6Cisting1-pytorch-ppm/ready", HOST, 200},
        {"/ppm/..%2f", HOST, 404},
        {"/ppm/listing1-pytorch-ppm%00", HOST, 404},
        {"/ppm%2flisting1-pytorch-ppm", HOST, 404},
        {"/ppm/%6", HOST, 404},
        {"/ppm/%zz", HOST, 404},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int status = status_of(&live, "GET", cases[i].target, cases[i].headers, "");
        cr_assert(status == cases[i].status, "%s: %d", cases[i].target, status);
    }
    struct live_answer answer = exchange(&live, "GET", "http://localhost/v2/models/none", HOST, "");
    cr_assert(answer.status == 404 && strncmp(answer.body, "{\"error\":", 9) == 0, "%s",
              answer.body);
    live_answer_free(&answer);
    answer = exchange(&live, "OPTIONS", "*", HOST, "");
    char allow[LIVE_HEADER_BYTES];
    cr_assert(answer.status == 204, "%d", answer.status);
    cr_assert_str_eq(live_header(&answer, "Allow", allow), "GET, HEAD, POST, PUT");
    live_answer_free(&answer);
    live_stop(&live);
}

/* test_live_tls.c - HTTPS: the same responses, deadlines, drain and reload as HTTP. */
#include "tests/live_tls.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define GONE(stage) "ppm_cancelled_total{reason=\"client_gone\",stage=\"" stage "\"}"
#define LATE(stage) "ppm_cancelled_total{reason=\"deadline\",stage=\"" stage "\"}"

static char directory[LIVE_PATH_BYTES], certificate[64], key[64], config[64];

/* A folder with an identity in it. */
static void open_folder(void)
{
    live_directory_make(directory);
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", directory);
    snprintf(key, sizeof key, "%s/key.pem", directory);
    snprintf(config, sizeof config, "%s/server.json", directory);
    live_make_identity(certificate, key);
    chmod(key, 0600);
}

static void close_folder(void)
{
    live_directory_remove(directory);
}

TestSuite(live_tls, .init = open_folder, .fini = close_folder, .timeout = 300);

static void start(struct live *ret, const char *flag, const char *value)
{
    live_start(ret,
               LIST("--model", LISTING1_GOLDEN, "--tls-certificate", certificate, "--tls-key", key,
                    flag, value),
               NULL);
}

static struct live_answer ask(const struct live *live, const char *method, const char *target)
{
    return live_tls_ask(live, certificate, method, target, "", NULL, 0);
}

static void check_serving(const struct live *live, const char *what)
{
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    struct live_answer answer =
        live_tls_ask(live, certificate, "POST", "/ppm", "Content-Type: application/x-npy\r\n",
                     x.file, x.file_bytes);
    struct live_result result = live_read_answer(&answer, what);
    live_check_result(&result, &y, "NCHW", what);
    free(result.values);
    live_answer_free(&answer);
    live_tensor_free(&x);
    live_tensor_free(&y);
}

static double metric(const struct live *live, const char *sample)
{
    struct live_answer answer = ask(live, "GET", "/metrics");
    const double value = live_sample(&answer, sample);
    live_answer_free(&answer);
    return value;
}

static void wait_metric(const struct live *live, const char *sample, double value)
{
    for (int waited = 0; metric(live, sample) != value; waited += 10) {
        cr_assert(waited < LIVE_WAIT_MS, "%s is not %g", sample, value);
        live_sleep_ms(10);
    }
}

/* ---- serving ---- */

Test(live_tls, answers_are_those_of_plain_http)
{
    char value[LIVE_HEADER_BYTES];
    struct live live;
    start(&live, "--http-threads", "2");
    live_wait_log(&live, "listening on https://127.0.0.1:");
    for (int i = 0; i < 5; i++)
        check_serving(&live, "TLS");
    struct live_answer answer = ask(&live, "GET", "/nowhere");
    live_check_problem(&answer, 404, "POST /ppm", "TLS");
    cr_assert(*live_header(&answer, "Server-Timing", value));
    live_answer_free(&answer);
    live_wait_log(&live, "client=127.0.0.1:");
    live_stop(&live);
}

Test(live_tls, large_bodies_and_answers_pass)
{
    enum { SIDE = 1000 };
    static const char model[] = "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], "
                                "\"weights\": {\"random\": 1}}";
    char path[64];
    struct live live;
    const size_t bytes = 4 * SIDE * SIDE * sizeof(float);
    float *x = malloc(bytes);
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        x[i] = (float)(i % 1000);
    snprintf(path, sizeof path, "%s/large.json", directory);
    live_write_file(path, model);
    start(&live, "--model", path);
    struct live_answer answer =
        live_tls_ask(&live, certificate, "POST", "/ppm/large?shape=1,4,1000,1000",
                     "Content-Type: application/octet-stream\r\n", x, bytes);
    cr_assert(answer.status == 200 && answer.body_bytes == 2 * bytes, "%d, %zu bytes",
              answer.status, answer.body_bytes);
    cr_assert_arr_eq(answer.body, x, bytes); /* x comes first, and then the mean */
    live_answer_free(&answer);
    free(x);
    live_stop(&live);
}

Test(live_tls, old_versions_and_plain_http_are_turned_away)
{
    struct live live;
    struct live_tls tls;
    struct live_answer answer;
    start(&live, NULL, NULL);
    cr_assert(!live_tls_open(&tls, &live, certificate, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"));
    int connection = live_connect(&live);
    live_print(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(!live_receive(connection, false, &answer), "TLS can be left out");
    close(connection);
    cr_assert(live_tls_open(&tls, &live, certificate, "NORMAL:-VERS-ALL:+VERS-TLS1.2"));
    live_tls_close(&tls);
    check_serving(&live, "strange clients");
    live_stop(&live);
}

Test(live_tls, health_asks_by_tls)
{
    char port[8];
    struct live live;
    start(&live, NULL, NULL);
    snprintf(port, sizeof port, "%u", live.port);
    struct live_output good =
        live_run(LIST("health", "--port", port, "--tls-certificate", certificate), NULL);
    cr_assert(good.status == 0, "%s", good.err);
    struct live_output plain = live_run(LIST("health", "--port", port), NULL);
    cr_assert(plain.status == 1 && strstr(plain.err, "; a server with TLS needs --tls-certificate"),
              "%d %s", plain.status, plain.err);
    live_output_free(&good);
    live_output_free(&plain);
    live_stop(&live);

    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    snprintf(port, sizeof port, "%u", live.port);
    plain = live_run(LIST("health", "--port", port, "--tls-certificate", certificate), NULL);
    cr_assert(plain.status == 1 && strstr(plain.err, "for a server without TLS, leave out --tls-"),
              "%d %s", plain.status, plain.err);
    live_output_free(&plain);
    live_stop(&live);
}

/* ---- configuration ---- */

Test(live_tls, what_is_half_or_wrong_is_refused_with_a_sentence)
{
    char other[64], other_key[64], garbage[64];
    snprintf(other, sizeof other, "%s/other.pem", directory);
    snprintf(other_key, sizeof other_key, "%s/other-key.pem", directory);
    snprintf(garbage, sizeof garbage, "%s/garbage.pem", directory);
    live_make_identity(other, other_key);
    live_write_file(garbage, "-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n");
    const struct {
        const char *certificate, *key, *said, *told;
    } cases[] = {
        {certificate, "", "tls_key: found nothing although tls_certificate is set",
         "expected both"},
        {"", key, "tls_certificate: found nothing although tls_key is set", "expected both"},
        {"/nowhere.pem", key, "tls_certificate: /nowhere.pem", "No such file"},
        {certificate, "/nowhere.pem", "tls_key: /nowhere.pem", "No such file"},
        {directory, key, "tls_certificate", "found a directory, expected a regular file"},
        {certificate, "/dev/zero", "tls_key: /dev/zero", "found a device, expected a regular file"},
        {garbage, key, "tls_certificate", "garbage.pem"},
        {key, key, "tls_certificate", "key.pem"},
        {certificate, certificate, "tls_key", "certificate.pem"},
        {certificate, other_key, "tls_key", "not the key of"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int check_only = 0; check_only < 2; check_only++) {
            struct live_output output =
                live_run(LIST("serve", "--port", "0", "--model", LISTING1_GOLDEN,
                              "--tls-certificate", cases[i].certificate, "--tls-key", cases[i].key,
                              check_only ? "--check-config" : NULL),
                         NULL);
            cr_assert(output.status == 2, "case %zu: %d %s", i, output.status, output.err);
            cr_assert(strstr(output.err, cases[i].said) && strstr(output.err, cases[i].told),
                      "case %zu: %s", i, output.err);
            cr_assert(strchr(output.err, '\n') == output.err + strlen(output.err) - 1, "%s",
                      output.err);
            live_output_free(&output);
        }
    }
}

Test(live_tls, a_key_that_everyone_may_read_is_warned_of)
{
    struct live live;
    chmod(key, 0644);
    start(&live, NULL, NULL);
    live_wait_log(&live, " warn  tls_key: ");
    live_stop(&live);
    chmod(key, 0600);
    start(&live, NULL, NULL);
    check_serving(&live, "a key of our own");
    char *log = live_log(&live);
    cr_assert(strstr(log, " warn ") == NULL, "%s", log);
    free(log);
    live_stop(&live);
}

/* Relative to the file. */
static void write_config(const char *members)
{
    char here[512], text[1024];
    cr_assert(getcwd(here, sizeof here) != NULL);
    snprintf(text, sizeof text, "{%s\"models\": [\"%s/" LISTING1_GOLDEN "\"]}", members, here);
    live_write_file(config, text);
}

Test(live_tls, a_reload_takes_up_a_new_certificate_or_keeps_the_old_one)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char copy[64], old[64];
    struct live live;
    struct live_tls before, after;
    write_config("\"tls_certificate\": \"certificate.pem\", \"tls_key\": \"key.pem\", ");
    live_start(&live, LIST("--config", config), NULL);
    cr_assert(live_tls_open(&before, &live, certificate, NULL));
    snprintf(old, sizeof old, "%s/old.pem", directory);
    snprintf(copy, sizeof copy, "%s/new-key.pem", directory);
    cr_assert(rename(certificate, old) == 0);
    live_make_identity(certificate, copy);
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "not reloaded, still serving the old models: tls_key: ");
    cr_assert(live_tls_open(&after, &live, old, NULL), "the old certificate is gone");
    live_tls_close(&after);

    cr_assert(rename(copy, key) == 0);
    kill(live.pid, SIGHUP);
    live_wait_log(&live, " reloaded: 1 model, ");
    check_serving(&live, "the new certificate");
    cr_assert(!live_tls_open(&after, &live, old, NULL), "the old certificate is still there");
    live_tls_send(&before, request, sizeof request - 1);
    char answer[16] = "";
    cr_assert(gnutls_record_recv(before.session, answer, 12) == 12);
    cr_assert_str_eq(answer, "HTTP/1.1 200");
    live_tls_close(&before);

    write_config("");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "turning TLS on or off needs a restart");
    check_serving(&live, "a configuration without TLS");
    live_stop(&live);
}

/* ---- timeouts ---- */

Test(live_tls, clients_that_take_too_long_are_cut_off)
{
    static const char *const beginnings[] = {
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
        "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
        "Content-Length: 1728\r\n\r\nx"};
    struct live live;
    start(&live, "--request-timeout-ms", "300");
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        struct live_tls tls;
        char byte;
        cr_assert(live_tls_open(&tls, &live, certificate, NULL));
        live_tls_send(&tls, beginnings[i], strlen(beginnings[i]));
        ssize_t got;
        do
            got = gnutls_record_recv(tls.session, &byte, 1);
        while (got < 0 && got != GNUTLS_E_TIMEDOUT && !gnutls_error_is_fatal((int)got));
        cr_assert(got == 0 || got == GNUTLS_E_PREMATURE_TERMINATION || got == GNUTLS_E_PULL_ERROR,
                  "%zu: %s", i, gnutls_strerror((int)got));
        live_tls_close(&tls);
    }
    wait_metric(&live, LATE("head"), 1);
    wait_metric(&live, LATE("body"), 1);
    live_stop(&live);
}

/* Everything the server sends before it closes. */
static void check_is_let_go(int connection)
{
    struct pollfd poll_for = {.fd = connection, .events = POLLIN};
    char bytes[64];
    do
        cr_assert(poll(&poll_for, 1, LIVE_WAIT_MS) == 1, "it may stay for ever");
    while (recv(connection, bytes, sizeof bytes, 0) > 0);
    close(connection);
}

/* Neither silence nor half a handshake keeps a connection open. */
Test(live_tls, a_handshake_that_does_not_end_is_cut_off)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--tls-certificate", certificate, "--tls-key", key,
                    "--request-timeout-ms", "300", "--idle-timeout-s", "1"),
               NULL);
    int silent = live_connect(&live), half = live_connect(&live);
    live_send(half, hello, sizeof hello - 1);
    check_is_let_go(silent);
    check_is_let_go(half);
    check_serving(&live, "clients that did not shake hands");
    live_stop(&live);
}

/* A close_notify is unread bytes while the request is computed. */
Test(live_tls, the_work_of_a_client_that_is_gone_is_dropped)
{
    static const char model[] =
        "{\"name\": \"slow\", \"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], "
        "\"head\": [{\"conv\": {\"channels\": 512, \"kernel\": 3}}, {\"conv\": {\"channels\": 512, "
        "\"kernel\": 3, \"weights\": \"b\"}}, {\"conv\": {\"channels\": 512, \"kernel\": 3, "
        "\"weights\": \"c\"}}, {\"conv\": {\"channels\": 1, \"weights\": \"d\"}}], "
        "\"weights\": {\"random\": 1}}";
    enum { BYTES = 1024 * 4 * 16 * 16 * 4 };
    char path[64];
    struct live live;
    struct live_tls tls;
    char *zeros = calloc(1, BYTES);
    snprintf(path, sizeof path, "%s/slow.json", directory);
    live_write_file(path, model);
    start(&live, "--model", path);
    cr_assert(live_tls_open(&tls, &live, certificate, NULL));
    char head[256];
    snprintf(head, sizeof head,
             "POST /ppm/slow?shape=1024,4,16,16 HTTP/1.1\r\nHost: localhost\r\n"
             "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
             BYTES);
    live_tls_send(&tls, head, strlen(head));
    live_tls_send(&tls, zeros, BYTES);
    wait_metric(&live, "ppm_batch_size_count{model=\"slow\"}", 1); /* it is computed */
    live_tls_close(&tls);
    wait_metric(&live, "ppm_requests_in_flight", 1);
    cr_assert(metric(&live, GONE("queue")) + metric(&live, GONE("compute")) == 1,
              "it was computed to its end");
    wait_metric(&live, "ppm_bytes_in_flight", 0);
    free(zeros);
    live_stop(&live);
}

Test(live_tls, a_drain_does_not_wait_for_idle_connections)
{
    struct live live;
    struct live_tls idle;
    start(&live, NULL, NULL);
    int silent = live_connect(&live);
    cr_assert(live_tls_open(&idle, &live, certificate, NULL));
    live_stop(&live); /* idle_timeout_s is 60, and live_stop waits for less */
    cr_assert(live_is_closed(silent));
    live_tls_close(&idle);
    close(silent);
}

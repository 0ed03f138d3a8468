/* test_live_doors.c - which connections are accepted and which are closed: crowds, silence, drains.
 */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POST_NPY "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
#define HALF     "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

TestSuite(live_doors, .timeout = 300);

/* ---- clients that leave ---- */

/* An unread byte comes before the end of the connection; it is the server's count-th request. */
static void leave_behind_a_byte(const struct live *live, int count, bool resets)
{
    const struct linger at_once = {.l_onoff = 1};
    int connection = live_slow_send(live, 2048, "");
    live_print(connection, "x");
    live_wait_metric(live, "ppm_batch_size_count{model=\"slow\"}", count); /* it is computed */
    if (resets)
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(connection);
}

Test(live_doors, a_client_that_left_behind_a_byte_is_noticed)
{
    struct live live;
    live_slow_start(&live, LIST("--threads", "2", "--compute-timeout-ms", "20000"));
    for (int i = 0; i < 2; i++) {
        leave_behind_a_byte(&live, i + 1, i == 1);
        live_wait_metric(&live, "ppm_requests_in_flight", 1); /* the request for the metrics */
    }
    struct live_answer metrics = live_ask(&live, "GET", "/metrics", "", NULL, 0);
    cr_assert(live_sample(&metrics, GONE("compute")) == 2, "%s",
              strstr(metrics.body, "ppm_cancelled"));
    live_answer_free(&metrics);
    live_slow_stop(&live);
}

/* ---- silence ---- */

Test(live_doors, idle_time_cuts_nothing_that_has_a_deadline_of_its_own)
{
    struct live live;
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--idle-timeout-s", "1"), NULL);
    int idle = live_connect(&live), head = live_connect(&live), body = live_connect(&live);
    live_print(head, HALF);
    live_print(body, POST_NPY "Content-Length: %zu\r\n\r\n", x.file_bytes);
    live_send(body, x.file, 100);
    live_sleep_ms(1600);
    cr_assert(live_is_answered(idle) && live_is_closed(idle), "an idle connection ends");
    live_print(head, "\r\n");
    live_send(body, x.file + 100, x.file_bytes - 100);
    cr_assert(live_receive(head, false, &answer) && answer.status == 200, "a head goes on");
    live_answer_free(&answer);
    cr_assert(live_receive(body, false, &answer) && answer.status == 200, "a body goes on");
    live_answer_free(&answer);
    live_tensor_free(&x);
    close(idle);
    close(head);
    close(body);
    live_stop(&live);
}

/* 8 x 1200 x 1200 values for 16 bytes: more than socket buffers hold. */
Test(live_doors, a_reader_may_pause)
{
    struct live live;
    struct live_answer answer;
    int connection = live_large_start(&live, "--idle-timeout-s", "1");
    live_sleep_ms(1600);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    cr_assert(answer.body_bytes == sizeof(float) * 8 * 1200 * 1200, "%zu", answer.body_bytes);
    live_answer_free(&answer);
    close(connection);
    live_slow_stop(&live);
}

/* A timeout's response has the usual headers: id, trace, timing. */
Test(live_doors, a_late_body_is_told_about_itself)
{
    static const char trace_id[] = "0af7651916cd43dd8448eb211c80319c";
    char value[LIVE_HEADER_BYTES];
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm/" LISTING1 "?layout=NCHW HTTP/1.1\r\nHost: localhost\r\n"
               "Content-Type: application/json\r\nContent-Length: 100\r\nX-Request-Id: mine\r\n"
               "X-Request-Timeout-Ms: 1\r\ntraceparent: 00-%s-b7ad6b7169203331-01\r\n\r\n",
               trace_id);
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 408, "1 ms (X-Request-Timeout-Ms)", "late");
    cr_assert(strstr(answer.body, "\"instance\":\"/ppm/" LISTING1 "?layout=NCHW\""), "%s",
              answer.body);
    cr_assert_str_eq(live_header(&answer, "X-Request-Id", value), "mine");
    cr_assert(strstr(live_header(&answer, "traceparent", value), trace_id), "%s", value);
    cr_assert(strstr(live_header(&answer, "Date", value), " GMT"), "%s", value);
    live_answer_free(&answer);
    close(connection);
    live_stop(&live);
}

/* ---- crowds ---- */

enum { PLACES = 4, SPARE = 16, CROWD = 2 * (PLACES + SPARE) };

static void check_health(const struct live *live, const char *what)
{
    static const char *const targets[] = {"/healthz", "/readyz", "/metrics", "/v2/health/live"};
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct live_answer answer = live_ask(live, "GET", targets[i], "", NULL, 0);
        cr_assert(answer.status == 200, "%s: %s: %d", what, targets[i], answer.status);
        live_answer_free(&answer);
    }
}

/* Connections that send this text and no more. */
static void check_crowd(const char *said, const char *what)
{
    int crowd[CROWD];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--connections-max", "4"), NULL);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = live_connect(&live);
        live_send(crowd[i], said, strlen(said));
    }
    check_health(&live, what);
    for (int waited = 0, status = 0; status != 200;
         waited += 20) { /* all have been silent by then */
        cr_assert(waited < LIVE_WAIT_MS, "after %s: %d", what, status);
        struct live_answer answer = live_ask(&live, "GET", "/ppm", "", NULL, 0);
        status = answer.status;
        live_answer_free(&answer);
        live_sleep_ms(20);
    }
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
    live_stop(&live);
}

Test(live_doors, silent_connections_make_room)
{
    check_crowd("", "silence");
    check_crowd("GET /heal", "half a line");
    check_crowd(HALF, "half a head");
    check_crowd(HALF "\r\n", "idle between requests");
}

Test(live_doors, health_has_places_of_its_own)
{
    int busy[PLACES];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--connections-max", "4"), NULL);
    for (int i = 0; i < PLACES; i++) {
        busy[i] = live_connect(&live);
        live_print(busy[i], POST_NPY "Content-Length: 1000\r\n\r\n\x93NUMPY");
    }
    live_wait_metric(&live, "ppm_requests_in_flight", PLACES + 1);
    check_health(&live, "all places are taken");
    struct live_answer answer = live_ask(&live, "GET", "/ppm", "", NULL, 0);
    live_check_problem(&answer, 503, "4 connections are busy (connections_max)", "another");
    live_answer_free(&answer);
    cr_assert(live_metric(&live, "ppm_rejected_total{reason=\"connections\"}") == 1);
    for (int i = 0; i < PLACES; i++)
        close(busy[i]);
    live_wait_metric(&live, "ppm_requests_in_flight", 1);
    live_check_serving(&live, "they are gone");
    live_stop(&live);
}

Test(live_doors, an_address_may_have_so_many)
{
    enum { LIMIT = 3 };
    int connections[LIMIT];
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--connections-per-address-max", "3"), NULL);
    for (int i = 0; i < LIMIT; i++) {
        connections[i] = live_connect(&live);
        live_print(connections[i], HALF "\r\n");
        cr_assert(live_receive(connections[i], false, &answer) && answer.status == 200);
        live_answer_free(&answer);
    }
    int another = live_connect(&live);
    cr_assert(another < 0 || live_is_closed(another));
    close(another);
    for (int i = 0; i < LIMIT; i++)
        close(connections[i]);
    live_sleep_ms(100);
    live_check_serving(&live, "they are gone");
    live_stop(&live);
}

/* ---- the end ---- */

/* Starts a server, sends it the beginning of a body, and asks it to stop. Returns the connection.
 */
static int stop_within_a_body(struct live *live)
{
    live_start(live, LIST("--model", LISTING1_GOLDEN), NULL);
    const int connection = live_connect(live);
    live_print(connection, POST_NPY "Content-Length: 1000\r\n\r\n\x93NUMPY");
    live_wait_metric(live, "ppm_requests_in_flight", 2);
    kill(live->pid, SIGTERM);
    return connection;
}

static void check_stopped(struct live *live, int connection)
{
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 408, "while the server is stopping", "a body");
    live_answer_free(&answer);
    close(connection);
    cr_assert(live_wait(live) == 0);
}

Test(live_doors, a_body_that_never_comes_holds_no_drain)
{
    struct live live;
    const int connection = stop_within_a_body(&live);
    check_stopped(&live, connection);
}

/* A body that would take minutes does not delay it either: a byte now and then is not arriving. */
Test(live_doors, a_body_that_trickles_holds_no_drain)
{
    struct live live;
    const int connection = stop_within_a_body(&live);
    struct pollfd poll_for = {.fd = connection, .events = POLLIN};
    for (int sent = 6; sent < 1000 && poll(&poll_for, 1, 20) == 0; sent++)
        live_print(connection, " ");
    check_stopped(&live, connection);
}

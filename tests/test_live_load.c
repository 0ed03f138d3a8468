/* test_live_load.c - during a long computation: overload, deadlines, drain. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(live_load, health_and_metrics_answer_while_something_is_computed)
{
    static const char *const targets[] = {"/healthz", "/readyz", "/metrics", "/ppm?shape=1,4,9,9"};
    struct live live;
    bool were_answered_meanwhile = false;
    live_slow_start(&live, LIST("--queue-max", "8"));
    for (size_t images = live_slow_images(&live, 200); !were_answered_meanwhile; images *= 2) {
        struct live_answer answer;
        cr_assert(images <= 4096, "health waits for what is computed");
        int connection = live_slow_send(&live, images, "");
        for (size_t i = 0; i < COUNT(targets); i++) {
            answer = live_ask(&live, "GET", targets[i], "", NULL, 0);
            cr_assert(answer.status == 200, "%s", targets[i]);
            live_answer_free(&answer);
        }
        were_answered_meanwhile = !live_is_answered(connection);
        cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
        live_answer_free(&answer);
        close(connection);
    }
    live_slow_stop(&live);
}

Test(live_load, a_full_queue_is_503_with_retry_after)
{
    enum { CLIENTS = 10 };
    int connections[CLIENTS], refused = 0;
    struct live live;
    live_slow_start(&live, LIST("--queue-max", "1"));
    const size_t images = live_slow_images(&live, 300);
    for (int i = 0; i < CLIENTS; i++)
        connections[i] = live_slow_send(&live, images, "");
    for (int i = 0; i < CLIENTS; i++) {
        struct live_answer answer;
        cr_assert(live_receive(connections[i], false, &answer));
        if (answer.status == 503)
            live_check_problem(&answer, 503, "queue_max", "queue");
        else
            cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
        refused += answer.status == 503 ? 1 : 0;
        live_answer_free(&answer);
        close(connections[i]);
    }
    cr_assert(refused > 0 && refused < CLIENTS, "%d of %d were refused", refused, CLIENTS);
    live_wait_metric(&live, "ppm_rejected_total{reason=\"queue_full\"}", refused);
    live_check_serving(&live, "an overload");
    live_slow_stop(&live);
}

/* A place in the queue is for a request whose body is complete. */
Test(live_load, heads_without_bodies_take_no_place)
{
    enum { HEADS = 8 };
    int connections[HEADS];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--queue-max", "2"), NULL);
    for (int i = 0; i < HEADS; i++) {
        connections[i] = live_connect(&live);
        live_print(connections[i],
                   "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
                   "Content-Length: 100000\r\n\r\n",
                   live_types[i % FORM_COUNT == RAW ? NPY : i % FORM_COUNT]);
    }
    live_wait_metric(&live, "ppm_requests_in_flight", HEADS + 1);
    for (int i = 0; i < 20; i++)
        live_check_serving(&live, "heads without bodies");
    cr_assert(live_metric(&live, "ppm_rejected_total{reason=\"queue_full\"}") == 0);
    for (int i = 0; i < HEADS; i++)
        close(connections[i]);
    live_wait_metric(&live, "ppm_requests_in_flight", 1);
    live_stop(&live);
}

Test(live_load, what_takes_too_long_is_504)
{
    struct live live;
    struct live_answer answer;
    live_slow_start(&live, LIST("--request-timeout-ms", "500"));
    int connections[2];
    for (int i = 0; i < 2; i++) /* one computes, one waits */
        connections[i] = live_slow_send(&live, 512, "");
    for (int i = 0; i < 2; i++) {
        cr_assert(live_receive(connections[i], false, &answer));
        live_check_problem(&answer, 504, "500", "deadline");
        live_answer_free(&answer);
        close(connections[i]);
    }
    live_check_serving(&live, "a deadline");
    cr_assert(live_metric(&live, LATE("queue")) + live_metric(&live, LATE("compute")) == 2);
    live_slow_stop(&live);
}

/* A computation is abandoned when its client is gone; it would take minutes. */
Test(live_load, the_work_of_a_client_that_is_gone_is_dropped)
{
    struct live live;
    live_slow_start(&live, LIST("--queue-max", "8"));
    for (int i = 0; i < 8; i++)
        close(live_slow_send(&live, 2048, ""));
    live_wait_metric(&live, "ppm_requests_in_flight", 1);
    live_check_serving(&live, "clients that are gone");
    const double queued = live_metric(&live, GONE("queue")),
                 begun = live_metric(&live, GONE("compute"));
    cr_assert(queued + begun == 8, "%g while waiting, %g later", queued, begun);
    cr_assert(live_metric(&live, GONE("answer")) == 0, "counted twice");
    live_slow_stop(&live);
}

/* ---- the end ---- */

Test(live_load, a_drain_finishes_what_was_accepted)
{
    struct live live;
    struct live_answer answer;
    live_slow_start(&live, LIST("--drain-delay-ms", "300"));
    int connection = live_slow_send(&live, live_slow_images(&live, 500), "");
    kill(live.pid, SIGTERM);
    live_wait_log(&live, "stopping");
    int probe = live_connect(&live); /* refused, or told to use another server */
    if (probe >= 0 && live_print(probe, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n") &&
        live_receive(probe, false, &answer)) {
        live_check_problem(&answer, 503, "stopping", "readyz");
        live_answer_free(&answer);
    }
    close(probe);
    cr_assert(live_receive(connection, false, &answer), "lost in the drain");
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    live_answer_free(&answer);
    close(connection);
    cr_assert(live_wait(&live) == 0);
    cr_assert(live_connect(&live) < 0);
    live_slow_forget();
}

Test(live_load, a_drain_does_not_wait_for_idle_connections)
{
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    int idle = live_connect(&live), silent = live_connect(&live);
    live_print(idle, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(live_receive(idle, false, &answer));
    live_answer_free(&answer);
    live_stop(&live); /* idle_timeout_s is 60, and live_stop waits for less */
    cr_assert(live_is_closed(idle) && live_is_closed(silent));
    close(idle);
    close(silent);
}

/* A body that never comes delays the drain; a second signal ends the server anyway. */
static void check_second_signal(const char *drain_delay_ms)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--drain-delay-ms", drain_delay_ms), NULL);
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
               "Content-Length: 1000\r\n\r\nabc");
    for (int in_flight = 0; in_flight < 2;) {
        struct live_answer answer = live_ask(&live, "GET", "/metrics", "", NULL, 0);
        const char *at = strstr(answer.body, "\nppm_requests_in_flight ");
        cr_assert(at && sscanf(at, "\nppm_requests_in_flight %d", &in_flight) == 1);
        live_answer_free(&answer);
    }
    kill(live.pid, SIGTERM);
    live_wait_log(&live, "stopping");
    live_sleep_ms(200); /* a sooner one counts as the same signal */
    kill(live.pid, SIGTERM);
    const int status = live_wait(&live);
    cr_assert(status == 1, "exit status %d", status);
    live_wait_log(&live, "second signal");
    close(connection);
}

/* As timeout(1) does: to the process and to its group. */
Test(live_load, a_signal_that_comes_twice_is_one)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--drain-delay-ms", "300"), NULL);
    kill(live.pid, SIGTERM);
    live_wait_log(&live, "stopping");
    kill(live.pid, SIGTERM);
    const int status = live_wait(&live);
    cr_assert(status == 0, "exit status %d", status);
}

Test(live_load, a_second_signal_ends_a_drain_at_once)
{
    check_second_signal("0");
    check_second_signal("500000");
}

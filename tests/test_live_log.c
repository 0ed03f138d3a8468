/* test_live_log.c - the log line of each request, as text and as JSON, and its trace. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

/* The record of the request with that id, once it is written. */
static json_t *wait_record(const struct live *live, const char *id)
{
    char member[160];
    snprintf(member, sizeof member, "\"id\":\"%s\"", id);
    live_wait_log(live, member);
    char *log = live_log(live);
    char *line = strstr(log, member);
    while (line > log && line[-1] != '\n')
        line--;
    line[strcspn(line, "\n")] = '\0';
    json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(record != NULL, "%s", line);
    free(log);
    return record;
}

static const char *member_of(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    return text ? text : "";
}

static json_int_t number_of(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

static struct live_answer ask_golden(const struct live *live, const char *target,
                                     const char *headers)
{
    char all[512];
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    snprintf(all, sizeof all, "Content-Type: application/x-npy\r\n%s", headers);
    struct live_answer answer = live_ask(live, "POST", target, all, x.file, x.file_bytes);
    live_tensor_free(&x);
    return answer;
}

/* The client gets the same times, to within a microsecond of rounding. */
static void check_server_timing(const struct live_answer *answer, const json_t *record)
{
    static const char *const members[] = {"queue_ms", "compute_ms", "decode_ms", "encode_ms"};
    char told[LIVE_HEADER_BYTES];
    double ms[COUNT(members)];
    live_header(answer, "Server-Timing", told);
    cr_assert(sscanf(told, "queue;dur=%lf, compute;dur=%lf, decode;dur=%lf, encode;dur=%lf", &ms[0],
                     &ms[1], &ms[2], &ms[3]) == COUNT(members),
              "%s", told);
    for (size_t i = 0; i < COUNT(members); i++)
        cr_assert(fabs(ms[i] - json_real_value(json_object_get(record, members[i]))) < 0.0015,
                  "%s: %s", members[i], told);
}

Test(live_log, a_computed_request_leaves_all_that_is_known_of_it)
{
    static const char *const times[] = {"total_ms", "queue_ms", "decode_ms", "compute_ms",
                                        "encode_ms"};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--log-format", "json"), NULL);
    struct live_answer answer =
        ask_golden(&live, "/ppm/" LISTING1 "?layout=NCHW",
                   "X-Request-Id: abc\r\ntraceparent: 00-" TRACE "-" PARENT "-01\r\n");
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    json_t *record = wait_record(&live, "abc");
    cr_assert_str_eq(member_of(record, "level"), "info");
    cr_assert_str_eq(member_of(record, "method"), "POST");
    cr_assert_str_eq(member_of(record, "target"), "/ppm/" LISTING1 "?layout=NCHW");
    cr_assert_str_eq(member_of(record, "route"), "/ppm/{model}");
    cr_assert_str_eq(member_of(record, "model"), LISTING1);
    cr_assert_str_eq(member_of(record, "trace_id"), TRACE);
    cr_assert_str_eq(member_of(record, "parent_id"), PARENT);
    cr_assert(strncmp(member_of(record, "client"), "127.0.0.1:", 10) == 0);
    cr_assert(number_of(record, "status") == 200);
    cr_assert(number_of(record, "bytes_in") == (json_int_t)x.file_bytes);
    cr_assert(number_of(record, "bytes_out") == (json_int_t)answer.body_bytes);
    for (size_t i = 0; i < COUNT(times); i++)
        cr_assert(json_is_real(json_object_get(record, times[i])), "%s", times[i]);
    cr_assert(json_real_value(json_object_get(record, "compute_ms")) > 0);
    check_server_timing(&answer, record);
    json_decref(record);
    live_answer_free(&answer);
    live_tensor_free(&x);
    live_stop(&live);
}

Test(live_log, a_refused_request_leaves_what_there_is)
{
    char directory[LIVE_PATH_BYTES], host[64];
    struct live live;
    live_directory_make(directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--log-format", "json", "--host", host),
               NULL);
    struct live_answer answer =
        live_ask(&live, "GET", "/a\"\\b?c", "X-Request-Id: abc\r\n", NULL, 0);
    json_t *record = wait_record(&live, "abc");
    cr_assert_str_eq(member_of(record, "target"), "/a\"\\b?c");
    cr_assert_str_eq(member_of(record, "client"), "unix");
    cr_assert(answer.status == 404 && number_of(record, "status") == 404);
    static const char *const absent[] = {"route", "model", "trace_id", "span_id", "compute_ms"};
    for (size_t i = 0; i < COUNT(absent); i++)
        cr_assert(json_object_get(record, absent[i]) == NULL, "%s", absent[i]);
    json_decref(record);
    live_answer_free(&answer);
    live_stop(&live);
    live_directory_remove(directory);
}

Test(live_log, bytes_of_a_target_that_may_not_be_there_are_encoded)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer answer = live_ask(&live, "GET", "/a\x1b[31m\xc2\x9b\"", "", NULL, 0);
    cr_assert(answer.status == 400, "%d", answer.status);
    cr_assert(strstr(answer.body, "/a%1B[31m%C2%9B") != NULL, "%s", answer.body);
    live_wait_log(&live, "GET /a%1B[31m%C2%9B\" 400 in=0 ");
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_log, all_of_it_is_json)
{
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--log-format", "json", "--log-level", "debug"),
               NULL);
    live_check_serving(&live, "the start");
    int connection = live_connect(&live);
    live_print(connection, "nonsense \x1b\r\n\r\n");
    close(connection);
    live_check_serving(&live, "nonsense");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "reloaded");
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    char *log = live_log(&live);
    size_t lines = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        cr_assert(record != NULL && strlen(member_of(record, "time")) == 24, "%s", line);
        json_decref(record);
    }
    cr_assert(lines >= 7, "%zu", lines);
    free(log);
}

/* ---- below info ---- */

static void ask_for(const struct live *live, const char *target, int status)
{
    struct live_answer answer = live_ask(live, "GET", target, "", NULL, 0);
    cr_assert(answer.status == status, "%s: %d", target, answer.status);
    live_answer_free(&answer);
}

static size_t count_in(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        found++;
    return found;
}

Test(live_log, below_info_refused_requests_are_logged_at_a_bounded_rate)
{
    enum { REFUSED = 300 };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--log-level", "error"), NULL);
    for (int i = 0; i < REFUSED; i++) {
        ask_for(&live, "/nowhere", 404);
        ask_for(&live, "/healthz", 200);
    }
    /* said by the server's own clock, without another request */
    live_wait_log(&live, "refused in a second, of which the log shows 10");
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    char *log = live_log(&live);
    size_t shown = count_in(log, " warn  GET /nowhere 404 "), left_out = 0;
    for (const char *at = log; (at = strstr(at, " warn  ")); at++) {
        size_t more = 0;
        left_out += sscanf(at, " warn  %zu more request", &more) == 1 ? more : 0;
    }
    cr_expect(shown >= 10 && shown + left_out == REFUSED, "%zu + %zu: %s", shown, left_out, log);
    cr_expect(count_in(log, "/healthz") == 0, "%s", log);
    free(log);
}

/* A client that takes its time between head and body. */
static void ask_slowly(const struct live *live, const char *id)
{
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    const int connection = live_connect(live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\n"
               "Content-Type: application/x-npy\r\nContent-Length: %zu\r\n\r\n",
               id, x.file_bytes);
    live_sleep_ms(20);
    live_send(connection, x.file, x.file_bytes);
    live_tensor_free(&x);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    live_answer_free(&answer);
    close(connection);
}

Test(live_log, below_info_slow_and_failed_requests_are_logged)
{
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--log-level", "error", "--log-slow-ms", "10",
                    "--log-format", "json", "--drain-delay-ms", "600000"),
               NULL);
    ask_slowly(&live, "slow");
    json_t *record = wait_record(&live, "slow");
    cr_assert_str_eq(member_of(record, "level"), "warn");
    cr_assert(number_of(record, "status") == 200);
    cr_assert(json_real_value(json_object_get(record, "total_ms")) > 10);
    json_decref(record);
    kill(live.pid, SIGTERM);
    for (int status = 200, waited = 0; status == 200; waited++) {
        cr_assert(waited < 1000);
        struct live_answer answer =
            live_ask(&live, "GET", "/readyz", "X-Request-Id: failed\r\n", NULL, 0);
        status = answer.status;
        live_answer_free(&answer);
    }
    record = wait_record(&live, "failed");
    cr_assert_str_eq(member_of(record, "level"), "error");
    cr_assert(number_of(record, "status") == 503);
    json_decref(record);
    kill(live.pid, SIGKILL);
    live_wait(&live);
}

/* ---- traces ---- */

Test(live_log, a_valid_traceparent_is_answered_with_our_span_in_its_trace)
{
    static const char *const cases[][2] = {
        {"00-" TRACE "-" PARENT "-01", "-01"},
        {"00-" TRACE "-" PARENT "-00", "-00"},
        {"00-" TRACE "-" PARENT "-ff", "-01"}, /* unknown flags are not passed on */
        {"00-" TRACE "-" PARENT "-02", "-00"},
        {"cc-" TRACE "-" PARENT "-01", "-01"}, /* a later version */
        {"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like", "-01"},
        {"00-" TRACE "-" PARENT "-01 \t ", "-01"},
    };
    struct live live;
    char spans[2][LIVE_HEADER_BYTES] = {""};
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[256], *value = spans[i % 2];
        snprintf(headers, sizeof headers, "TraceParent: %s\r\n", cases[i][0]);
        struct live_answer answer =
            live_ask(&live, "GET", i % 2 ? "/nowhere" : "/healthz", headers, NULL, 0);
        live_header(&answer, "traceparent", value);
        cr_assert(strlen(value) == 55 && strncmp(value, "00-" TRACE "-", 36) == 0, "%s: %s",
                  cases[i][0], value);
        cr_assert_str_eq(value + 52, cases[i][1]);
        cr_assert(strspn(value + 36, "0123456789abcdef") == 16, "%s", value);
        cr_assert(strncmp(value + 36, PARENT, 16) != 0, "%s", value);
        cr_assert_str_neq(spans[0], spans[1]);
        live_answer_free(&answer);
    }
    live_wait_log(&live, " trace=" TRACE "\n");
    live_stop(&live);
}

Test(live_log, an_invalid_traceparent_is_as_none)
{
    static const char *const cases[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-",
        "00-" TRACE "-" PARENT "-1",
        "00-" TRACE "-" PARENT "-011",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-0x",
        "00-" TRACE "-" PARENT "-01 x",
        "ff-" TRACE "-" PARENT "-01",
        "0-" TRACE "-" PARENT "-01",
        "0x-" TRACE "-" PARENT "-01",
        "cc-" TRACE "-" PARENT "-01.more",
        "00_" TRACE "_" PARENT "_01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-" TRACE "-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47364-" PARENT "-01",
        "00-" TRACE "-" PARENT "-01\r\ntraceparent: 00-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-01\r\nTRACEPARENT: x",
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[256], value[LIVE_HEADER_BYTES];
        snprintf(headers, sizeof headers, "traceparent: %s\r\n", cases[i]);
        struct live_answer answer = live_ask(&live, "GET", "/healthz", headers, NULL, 0);
        cr_assert(answer.status == 200, "%s: %d", cases[i], answer.status);
        cr_assert_str_empty(live_header(&answer, "traceparent", value), "%s", cases[i]);
        live_answer_free(&answer);
    }
    char *log = live_log(&live);
    cr_assert(strstr(log, "trace=") == NULL, "%s", log);
    free(log);
    live_stop(&live);
}

/* ---- lines of several threads ---- */

static void *ask_many(void *context)
{
    for (int i = 0; i < 100; i++) {
        struct live_answer answer = live_ask(context, "GET", "/healthz", "", NULL, 0);
        live_answer_free(&answer);
    }
    return NULL;
}

Test(live_log, lines_do_not_mix)
{
    struct live live;
    pthread_t threads[4];
    live_start(&live, LIST("--model", LISTING1_MODEL, "--http-threads", "4"), NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        cr_assert(pthread_create(&threads[i], NULL, ask_many, &live) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    char *log = live_log(&live);
    int requests = 0;
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        const char *at = strstr(line, " GET /healthz 200 in=0 out=3 total=");
        requests += at ? 1 : 0;
        cr_assert(!at || (at == line + 30 && strstr(at, " id=") == line + strlen(line) - 20), "%s",
                  line);
    }
    cr_assert(requests == 400, "%d", requests);
    free(log);
}

/* test_live_reload.c - SIGHUP: the whole new configuration, or the old one unchanged. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[LIVE_PATH_BYTES], config_path[64];

/* A configuration with the models of these golden cases. */
static void write_config(const char *const *names, const char *members)
{
    char here[512], text[4096];
    cr_assert(getcwd(here, sizeof here) != NULL);
    int at = snprintf(text, sizeof text, "{%s\"models\": [", members);
    for (size_t i = 0; names[i]; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s\"%s/tests/golden/%s/config.json\"",
                       i ? ", " : "", here, names[i]);
    snprintf(text + at, sizeof text - (size_t)at, "]}");
    live_write_file(config_path, text);
}

static void start(struct live *ret)
{
    live_directory_make(directory);
    snprintf(config_path, sizeof config_path, "%s/server.json", directory);
    write_config(LIST(LISTING1), "");
    live_start(ret, LIST("--config", config_path), NULL);
}

static void stop(struct live *live)
{
    live_stop(live);
    live_directory_remove(directory);
}

static struct live_answer post_golden(const struct live *live, const char *name)
{
    char target[96];
    struct live_tensor x = live_golden(name, "x.npy");
    snprintf(target, sizeof target, "/ppm/%s", name);
    struct live_answer answer =
        live_ask(live, "POST", target, "Content-Type: application/x-npy\r\n", x.file, x.file_bytes);
    live_tensor_free(&x);
    return answer;
}

static void check_golden(const struct live *live, const char *name)
{
    struct live_answer answer = post_golden(live, name);
    struct live_tensor y = live_golden(name, "y.npy");
    struct live_result result = live_read_answer(&answer, name);
    live_check_result(&result, &y, "NCHW", name);
    free(result.values);
    live_tensor_free(&y);
    live_answer_free(&answer);
}

Test(live_reload, a_changed_configuration_is_taken_up)
{
    struct live live;
    start(&live);
    struct live_answer answer = post_golden(&live, "output-softmax");
    cr_assert(answer.status == 404);
    live_answer_free(&answer);
    write_config(LIST("output-softmax", "listing2-pytorch-psp"), "");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, " reloaded: 2 models");
    check_golden(&live, "output-softmax");
    check_golden(&live, "listing2-pytorch-psp");
    answer = post_golden(&live, LISTING1);
    cr_assert(answer.status == 404);
    live_answer_free(&answer);
    stop(&live);
}

Test(live_reload, the_log_level_is_taken_up)
{
    struct live live;
    start(&live);
    live_check_serving(&live, "the start");
    live_wait_log(&live, "POST /ppm 200");
    write_config(LIST(LISTING1), "\"log_level\": \"warn\", ");
    kill(live.pid, SIGHUP);
    bool is_quiet = false;
    for (int rounds = 0; !is_quiet; rounds++) {
        cr_assert(rounds < 1000, "the log goes on as before");
        char *before = live_log(&live);
        live_check_serving(&live, "a reload");
        char *after = live_log(&live);
        is_quiet = strlen(before) == strlen(after);
        free(before);
        free(after);
    }
    stop(&live);
}

static void reload(const struct live *live, size_t number)
{
    kill(live->pid, SIGHUP);
    for (int waited = 0; live_count_log(live, " reloaded: ") < number; waited += 5) {
        cr_assert(waited < LIVE_WAIT_MS, "reload %zu", number);
        live_sleep_ms(5);
    }
}

/* Posts a tensor in two parts, at least ms apart. */
static void post_slowly(const struct live *live, long ms)
{
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    const int connection = live_connect(live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
               "Content-Length: %zu\r\n\r\n",
               x.file_bytes);
    live_sleep_ms(ms);
    live_send(connection, x.file, x.file_bytes);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    live_answer_free(&answer);
    live_tensor_free(&x);
    close(connection);
}

Test(live_reload, the_bound_of_slow_requests_is_taken_up)
{
    struct live live;
    start(&live);
    write_config(LIST(LISTING1), "\"log_level\": \"error\", \"log_slow_ms\": 5, ");
    kill(live.pid, SIGHUP);
    for (int rounds = 0; live_count_log(&live, " warn  POST /ppm 200 ") == 0; rounds++) {
        cr_assert(rounds < 1000);
        post_slowly(&live, 10);
    }
    stop(&live);
}

Test(live_reload, settings_that_wait_for_a_restart_are_named_until_they_do_not)
{
    static const char waiting[] = " warn  waiting for a restart: queue_max 64 -> 32, cors_origins "
                                  "\"\" -> \"https://a.example\"\n";
    struct live live;
    start(&live);
    reload(&live, 1);
    write_config(LIST(LISTING1), "\"queue_max\": 32, \"log_format\": \"text\", "
                                 "\"cors_origins\": [\"https://a.example\"], ");
    for (size_t i = 1; i <= 2; i++) {
        reload(&live, 1 + i);
        live_wait_log(&live, waiting);
    }
    write_config(LIST(LISTING1), "");
    reload(&live, 4);
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    cr_assert(live_count_log(&live, waiting) == 2);
    cr_assert(live_count_log(&live, "waiting for a restart") == 2);
    live_directory_remove(directory);
}

Test(live_reload, a_broken_configuration_changes_nothing_and_is_told)
{
    static const struct {
        const char *text, *told;
    } cases[] = {{"{", "server.json"},
                 {"[]", "server.json"},
                 {"", "server.json"},
                 {"{\"models\": [\"none.json\"]}", "none.json"},
                 {"{\"models\": []}", "models"},
                 {"{\"port\": 70000}", "port"},
                 {"{\"nonsense\": 1}", "nonsense"}};
    struct live live;
    start(&live);
    struct live_answer before = post_golden(&live, LISTING1);
    cr_assert(before.status == 200);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *log = live_log(&live);
        const size_t seen = strlen(log);
        free(log);
        live_write_file(config_path, cases[i].text);
        kill(live.pid, SIGHUP);
        for (int waited = 0; log = live_log(&live), !strstr(log + seen, "not reloaded");
             waited += 5) {
            cr_assert(waited < LIVE_WAIT_MS, "%s: %s", cases[i].text, log);
            free(log);
            live_sleep_ms(5);
        }
        cr_assert(strstr(log + seen, cases[i].told), "%s: %s", cases[i].text, log + seen);
        free(log);
        struct live_answer after = post_golden(&live, LISTING1);
        cr_assert(after.body_bytes == before.body_bytes, "%s", cases[i].text);
        cr_assert_arr_eq(after.body, before.body, before.body_bytes, "%s", cases[i].text);
        live_answer_free(&after);
    }
    live_answer_free(&before);
    stop(&live);
}

/* Requests are served while models are exchanged. */
Test(live_reload, no_request_is_lost_in_reloads)
{
    struct live live;
    start(&live);
    for (int i = 0; i < 40; i++) {
        if (i % 2 == 0)
            write_config(i % 4 ? LIST(LISTING1) : LIST("output-softmax", LISTING1), "");
        if (i % 2 == 0)
            kill(live.pid, SIGHUP);
        check_golden(&live, LISTING1);
    }
    stop(&live);
}

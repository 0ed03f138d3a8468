/* test_live_loading.c - models are loaded on a separate thread, so that signals are handled
 * meanwhile. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(live_loading, .timeout = 300);

/* 19 million weights: a few tenths of a second to load, which cannot be interrupted. */
static const char heavy[] = "{'name': 'heavy', 'input': {'channels': 1024}, 'bins': [1], 'branch': "
                            "[], 'head': [{'conv': {'channels': 1024, 'kernel': 3}}], 'weights': "
                            "{'random': 1}}";
/* And seconds to warm up, so that even on a busy machine the signal comes before the end. */
static const char heavy_and_warm[] =
    "{'name': 'heavy', 'input': {'channels': 1024}, 'bins': [1], 'branch': [], 'head': [{'conv': "
    "{'channels': 1024, 'kernel': 3}}], 'weights': {'random': 1}, 'warm_up': [[1, 1024, 96, 96]]}";
static const char light[] = "{'name': 'light', 'input': {'channels': 4}, 'bins': [1], 'branch': "
                            "[], 'weights': {'random': 1}}";

static char directory[LIVE_PATH_BYTES], config_path[64];

static void write_models(void)
{
    live_directory_make(directory);
    live_write_quoted(directory, "heavy.json", heavy);
    live_write_quoted(directory, "light.json", light);
}

static void configure(const char *text)
{
    snprintf(config_path, sizeof config_path, "%s",
             live_write_quoted(directory, "server.json", text));
}

static void start(struct live *ret)
{
    write_models();
    configure("{'models': ['light.json']}");
    live_start(ret, LIST("--config", config_path), NULL);
}

static void stop(struct live *live)
{
    live_stop(live);
    live_directory_remove(directory);
}

static void check_log(const struct live *live, const char *wanted, const char *unwanted)
{
    char *log = live_log(live);
    cr_expect(!wanted || strstr(log, wanted), "expected \"%s\" in: %s", wanted, log);
    cr_expect(!unwanted || !strstr(log, unwanted), "found \"%s\" in: %s", unwanted, log);
    free(log);
}

/* ---- signals while models are loaded ---- */

/* The main thread blocks signals before it starts another thread, so once there are two, a signal
 * is waited for. (Its own mask does not show this: while a thread waits for signals, the kernel
 * reports them as unblocked.) */
static void wait_until_signals_are_heard(pid_t pid)
{
    const size_t others = getenv("EMULATOR") ? 1 : 0; /* an emulator's own thread */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    for (bool has_threads = false; !has_threads; live_sleep_ms(1)) {
        size_t bytes;
        char *status = live_read_file(path, &bytes);
        const char *threads = strstr(status, "Threads:");
        cr_assert(threads && !strstr(status, "zombie"), "the program ended:\n%s", status);
        has_threads = strtoul(threads + strlen("Threads:"), NULL, 10) > 1 + others;
        free(status);
    }
}

Test(live_loading, a_stop_at_the_start_waits_for_no_model)
{
    struct live live;
    write_models();
    live_write_quoted(directory, "heavy.json", heavy_and_warm);
    configure("{'port': 0, 'models': ['heavy.json', 'light.json']}");
    live_spawn(&live, LIST("serve", "--config", config_path), NULL);
    wait_until_signals_are_heard(live.pid);
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    check_log(&live, "stopped before the models were loaded", "listening");
    live_directory_remove(directory);
}

Test(live_loading, a_stop_ends_a_reload)
{
    struct live live;
    start(&live);
    live_write_quoted(directory, "heavy.json", heavy_and_warm);
    configure("{'models': ['light.json', 'heavy.json']}");
    kill(live.pid, SIGHUP);
    live_sleep_ms(20);
    kill(live.pid, SIGTERM);
    cr_assert(live_wait(&live) == 0);
    check_log(&live, " stopped", " reloaded:");
    live_directory_remove(directory);
}

/* After any number of signals during a reload, the configuration is read once more. */
Test(live_loading, a_reload_during_a_reload_is_one_more)
{
    struct live live;
    start(&live);
    configure("{'models': ['heavy.json']}");
    kill(live.pid, SIGHUP);
    live_sleep_ms(20); /* the signal was handled, and the heavy model is being loaded */
    configure("{'models': ['light.json', 'heavy.json']}");
    for (int i = 0; i < 5; i++) {
        kill(live.pid, SIGHUP);
        live_sleep_ms(2);
    }
    live_wait_log(&live, " reloaded: 2 models");
    struct live_answer answer = live_ask(&live, "GET", "/ppm/light", "", NULL, 0);
    cr_assert(answer.status == 200, "%s", answer.body);
    live_answer_free(&answer);
    stop(&live);
}

/* ---- what is no file ---- */

Test(live_loading, nobody_writes_to_a_fifo_in_the_place_of_a_file)
{
    static const char *const names[] = {"light.json", "keys", "server.json"};
    struct live live;
    char path[64], text[160];
    write_models();
    snprintf(path, sizeof path, "%s", live_write_quoted(directory, "keys", "a-key\n"));
    cr_assert(chmod(path, 0600) == 0);
    configure("{'models': ['light.json'], 'keys_file': 'keys', 'allow_model_control': true}");
    live_start(&live, LIST("--config", config_path), NULL);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        snprintf(text, sizeof text, "%s: found a FIFO, expected a regular file", path);
        cr_assert(unlink(path) == 0 && mkfifo(path, 0600) == 0);
        kill(live.pid, SIGHUP);
        live_wait_log(&live, text);
    }
    struct live_answer answer =
        live_ask(&live, "POST", "/v2/repository/models/light/load", "X-Api-Key: a-key\r\n", "", 0);
    cr_assert(answer.status == 400 && strstr(answer.body, "found a FIFO"), "%d %s", answer.status,
              answer.body);
    live_answer_free(&answer);
    stop(&live);
}

/* ---- models that are loaded by request ---- */

static int load_heavy(const struct live *live, const char *headers)
{
    const int connection = live_connect(live);
    live_print(connection,
               "POST /v2/repository/models/heavy/load HTTP/1.1\r\nHost: localhost\r\n%s"
               "Content-Length: 0\r\nConnection: close\r\n\r\n",
               headers);
    return connection;
}

static void start_with_heavy(struct live *ret)
{
    write_models();
    configure("{'models': ['light.json', 'heavy.json'], 'allow_model_control': true}");
    live_start(ret, LIST("--config", config_path), NULL);
}

static void check_answer(int connection, int status, const char *text)
{
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer));
    cr_assert(answer.status == status && strstr(answer.body, text), "%d %s", answer.status,
              answer.body);
    live_answer_free(&answer);
    close(connection);
}

Test(live_loading, a_stop_ends_a_load_by_request)
{
    struct live live;
    start_with_heavy(&live);
    live_write_quoted(directory, "heavy.json", heavy_and_warm);
    const int connection = load_heavy(&live, "");
    live_wait_metric(&live, "ppm_requests_in_flight", 2);
    kill(live.pid, SIGTERM);
    check_answer(connection, 503, "the server is stopping");
    cr_assert(live_wait(&live) == 0);
    live_directory_remove(directory);
}

Test(live_loading, a_load_by_request_has_its_deadline)
{
    struct live live;
    start_with_heavy(&live);
    check_answer(load_heavy(&live, "X-Request-Timeout-Ms: 20\r\n"), 504,
                 "not loaded after 20 ms (X-Request-Timeout-Ms)");
    check_answer(load_heavy(&live, ""), 200, "{}");
    stop(&live);
}

/* test_live_watch.c - watch_models_s: changed files of models are loaded as by SIGHUP. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

TestSuite(live_watch, .timeout = 300);

static char directory[LIVE_PATH_BYTES], folder[48];

static const char *in_folder(const char *name)
{
    static char paths[4][96];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Models that differ in the channels of y; valid until the next call. */
static const char *model(const char *name, int channels)
{
    static char text[256];
    snprintf(text, sizeof text,
             "{'name': '%s', 'input': {'channels': 4}, 'bins': [1], 'branch': [], 'head': "
             "[{'conv': {'channels': %d}}], 'weights': {'random': 1}}",
             name, channels);
    return text;
}

/* Written beside and renamed, as tools that care do. */
static void put(const char *name, const char *text)
{
    const char *path = live_write_quoted(directory, "new", text);
    cr_assert(rename(path, in_folder(name)) == 0);
}

static void start(struct live *ret, const char *seconds)
{
    live_directory_make(directory);
    snprintf(folder, sizeof folder, "%s/models", directory);
    cr_assert(mkdir(folder, 0700) == 0);
    put("m.json", model("m", 2));
    live_start(ret, LIST("--model", folder, "--watch-models-s", seconds), NULL);
}

static void remove_files(void)
{
    live_directory_remove(folder);
    live_directory_remove(directory);
}

static void stop(struct live *live)
{
    live_stop(live);
    remove_files();
}

/* Waits until a model has that number of channels; 0: until there is no such model. */
static void wait_served(const struct live *live, const char *name, int channels)
{
    char target[64], expected[64];
    snprintf(target, sizeof target, "/ppm/%s", name);
    snprintf(expected, sizeof expected, "\"output_channels\":%d,", channels);
    for (int waited = 0;; waited += 20) {
        struct live_answer answer = live_ask(live, "GET", target, "", NULL, 0);
        const bool is_there =
            channels ? answer.status == 200 && strstr(answer.body, expected) : answer.status == 404;
        cr_assert(is_there || waited < LIVE_WAIT_MS, "%s: expected %s, found %s", name, expected,
                  answer.body);
        live_answer_free(&answer);
        if (is_there)
            return;
        live_sleep_ms(20);
    }
}

Test(live_watch, a_folder_is_followed)
{
    struct live live;
    start(&live, "1");
    wait_served(&live, "m", 2);
    put("m.json", model("m", 3));
    wait_served(&live, "m", 3);
    put("n.json", model("n", 4));
    wait_served(&live, "n", 4);
    unlink(in_folder("n.json"));
    wait_served(&live, "n", 0);
    wait_served(&live, "m", 3);
    char text[96];
    snprintf(text, sizeof text, " info  reloading: %s has changed\n", in_folder("m.json"));
    cr_expect(live_count_log(&live, text) == 1);
    cr_expect(live_count_log(&live, " reloaded: ") == 3);
    stop(&live);
}

/* Puts the golden file into the folder, with another last byte. */
static void put_golden(const char *name, char last_byte_flips)
{
    char from[96], path[64];
    size_t bytes;
    snprintf(from, sizeof from, "tests/golden/%s/%s", LISTING1, name);
    snprintf(path, sizeof path, "%s/new", directory);
    char *content = live_read_file(from, &bytes);
    content[bytes - 1] = (char)(content[bytes - 1] ^ last_byte_flips);
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(content, 1, bytes, file) == bytes && fclose(file) == 0);
    cr_assert(rename(path, in_folder(name)) == 0);
    free(content);
}

static struct live_answer post_golden(const struct live *live)
{
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    struct live_answer answer =
        live_ask(live, "POST", "/ppm/" LISTING1, "Content-Type: application/x-npy\r\n", x.file,
                 x.file_bytes);
    cr_assert(answer.status == 200, "%s", answer.body);
    live_tensor_free(&x);
    return answer;
}

/* The last value of the file is the variance of a norm. */
Test(live_watch, weights_are_followed)
{
    struct live live;
    char text[96];
    start(&live, "1");
    put_golden("weights.safetensors", 0);
    put_golden("config.json", 0);
    wait_served(&live, LISTING1, 12);
    struct live_answer before = post_golden(&live);
    put_golden("weights.safetensors", 1);
    for (int waited = 0, is_equal = 1; is_equal; waited += 20) {
        struct live_answer after = post_golden(&live);
        is_equal = after.body_bytes == before.body_bytes &&
                   memcmp(after.body, before.body, before.body_bytes) == 0;
        cr_assert(waited < LIVE_WAIT_MS, "the weights stay as they were");
        live_answer_free(&after);
        live_sleep_ms(20);
    }
    live_answer_free(&before);
    snprintf(text, sizeof text, "reloading: %s has changed\n", in_folder("weights.safetensors"));
    live_wait_log(&live, text);
    stop(&live);
}

/* What is broken is said once; what was loaded goes on. */
Test(live_watch, a_broken_file_changes_nothing)
{
    struct live live;
    start(&live, "1");
    live_write_file(in_folder("m.json"), "{\"name\": \"m\", \"input\": {");
    live_wait_log(&live, "not reloaded, still serving the old models: ");
    live_sleep_ms(2500); /* further looks find it as it was */
    wait_served(&live, "m", 2);
    cr_expect(live_count_log(&live, "not reloaded") == 1);
    put("m.json", model("m", 5));
    wait_served(&live, "m", 5);
    cr_expect(live_count_log(&live, "not reloaded") == 1);
    stop(&live);
}

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Writes a model byte by byte, in more time than three looks take. Returns the longest time that a
 * part of it was all there was. */
static double write_slowly(const char *path, const char *text)
{
    double longest_s = 0, last_s = now_s();
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    for (; *text; text++) {
        fputc(*text == '\'' ? '"' : *text, file);
        fflush(file);
        live_sleep_ms(50);
        const double s = now_s();
        longest_s = s - last_s > longest_s ? s - last_s : longest_s;
        last_s = s;
    }
    fclose(file);
    return longest_s;
}

/* A machine that is too busy to write for as long as two looks take shows nothing: again. */
Test(live_watch, a_file_is_not_loaded_before_it_is_written)
{
    struct live live;
    start(&live, "2");
    for (int channels = 3; channels < 8; channels++) {
        const size_t before = live_count_log(&live, "not reloaded");
        const double longest_s = write_slowly(in_folder("m.json"), model("m", channels));
        wait_served(&live, "m", channels);
        if (longest_s > 1)
            continue;
        cr_expect(live_count_log(&live, "not reloaded") == before);
        break;
    }
    stop(&live);
}

/* Seconds to warm up: time enough to exchange the file meanwhile. */
Test(live_watch, a_file_that_changes_while_it_is_loaded_is_loaded_again)
{
    struct live live;
    start(&live, "1");
    put("m.json", "{'name': 'm', 'input': {'channels': 1024}, 'bins': [1], 'branch': [], 'head': "
                  "[{'conv': {'channels': 1024, 'kernel': 3}}], 'weights': {'random': 1}, "
                  "'warm_up': [[1, 1024, 96, 96]]}");
    live_wait_log(&live, "m.json has changed");
    put("m.json", model("m", 3));
    live_wait_log(&live, "m.json: changed while it was loaded");
    wait_served(&live, "m", 3);
    cr_expect(live_count_log(&live, " reloaded: ") == 1);
    stop(&live);
}

/* As Kubernetes exchanges the files of a ConfigMap. */
Test(live_watch, an_exchanged_link_is_followed)
{
    struct live live;
    start(&live, "1");
    unlink(in_folder("m.json"));
    put("..1.json", model("m", 6));
    put("..2.json", model("m", 7));
    cr_assert(symlink("..1.json", in_folder("..data")) == 0);
    cr_assert(symlink("..data", in_folder("m.json")) == 0);
    wait_served(&live, "m", 6);
    cr_assert(symlink("..2.json", in_folder("..next")) == 0);
    cr_assert(rename(in_folder("..next"), in_folder("..data")) == 0);
    wait_served(&live, "m", 7);
    stop(&live);
}

Test(live_watch, a_reload_turns_it_on_and_off)
{
    struct live live;
    live_directory_make(directory);
    snprintf(folder, sizeof folder, "%s/models", directory);
    cr_assert(mkdir(folder, 0700) == 0);
    put("m.json", model("m", 2));
    const char *config = live_write_quoted(directory, "server.json", "{'models': ['models']}");
    live_start(&live, LIST("--config", config), NULL);
    live_write_quoted(directory, "server.json", "{'models': ['models'], 'watch_models_s': 1}");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, " reloaded: ");
    put("m.json", model("m", 3));
    wait_served(&live, "m", 3);
    stop(&live);
}

Test(live_watch, the_end_does_not_wait_for_a_look)
{
    struct live live;
    start(&live, "86400");
    stop(&live);
}

/* live_slow.c - a slow computation and a large answer, for live_support.h. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Nine 3x3 convolutions: 9.4 MFLOP per pixel of 16 bytes. */
static const char model[] =
    "{\"name\": \"slow\", \"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], \"head\": ["
    "{\"conv\": {\"channels\": 256, \"kernel\": 3}}, {\"conv\": {\"channels\": 256, \"kernel\": 3}}"
    ", {\"conv\": {\"channels\": 256, \"kernel\": 3}}, {\"conv\": {\"channels\": 256, \"kernel\": "
    "3}}, {\"conv\": {\"channels\": 256, \"kernel\": 3}}, {\"conv\": {\"channels\": 256, "
    "\"kernel\": 3}}, {\"conv\": {\"channels\": 256, \"kernel\": 3}}, {\"conv\": {\"channels\": "
    "256, \"kernel\": 3}}, {\"conv\": {\"channels\": 256, \"kernel\": 3}}, {\"conv\": "
    "{\"channels\": 1}}], \"weights\": {\"random\": 1}}";

static char directory[LIVE_PATH_BYTES];

void live_slow_start(struct live *ret, const char *const *arguments)
{
    char path[64];
    const char *all[16] = {"--model", LISTING1_GOLDEN, "--model", path};
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/slow.json", directory);
    live_write_file(path, model);
    for (size_t i = 4; *arguments && i < COUNT(all) - 1; i++)
        all[i] = *arguments++;
    live_start(ret, all, NULL);
}

void live_slow_stop(struct live *live)
{
    live_stop(live);
    live_slow_forget();
}

void live_slow_forget(void)
{
    live_directory_remove(directory);
}

int live_slow_send(const struct live *live, size_t images, const char *headers)
{
    const size_t bytes = images * 4 * 8 * 8 * sizeof(float);
    char *zeros = calloc(1, bytes);
    int connection = live_connect(live);
    cr_assert(connection >= 0);
    live_print(
        connection,
        "POST /ppm/slow?shape=%zu,4,8,8 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
        "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
        images, headers, bytes);
    live_send(connection, zeros, bytes);
    free(zeros);
    return connection;
}

size_t live_slow_images(const struct live *live, double ms)
{
    for (size_t images = 1;; images *= 2) {
        char value[LIVE_HEADER_BYTES];
        double compute_ms = 0;
        struct live_answer answer;
        int connection = live_slow_send(live, images, "");
        cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
        live_header(&answer, "Server-Timing", value);
        cr_assert(sscanf(value, "queue;dur=%*f, compute;dur=%lf", &compute_ms) == 1, "%s", value);
        live_answer_free(&answer);
        close(connection);
        if (compute_ms >= ms)
            return images;
    }
}

int live_large_start(struct live *ret, const char *flag, const char *value)
{
    char path[64];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/large.json", directory);
    live_write_file(path, "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], "
                          "\"output\": {\"size\": [1200, 1200]}, \"weights\": {\"random\": 1}}");
    live_start(ret, LIST("--model", path, flag, value), NULL);
    const int connection = live_connect(ret);
    live_print(connection,
               "POST /ppm?shape=1,4,1,1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n"
               "Content-Type: application/octet-stream\r\n\r\n0123456789abcdef");
    return connection;
}

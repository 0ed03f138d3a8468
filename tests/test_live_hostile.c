/* test_live_hostile.c - bytes that are not HTTP, or HTTP that two readers would read in two ways.
 */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST      "Host: localhost\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define CHUNKS    "5\r\nhello\r\n0\r\n\r\n"

/* Sends bytes and reads until the connection is closed. Returns the status, or 0. */
static int exchange(const struct live *live, const char *bytes, size_t count)
{
    struct live_answer answer;
    int status = 0, connection = live_connect(live);
    live_send(connection, bytes, count);
    if (live_receive(connection, false, &answer)) {
        status = answer.status;
        live_answer_free(&answer);
    }
    close(connection);
    return status;
}

Test(live_hostile, what_is_not_http_is_refused_or_cut_off)
{
    static const char *const garbage[] = {
        "hello\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", /* the beginning of TLS */
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n" HOST "\r\n",
        "GET /healthz HTTP/1.1\r\n" HOST "no colon\r\n\r\n",
        "POST /ppm HTTP/1.1\r\n" HOST "Content-Length: 5x\r\n\r\nhello",
        "POST /ppm HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nhello",
        "POST /ppm HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999999999\r\n\r\nhello",
        "POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(garbage); i++) {
        const int status = exchange(&live, garbage[i], strlen(garbage[i]));
        cr_assert(status == 0 || (status >= 400 && status < 600), "%s: %d", garbage[i], status);
        live_check_serving(&live, garbage[i]);
    }
    live_stop(&live);
}

Test(live_hostile, random_bytes_change_nothing)
{
    struct live live;
    unsigned state = 1;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (int round = 0; round < 200; round++) {
        char bytes[300] = "POST /ppm?shape=1,4,2,2 HTTP/1.1\r\n" HOST JSON_TYPE
                          "Content-Length: 20\r\nAccept: */*\r\n\r\n{\"shape\":[1,4,1,1],";
        const size_t count = strlen(bytes);
        for (int k = 0; k < 1 + round % 16; k++) {
            state = state * 1664525u + 1013904223u;
            bytes[(state >> 8) % count] = (char)(state >> 20);
        }
        int connection = live_connect(&live);
        live_send(connection, bytes, count);
        close(connection);
    }
    live_check_serving(&live, "random bytes");
    live_stop(&live);
}

/* A head that a proxy in front may understand differently is refused. */
Test(live_hostile, an_ambiguous_head_is_refused_and_the_connection_closed)
{
    static const struct {
        const char *bytes;
        int status;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\n" HOST "Host: localhost\r\n\r\n", 400},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Content-Length: 5\r\n 0\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\n" HOST "X: y\r\n z\r\nY: z\r\n\r\n", 400},
        {"GET /healthz HTTP/1.1\r\n" HOST ": x\r\nContent-Length: 5\r\n\r\nhello", 400},
        {"GET /healthz HTTP/1.1\r\nHost: a\n:x\n", 400},
        {"GET  /healthz HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /healthz HTTP/1.2\r\n\r\n", 400},
        {"GET /healthz HTTP/1.2\r\n" HOST "Host: localhost\r\n\r\n", 400},
        {"GET /healthz HTTP/1.0\r\n" HOST "Host: localhost\r\n\r\n", 400},
        {"POST /ppm HTTP/1.0\r\n" HOST JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n" CHUNKS, 400},
        {"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE
         "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
         400},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE
         "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
         400},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Content-Length : 5\r\n\r\nhello", 400},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Transfer-Encoding: gzip\r\n\r\n" CHUNKS, 501},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Transfer-Encoding: gzip, chunked\r\n\r\n" CHUNKS,
         501},
        {"POST /ppm HTTP/1.1\r\n" HOST JSON_TYPE "Expect: junk\r\nContent-Length: 2\r\n\r\n{}",
         417},
        {"GET /healthz\xff/x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /healthz\x01 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /healthz x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"FROBNICATE /ppm HTTP/1.1\r\n" HOST "\r\n", 501},
        {"G\x1b[31mT /ppm HTTP/1.1\r\n" HOST "\r\n", 501},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer;
        int connection = live_connect(&live);
        live_send(connection, cases[i].bytes, strlen(cases[i].bytes));
        cr_assert(live_receive(connection, false, &answer), "%s", cases[i].bytes);
        live_check_problem(&answer, cases[i].status, "", cases[i].bytes);
        live_answer_free(&answer);
        cr_assert(live_is_closed(connection), "%s", cases[i].bytes);
        close(connection);
        live_check_serving(&live, cases[i].bytes);
    }
    live_stop(&live);
}

/* "2026-01-31T12:00:00.123Z info  text", or the line that says where it listens */
static bool is_record(const char *line)
{
    static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    if (strncmp(line, "listening on http://", 20) == 0)
        return true;
    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != pattern[i])
            return false;
    return true;
}

Test(live_hostile, every_line_of_the_log_is_a_record_of_printable_text)
{
    static const char *const requests[] = {
        "GET /a\x1b[31mb\xc2\x9b HTTP/1.1\r\n" HOST "\r\n",
        "GET /%0a2026-01-31T12:00:00.000Z%20info HTTP/1.1\r\n" HOST "\r\n",
        "G\x1b]0;T\x07 /ppm HTTP/1.1\r\n" HOST "\r\n",
        "GET /healthz\r\n\r\n",
        "POST /ppm HTTP/1.1\r\n" HOST "Content-Length: zz\r\n\r\n",
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--log-level", "debug"), NULL);
    for (size_t i = 0; i < COUNT(requests); i++)
        exchange(&live, requests[i], strlen(requests[i]));
    live_check_serving(&live, "control bytes");
    char *log = live_log(&live);
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        cr_assert(is_record(line), "no record: \"%s\"", line);
        for (const char *c = line; *c; c++)
            cr_assert(*c >= 0x20 && *c < 0x7f, "\\x%02x in \"%s\"", (unsigned char)*c, line);
    }
    free(log);
    live_stop(&live);
}

/* Serves on a unix socket, since its log may not contain the port. */
static void check_serving_without_a_log(int log, const char *format, const char *what)
{
    char directory[LIVE_PATH_BYTES], host[64];
    struct live live;
    live_directory_make(directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    live_spawn_logging(
        &live, log,
        LIST("serve", "--model", LISTING1_GOLDEN, "--host", host, "--log-format", format), NULL);
    strcpy(live.socket_path, host + strlen("unix:"));
    for (int waited = 0, connection; (connection = live_connect(&live)) < 0; waited += 5) {
        cr_assert(waited < LIVE_WAIT_MS, "%s: it does not listen", what);
        live_sleep_ms(5);
    }
    for (int i = 0; i < 100; i++)
        live_check_serving(&live, what);
    live_stop(&live);
    live_directory_remove(directory);
}

static void check_dead_logs(const char *format)
{
    int ends[2];
    cr_assert(pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    check_serving_without_a_log(ends[1], format, "a full pipe");
    close(ends[0]);
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[0]);
    check_serving_without_a_log(ends[1], format, "a closed pipe");
    check_serving_without_a_log(open("/dev/full", O_WRONLY | O_CLOEXEC), format, "a full disk");
}

Test(live_hostile, a_log_that_nobody_reads_stops_no_request)
{
    check_dead_logs("text");
    check_dead_logs("json");
}

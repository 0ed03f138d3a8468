/* test_coding.c - Accept-Encoding, and answers compressed. */
#include "server/base/memory.h"
#include "server/http/coding.h"
#include "server/http/compress.h"
#include "server/http/http.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "tests/compressed.h"
#include "tests/heap_sweep.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(coding, the_best_of_a_list)
{
    static const struct {
        const char *list;
        enum http_coding expected;
    } cases[] = {
        {"", HTTP_IDENTITY},
        {",", HTTP_IDENTITY},
        {"gzip", HTTP_GZIP},
        {"GZIP", HTTP_GZIP},
        {"x-gzip", HTTP_GZIP},
        {"deflate", HTTP_DEFLATE},
        {"deflate, gzip", HTTP_GZIP},
        {"gzip, deflate, br, zstd", HTTP_GZIP},
        {"br, zstd, deflate", HTTP_DEFLATE},
        {"br", HTTP_IDENTITY},
        {"*", HTTP_GZIP},
        {"*;q=0", HTTP_IDENTITY},
        {"gzip;q=0, *", HTTP_DEFLATE},
        {"gzip;q=0", HTTP_IDENTITY},
        {"gzip;q=0.000", HTTP_IDENTITY},
        {"gzip;q=0.001", HTTP_GZIP},
        {"gzip;q=0.5, deflate;q=0.6", HTTP_DEFLATE},
        {"gzip;q=0.5, deflate;q=0.500", HTTP_GZIP},
        {"gzip;q=0.5, *;q=0.6", HTTP_DEFLATE},
        {"identity", HTTP_IDENTITY},
        {"identity, gzip", HTTP_GZIP},
        {"identity;q=1, gzip;q=0.9", HTTP_IDENTITY},
        {"identity;q=0, *;q=0.1", HTTP_GZIP},
        {"identity;q=0.5, *;q=0.1", HTTP_IDENTITY},
        {" \tgzip \t; \tq=1 ,\t", HTTP_GZIP},
        {"gzip;Q=0", HTTP_IDENTITY},
        {"gzip;q=0, gzip", HTTP_GZIP},
        {"gzip;q", HTTP_IDENTITY},
        {"gzip;q=", HTTP_IDENTITY},
        {"gzip;q=2", HTTP_IDENTITY},
        {"gzip;q=1.001", HTTP_IDENTITY},
        {"gzip;q=0.5000", HTTP_IDENTITY},
        {"gzip;q=-1", HTTP_IDENTITY},
        {"gzip;q=.5", HTTP_IDENTITY},
        {"gzip;q= 1", HTTP_IDENTITY},
        {"gzip;level=1", HTTP_IDENTITY},
        {"gzip deflate", HTTP_IDENTITY},
        {"gzipped", HTTP_IDENTITY},
        {"gz", HTTP_IDENTITY},
        {";q=1", HTTP_IDENTITY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_codings qualities = HTTP_NO_CODINGS;
        http_weigh_codings(cases[i].list, &qualities);
        cr_assert(http_best_coding(&qualities) == cases[i].expected, "\"%s\": found %d",
                  cases[i].list, (int)http_best_coding(&qualities));
    }
}

/* A header may come in several lines. */
Test(coding, the_best_of_two_lists)
{
    struct http_codings qualities = HTTP_NO_CODINGS;
    http_weigh_codings("gzip;q=0.5", &qualities);
    http_weigh_codings("deflate", &qualities);
    cr_assert(http_best_coding(&qualities) == HTTP_DEFLATE);
}

/* ---- answers ---- */

static struct http_server server;
static struct http_request request;

static void begin_answer(const char *body, size_t bytes)
{
    memory_set_max(16 << 20);
    server = (struct http_server){0};
    request = (struct http_request){.server = &server, .deadline = {.at_s = 1e300}};
    char *copy = malloc(bytes);
    cr_assert(copy);
    memcpy(copy, body, bytes);
    http_respond(&request, 200, "a/b", copy, bytes);
}

static const char *header(const char *name)
{
    const struct http_response *response = &request.response;
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return "";
}

/* Compressed, it reads back; else it is as it was. Returns whether it was. */
static bool check_answer(enum http_coding coding, const char *body, size_t bytes, const char *what)
{
    size_t read_bytes = 0;
    begin_answer(body, bytes);
    const bool is_compressed = http_compress_as(&request, coding);
    const struct http_response *response = &request.response;
    cr_assert(response->status == 200 && strcmp(response->content_type, "a/b") == 0, "%s", what);
    if (is_compressed) {
        char *back = compressed_read(coding == HTTP_GZIP ? COMPRESSED_GZIP : COMPRESSED_ZLIB,
                                     response->body, response->body_bytes, bytes, &read_bytes);
        cr_assert(back && read_bytes == bytes && memcmp(back, body, bytes) == 0, "%s", what);
        cr_assert(response->body_bytes < bytes, "%s: %zu bytes", what, response->body_bytes);
        free(back);
        cr_assert_str_eq(header("Content-Encoding"), coding == HTTP_GZIP ? "gzip" : "deflate");
        cr_assert_str_eq(header("Vary"), "Accept-Encoding");
    } else {
        cr_assert(response->body_bytes == bytes && memcmp(response->body, body, bytes) == 0, "%s",
                  what);
        cr_assert(response->header_count == 0, "%s", what);
    }
    cr_assert(request.reserved_bytes == 0 && memory_taken() == 0, "%s", what);
    http_drop_response(&request);
    return is_compressed;
}

enum { LARGE_BYTES = 1 << 20 };

static char *text_of_numbers(void)
{
    char *text = malloc(LARGE_BYTES + 32);
    unsigned state = 1;
    for (size_t at = 0; at < LARGE_BYTES;) {
        state = state * 1664525 + 1013904223;
        at += (size_t)sprintf(text + at, "%.8g,", state / 4294967296.0);
    }
    return text;
}

/* Numbers of which none is like another, then those of which all are, by turns. */
static char *changing_numbers(void)
{
    uint32_t *words = calloc(LARGE_BYTES / 4, 4), state = 1;
    for (size_t i = 0; i < LARGE_BYTES / 4; i++) {
        state = state * 1664525 + 1013904223;
        words[i] = i / 30000 % 2 ? 0x3f800000 | state >> 12 : 0x3f812345;
    }
    return (char *)words;
}

Test(coding, answers_read_back)
{
    char *text = text_of_numbers(), *numbers = changing_numbers();
    for (enum http_coding coding = HTTP_GZIP; coding < HTTP_CODING_COUNT; coding++) {
        for (size_t bytes = LARGE_BYTES; bytes >= 1024; bytes = bytes * 2 / 3)
            cr_assert(check_answer(coding, text, bytes, "text"), "%zu", bytes);
        for (size_t bytes = LARGE_BYTES; bytes >= 1024; bytes = bytes * 2 / 3)
            cr_assert(check_answer(coding, numbers, bytes, "numbers"), "%zu", bytes);
        cr_assert(check_answer(coding, text, 1 << 16, "one slice"));
        cr_assert(check_answer(coding, text, (1 << 16) + 1, "one slice and a byte"));
    }
    free(text);
    free(numbers);
}

/* In any order: similar numbers are recognized, where most are similar. */
Test(coding, numbers_alike_take_little)
{
    char *zeros = calloc(1, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i += 4)
        memcpy(zeros + i, &(float){0.1F}, 4);
    begin_answer(zeros, LARGE_BYTES);
    cr_assert(http_compress_as(&request, HTTP_GZIP));
    cr_assert(request.response.body_bytes < LARGE_BYTES / 100, "%zu", request.response.body_bytes);
    http_drop_response(&request);
    free(zeros);
}

Test(coding, what_does_not_get_smaller_is_left_alone)
{
    uint32_t *noise = malloc(LARGE_BYTES), state = 1;
    for (size_t i = 0; i < LARGE_BYTES / 4; i++) {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        noise[i] = state;
    }
    cr_assert(!check_answer(HTTP_GZIP, (char *)noise, LARGE_BYTES, "noise"));
    cr_assert(!check_answer(HTTP_DEFLATE, (char *)noise, 1024, "a little noise"));
    memset(noise, 0, LARGE_BYTES);
    cr_assert(!check_answer(HTTP_GZIP, (char *)noise, 1023, "a short one"));
    cr_assert(!check_answer(HTTP_IDENTITY, (char *)noise, 4096, "nobody asks"));
    free(noise);
}

Test(coding, an_answer_beyond_the_budget_or_too_late_is_left_alone)
{
    char *zeros = calloc(1, LARGE_BYTES);
    begin_answer(zeros, LARGE_BYTES);
    memory_set_max(LARGE_BYTES);
    cr_assert(!http_compress_as(&request, HTTP_GZIP));
    cr_assert(request.reserved_bytes == 0 && request.response.body_bytes == LARGE_BYTES);
    memory_set_max(2 * LARGE_BYTES);
    request.deadline.at_s = 0;
    cr_assert(!http_compress_as(&request, HTTP_GZIP));
    cr_assert(request.reserved_bytes == 0 && request.response.body_bytes == LARGE_BYTES);
    request.deadline.at_s = 1e300;
    cr_assert(http_compress_as(&request, HTTP_GZIP));
    http_drop_response(&request);
    free(zeros);
}

#ifndef MALLOC_IS_TAKEN

static char zeros[4096];

/* Without memory it is not compressed; that is no error. */
static bool compress_or_not(struct ppm_error *error)
{
    (void)error;
    request.response.header_count = 0;
    http_respond_within(&request, 200, "a/b", NULL, zeros, sizeof zeros);
    const bool is_compressed = http_compress_as(&request, HTTP_GZIP);
    return is_compressed == (strcmp(header("Content-Encoding"), "gzip") == 0) &&
           is_compressed == (request.response.body != zeros) && request.reserved_bytes == 0;
}

static void drop_response(void)
{
    http_drop_response(&request);
}

Test(coding, without_memory_answers_are_left_alone)
{
    begin_answer(zeros, sizeof zeros);
    http_drop_response(&request);
    heap_sweep(&(struct heap_attempt){"compressing", compress_or_not, drop_response,
                                      .threads = HEAP_THIS_THREAD, .expected = true,
                                      .requests_min = 4});
}

#endif

/* test_http_body.c - bodies, collected in pieces of any size and then inflated: up to the limits,
 * and what is no compressed body, byte by byte. */
#include "server/base/buffers.h"
#include "server/base/memory.h"
#include "server/http/coding.h"
#include "server/http/http.h"
#include "server/http/http_body.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "server/http/inflate.h"
#include "tests/compressed.h"
#include "tests/heap_sweep.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct http_server server;
static struct http_request request;
static size_t arrived_bytes;

static size_t refused_at_bytes; /* arrived_bytes from which on the body is refused; 0: never */

static enum http_next note_arrival(struct http_request *of)
{
    cr_assert(of->body_bytes >= arrived_bytes && of->body_bytes <= of->body_capacity);
    arrived_bytes = of->body_bytes;
    return refused_at_bytes && arrived_bytes >= refused_at_bytes ? HTTP_RESPOND : HTTP_PROCEED;
}

static const struct http_route route = {.arrived = note_arrival, .body_bytes_max = HTTP_BODY_ANY};
static char path[] = "/";

static void begin_body(size_t body_max_bytes, size_t memory_max_bytes)
{
    memory_set_max(memory_max_bytes);
    server = (struct http_server){.options = {.settings = {.body_max_bytes = body_max_bytes}}};
    request =
        (struct http_request){.server = &server, .route = &route, .target = "/", .path = path};
    arrived_bytes = 0;
}

static void end_request(void)
{
    http_keep(&request, 0);
    http_free_inflater(&request);
    http_drop_response(&request);
    buffer_give(request.body);
    request.body = NULL;
    cr_assert(memory_taken() == 0);
}

static unsigned status_of(const struct ppm_error *error)
{
    static const unsigned statuses[] = {
        [PPM_MALFORMED] = 400, [PPM_TOO_LARGE] = 413, [PPM_NO_MEMORY] = 503};
    return error->status == PPM_OK ? 0 : statuses[error->status];
}

static struct ppm_error refusal; /* of what was inflated */

/* The status that the body is refused with, or 0. */
static unsigned take(enum http_coding coding, const char *bytes, size_t count, size_t piece_bytes)
{
    refusal = (struct ppm_error){0};
    if (coding != HTTP_IDENTITY)
        cr_assert(http_expect_compressed(&request, coding));
    for (size_t at = 0; at < count; at += piece_bytes) {
        /* a separate copy, so that a sanitizer sees reads past the end */
        const size_t piece = count - at < piece_bytes ? count - at : piece_bytes;
        char *copy = malloc(piece);
        memcpy(copy, bytes + at, piece);
        http_take_body(&request, copy, piece);
        free(copy);
    }
    cr_assert(request.body_refusal == 0 || (!request.body && request.body_bytes == 0));
    if (request.body_refusal == 0 && request.is_compressed)
        http_inflate_body(&request, NULL, NULL, &refusal);
    return request.body_refusal ? request.body_refusal : status_of(&refusal);
}

static enum compressed_format format_of(enum http_coding coding)
{
    return coding == HTTP_GZIP ? COMPRESSED_GZIP : COMPRESSED_ZLIB;
}

/* count bytes, of which all and none are like another, by turns. */
static char *make_bytes(size_t count)
{
    char *bytes = malloc(count + 1);
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        bytes[i] = (char)(i / 5000 % 2 ? state >> 24 : 7);
    }
    return bytes;
}

Test(http_body, pieces_of_any_size)
{
    static const size_t sizes[] = {1, 2, 100, 65535, 65536, 65537, 300000};
    static const size_t pieces[] = {1, 2, 3, 1000, 1 << 20};
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (enum http_coding coding = HTTP_IDENTITY; coding < HTTP_CODING_COUNT; coding++)
            for (size_t p = 0; p < COUNT(pieces); p++) {
                size_t count = sizes[s];
                char *bytes = make_bytes(sizes[s]);
                char *sent = coding == HTTP_IDENTITY
                                 ? make_bytes(sizes[s])
                                 : compressed_make(format_of(coding), bytes, sizes[s], &count);
                begin_body(1 << 20, 1 << 21);
                cr_assert(take(coding, sent, count, pieces[p]) == 0, "%zu", sizes[s]);
                cr_assert(
                    request.body_bytes == sizes[s] && memcmp(request.body, bytes, sizes[s]) == 0,
                    "%zu bytes in pieces of %zu: %zu", sizes[s], pieces[p], request.body_bytes);
                cr_assert(request.reserved_bytes == request.body_capacity, "%zu",
                          request.reserved_bytes);
                end_request();
                free(bytes);
                free(sent);
            }
}

Test(http_body, of_a_refused_one_nothing_is_kept)
{
    char *bytes = make_bytes(300000);
    begin_body(1 << 20, 1 << 20);
    refused_at_bytes = 70000;
    cr_assert(take(HTTP_IDENTITY, bytes, 300000, 1000) == 0);
    cr_assert(request.is_refused && arrived_bytes == 70000, "%zu", arrived_bytes);
    cr_assert(!request.body && request.body_bytes == 0 && memory_taken() == 0);
    refused_at_bytes = 0;
    end_request();
    free(bytes);
}

Test(http_body, no_body_at_all_is_an_empty_one)
{
    begin_body(1 << 20, 1 << 20);
    cr_assert(take(HTTP_GZIP, "", 0, 1) == 0 && request.body_bytes == 0);
    end_request();
}

Test(http_body, its_length_is_not_that_of_what_was_sent)
{
    begin_body(1 << 20, 1 << 20);
    request.has_content_length = true;
    cr_assert(http_expect_compressed(&request, HTTP_GZIP) && !request.has_content_length);
    end_request();
}

Test(http_body, members_of_gzip_one_after_the_other)
{
    size_t first, second, none;
    char *one = compressed_make(COMPRESSED_GZIP, "one", 3, &first);
    char *two = compressed_make(COMPRESSED_GZIP, "two", 3, &second);
    char *empty = compressed_make(COMPRESSED_GZIP, "", 0, &none);
    char all[512];
    size_t count = 0;
    const struct {
        const char *bytes;
        size_t count;
    } members[] = {{empty, none}, {one, first}, {empty, none}, {two, second}, {empty, none}};
    for (size_t i = 0; i < COUNT(members); i++) {
        memcpy(all + count, members[i].bytes, members[i].count);
        count += members[i].count;
    }
    for (size_t piece = 1; piece <= count; piece++) {
        begin_body(1 << 20, 1 << 20);
        cr_assert(take(HTTP_GZIP, all, count, piece) == 0, "pieces of %zu", piece);
        cr_assert(request.body_bytes == 6 && memcmp(request.body, "onetwo", 6) == 0);
        end_request();
    }
    free(one);
    free(two);
    free(empty);
}

/* ---- what is no compressed body ---- */

static void check_sentence(enum http_coding coding, const char *text, const char *what)
{
    char *body;
    cr_assert(http_refuse_inflation(&request, &refusal) && request.response.status == 400, "%s",
              what);
    cr_assert(asprintf(&body, "%.*s", (int)request.response.body_bytes, request.response.body) > 0);
    cr_assert(strstr(body, text) && strstr(body, "expected") &&
                  strstr(body, coding == HTTP_GZIP ? "gzip" : "deflate"),
              "%s: %s lacks \"%s\"", what, body, text);
    free(body);
}

static void check_refused(enum http_coding coding, const char *sent, size_t count, const char *text,
                          const char *what)
{
    for (size_t piece = 1; piece <= count; piece += count - 1 ? count - 1 : 1) {
        begin_body(1 << 20, 1 << 20);
        cr_assert(take(coding, sent, count, piece) == 400, "%s, %zu bytes in pieces of %zu", what,
                  count, piece);
        check_sentence(coding, text, what);
        end_request();
    }
}

Test(http_body, cut_off_at_each_byte)
{
    for (enum http_coding coding = HTTP_GZIP; coding < HTTP_CODING_COUNT; coding++) {
        size_t count;
        char *bytes = make_bytes(200);
        char *sent = compressed_make(format_of(coding), bytes, 200, &count);
        for (size_t cut = 1; cut < count; cut++)
            check_refused(coding, sent, cut, "ends after", "cut off");
        free(bytes);
        free(sent);
    }
}

/* Nothing depends on the bits between the data's last and the next byte. */
Test(http_body, a_bit_that_is_another)
{
    static const char bytes[] = "every bit of these is different in some of the bodies";
    size_t count, unnoticed = 0;
    char *sent = compressed_make(COMPRESSED_ZLIB, bytes, sizeof bytes, &count);
    for (size_t bit = 0; bit < 8 * count; bit++) {
        sent[bit / 8] ^= (char)(1 << bit % 8);
        begin_body(1 << 20, 1 << 20);
        if (take(HTTP_DEFLATE, sent, count, count) == 0) {
            cr_assert(memcmp(request.body, bytes, sizeof bytes) == 0, "bit %zu", bit);
            unnoticed++;
        } else {
            cr_assert(refusal.status == PPM_MALFORMED, "bit %zu: %d", bit, refusal.status);
        }
        end_request();
        sent[bit / 8] ^= (char)(1 << bit % 8);
    }
    cr_assert(unnoticed < 8, "%zu", unnoticed);
    free(sent);
}

Test(http_body, bytes_behind_the_end)
{
    static const char *const behind[] = {"", "\n", "\x1f", "junk", "\x1f\x8bjunk"};
    for (enum http_coding coding = HTTP_GZIP; coding < HTTP_CODING_COUNT; coding++)
        for (size_t i = 0; i < COUNT(behind); i++) {
            size_t count;
            const size_t more = i == 0 ? 1 : strlen(behind[i]); /* the first is a zero byte */
            char *sent = compressed_make(format_of(coding), "bytes", 5, &count);
            sent = realloc(sent, count + more);
            memcpy(sent + count, behind[i], more);
            check_refused(coding, sent, count + more, "after the end", behind[i]);
            free(sent);
        }
}

Test(http_body, other_formats)
{
    static const struct {
        enum http_coding coding;
        enum compressed_format format;
        const char *text;
    } cases[] = {
        {HTTP_GZIP, COMPRESSED_ZLIB, "RFC 1952"},
        {HTTP_GZIP, COMPRESSED_RAW, "RFC 1952"},
        {HTTP_DEFLATE, COMPRESSED_GZIP, "RFC 1950"},
        {HTTP_DEFLATE, COMPRESSED_RAW, "RFC 1950"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t count;
        char *sent = compressed_make(cases[i].format, "some bytes", 10, &count);
        check_refused(cases[i].coding, sent, count, cases[i].text, "another format");
        free(sent);
    }
    check_refused(HTTP_DEFLATE, "\x78\xbb\0\0\0\1xx", 8, "dictionary", "a preset dictionary");
    check_refused(HTTP_GZIP, "{\"shape\": [1]}", 14, "incorrect header check", "plain JSON");
}

/* ---- limits ---- */

Test(http_body, up_to_the_limit_and_not_a_byte_more)
{
    static const size_t limits[] = {1, 100, 65536, 100000, 131072, 200000};
    for (size_t i = 0; i < COUNT(limits); i++)
        for (enum http_coding coding = HTTP_IDENTITY; coding < HTTP_CODING_COUNT; coding++)
            for (size_t more = 0; more < 2; more++) {
                size_t count = limits[i] + more;
                char *bytes = make_bytes(count);
                char *sent = coding == HTTP_IDENTITY
                                 ? make_bytes(count)
                                 : compressed_make(format_of(coding), bytes, count, &count);
                begin_body(limits[i], 1 << 20);
                const bool is_over = more > 0 || count > limits[i]; /* inflated, or as sent */
                cr_assert(take(coding, sent, count, 1000) == (is_over ? 413 : 0), "%zu + %zu: %u",
                          limits[i], more, request.body_refusal);
                cr_assert(request.body_capacity <= limits[i], "%zu", request.body_capacity);
                end_request();
                free(bytes);
                free(sent);
            }
}

/* A thousand to one: it takes no more of the budget than what was sent, the limit, and zlib's own.
 */
Test(http_body, a_bomb_ends_at_the_limit)
{
    enum { BOMB_BYTES = 32 << 20, LIMIT_BYTES = 3 << 20, ZLIB_BYTES = 1 << 16 };
    size_t count;
    char *zeros = calloc(1, BOMB_BYTES);
    for (enum http_coding coding = HTTP_GZIP; coding < HTTP_CODING_COUNT; coding++) {
        char *sent = compressed_make(format_of(coding), zeros, BOMB_BYTES, &count);
        cr_assert(count < BOMB_BYTES / 1000);
        for (size_t piece = 1000; piece < 100000; piece *= 10) {
            begin_body(LIMIT_BYTES, LIMIT_BYTES + ZLIB_BYTES + 2 * count);
            cr_assert(take(coding, sent, count, piece) == 413, "%s", refusal.text);
            cr_assert(request.reserved_bytes <= LIMIT_BYTES + ZLIB_BYTES + 2 * count);
            end_request();
        }
        free(sent);
    }
    free(zeros);
}

/* What is inflated now and what waits is up to the caller; going on changes nothing. */
static bool is_to_pause(void *calls)
{
    return ++*(int *)calls % 3 == 0;
}

Test(http_body, inflating_goes_on_where_it_was_left)
{
    enum { COUNT_BYTES = 3000000 };
    for (enum http_coding coding = HTTP_GZIP; coding < HTTP_CODING_COUNT; coding++) {
        size_t count;
        int calls = 0, pauses = 0;
        struct ppm_error error = {0};
        char *bytes = make_bytes(COUNT_BYTES);
        char *sent = compressed_make(format_of(coding), bytes, COUNT_BYTES, &count);
        begin_body(1 << 22, 1 << 24);
        cr_assert(http_expect_compressed(&request, coding));
        http_take_body(&request, sent, count);
        cr_assert(request.is_compressed && request.body_bytes == count && arrived_bytes == 0,
                  "what is compressed is for nobody to read");
        while (http_inflate_body(&request, is_to_pause, &calls, &error) == PPM_CANCELLED) {
            cr_assert(request.is_compressed);
            error = (struct ppm_error){0};
            pauses++;
        }
        cr_assert(error.status == PPM_OK && !request.is_compressed, "%s", error.text);
        cr_assert(pauses > COUNT_BYTES / (3 << 16), "%d pauses", pauses);
        cr_assert(request.body_bytes == COUNT_BYTES &&
                  memcmp(request.body, bytes, COUNT_BYTES) == 0);
        cr_assert(request.reserved_bytes == request.body_capacity);
        end_request();
        free(bytes);
        free(sent);
    }
}

/* A length takes nothing; bytes take less than eight times themselves, or 128 KiB. */
Test(http_body, memory_is_taken_as_bytes_come)
{
    enum { LENGTH = 20000000, PIECE = 10000, START_BYTES = 1 << 17 };
    char *bytes = make_bytes(LENGTH);
    size_t moves = 0;
    begin_body(1 << 28, 1 << 28);
    request.has_content_length = true;
    request.content_length = LENGTH;
    for (size_t sent = 0; sent < LENGTH; sent += PIECE) {
        const char *before = request.body;
        http_take_body(&request, bytes + sent, PIECE);
        const size_t come = sent + PIECE, most = 8 * come > START_BYTES ? 8 * come : START_BYTES;
        cr_assert(request.reserved_bytes >= come && request.reserved_bytes <= most,
                  "%zu bytes are taken for %zu", request.reserved_bytes, come);
        cr_assert(request.reserved_bytes == memory_taken());
        moves += request.body != before ? 1 : 0;
    }
    cr_assert(moves <= 5, "it was copied %zu times", moves);
    cr_assert(request.body_refusal == 0 && request.reserved_bytes == LENGTH);
    cr_assert(memcmp(request.body, bytes, LENGTH) == 0);
    end_request();
    free(bytes);
}

/* What a route says of its bodies holds for each, however large others may be. */
Test(http_body, a_route_bounds_its_bodies)
{
    static const struct http_route none = {.body_bytes_max = 0}, small = {.body_bytes_max = 4096};
    size_t count;
    char *bytes = make_bytes(1 << 20);
    char *sent = compressed_make(COMPRESSED_GZIP, bytes, 5000, &count);
    begin_body(1 << 20, 1 << 20);
    request.route = &none;
    cr_assert(take(HTTP_IDENTITY, "x", 1, 1) == 413 && memory_taken() == 0);
    end_request();
    begin_body(1 << 20, 1 << 20);
    request.route = &small;
    cr_assert(take(HTTP_IDENTITY, bytes, 4096, 1000) == 0 && request.reserved_bytes == 4096);
    http_take_body(&request, bytes, 1);
    cr_assert(request.body_refusal == 413 && memory_taken() == 0);
    http_take_body(&request, bytes, 1 << 20);
    cr_assert(request.body_refusal == 413 && memory_taken() == 0);
    end_request();
    begin_body(1 << 20, 1 << 20);
    request.route = &small;
    cr_assert(take(HTTP_GZIP, sent, count, count) == 413 && strstr(refusal.text, "4096"), "%s",
              refusal.text);
    end_request();
    free(sent);
    free(bytes);
}

/* Old and new memory, while one is copied to the other, are no more than the limit. */
Test(http_body, growing_takes_no_more_than_the_limit)
{
    enum { LIMIT_BYTES = 700000 };
    char *piece = calloc(1, 1000);
    size_t before = 0;
    begin_body(LIMIT_BYTES, LIMIT_BYTES);
    for (size_t sent = 0; sent < LIMIT_BYTES; sent += 1000) {
        http_take_body(&request, piece, 1000);
        cr_assert(request.body_refusal == 0, "%zu", sent);
        if (request.body_capacity != before)
            cr_assert(2 * before <= request.body_capacity + 1, "%zu", request.body_capacity);
        before = request.body_capacity;
    }
    cr_assert(request.body_capacity == LIMIT_BYTES);
    end_request();
    free(piece);
}

Test(http_body, beyond_the_budget)
{
    size_t count;
    char *bytes = make_bytes(300000);
    char *sent = compressed_make(COMPRESSED_GZIP, bytes, 300000, &count);
    for (size_t budget = 0; budget < 300000; budget += 30000) {
        begin_body(1 << 20, budget);
        cr_assert(take(HTTP_GZIP, sent, count, 1000) == 503, "%u", request.body_refusal);
        end_request();
    }
    free(bytes);
    free(sent);
}

#ifndef MALLOC_IS_TAKEN

static char *swept;
static size_t swept_count;

static bool inflate_all(struct ppm_error *error)
{
    begin_body(1 << 20, 1 << 21);
    if (!http_expect_compressed(&request, HTTP_GZIP)) {
        ppm_fail(error, PPM_NO_MEMORY, "no inflater");
        return false;
    }
    for (size_t at = 0; at < swept_count && request.body_refusal == 0; at += 50000)
        http_take_body(&request, swept + at, swept_count - at < 50000 ? swept_count - at : 50000);
    if (request.body_refusal == 0 && http_inflate_body(&request, NULL, NULL, error) == PPM_OK)
        return true;
    if (request.body_refusal != 0) {
        cr_assert(request.body_refusal == 503, "%u", request.body_refusal);
        ppm_fail(error, PPM_NO_MEMORY, "503");
    }
    end_request();
    return false;
}

Test(http_body, without_memory_it_is_a_503)
{
    char *bytes = make_bytes(300000);
    swept = compressed_make(COMPRESSED_GZIP, bytes, 300000, &swept_count);
    heap_sweep(&(struct heap_attempt){"inflating", inflate_all, end_request,
                                      .threads = HEAP_THIS_THREAD, .expected = true,
                                      .requests_min = 5});
    free(bytes);
    free(swept);
}

#endif

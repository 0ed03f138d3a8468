/* test_json_reader.c - JSON that is read while it arrives: where the data may be, how much of it
 * is read when, and what memory is asked for. */
#include "server/codec/json/json.h"
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct codec_expectation two_channels = {
    .layout = PPM_NCHW, .channels = 2, .model = "m"};

static struct codec_reader *create(const struct codec_reader_options *options)
{
    struct codec_reader *reader = codec_json_create(options);
    cr_assert(reader != NULL);
    return reader;
}

/* ---- in a list ------------------------------------------------------------------------------- */

static json_t *around_in_two(const char *body, size_t cut, struct codec_reader *reader,
                             struct ppm_error *error)
{
    json_t *around = NULL;
    codec_json_feed(reader, body, cut);
    codec_json_around(reader, body, strlen(body), &around, error);
    return around;
}

/* The data of "inputs": [{..}] is the tensor, whatever else is called so. */
Test(json_reader, finds_data_in_a_list)
{
    static const char *const bodies[] = {
        "{\"id\": \"a\", \"inputs\": [{\"name\": \"x\", \"shape\": [1,2,1,2], \"data\": "
        "[1,2,3,4]}]}",
        "{\"inputs\": [{\"data\": [[[[1,2]],[[3,4]]]], \"shape\": [1,2,1,2], \"parameters\": "
        "{\"data\": 5, \"list\": [{\"data\": [9]}]}}], \"outputs\": [{\"data\": [7]}]}",
        "{\"data\": [0], \"parameters\": {\"inputs\": {\"data\": [8]}, \"a\": [{\"data\": [8]}]}, "
        "\"inputs\": [ {\"shape\": [7], \"data\" : [1 ,2, 3,4 ] , \"x\": \"inputs\"} ]}"};
    const struct codec_reader_options options = {.list = "inputs", .body_bytes_max = 1000};
    static const size_t axes[] = {1, 2, 1, 2};
    static const float expected[] = {1, 2, 3, 4};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        for (size_t cut = 0; cut <= strlen(bodies[i]); cut++) {
            struct codec_reader *reader = create(&options);
            struct ppm_error error = {0};
            struct ppm_tensor x = {0};
            json_t *around = around_in_two(bodies[i], cut, reader, &error);
            cr_assert(around != NULL, "%s cut at %zu: %s", bodies[i], cut, error.text);
            const json_t *input = json_array_get(json_object_get(around, "inputs"), 0);
            cr_assert(codec_json_data_count(reader) == 1 &&
                      json_is_null(json_object_get(input, "data")));
            cr_assert(codec_json_tensor(reader, 0, bodies[i], axes, 4, PPM_NCHW, &x, &error) ==
                          PPM_OK,
                      "%s cut at %zu: %s", bodies[i], cut, error.text);
            cr_assert(memcmp(x.data, expected, sizeof expected) == 0, "%s", bodies[i]);
            ppm_tensor_free(&x);
            json_decref(around);
            codec_json_free(reader);
        }
    }
}

/* Of several objects, in the order of the body; some may have none. */
Test(json_reader, finds_several_data_in_a_list)
{
    static const char body[] =
        "{\"inputs\": [{\"name\": \"a\", \"shape\": [1, 1, 1, 3], \"data\": [1, 2, 3]}, "
        "{\"name\": \"b\", \"parameters\": {\"data\": [7]}}, "
        "{\"data\": [[[[4.5], [5.5]]]], \"name\": \"c\", \"shape\": [1, 1, 2, 1]}], \"id\": \"q\"}";
    const struct codec_reader_options options = {
        .list = "inputs", .data_max = 3, .body_bytes_max = 1000};
    static const size_t axes[][4] = {{1, 1, 1, 3}, {1, 1, 2, 1}};
    static const float expected[][3] = {{1, 2, 3}, {4.5F, 5.5F}};
    for (size_t cut = 0; cut <= strlen(body); cut++) {
        struct codec_reader *reader = create(&options);
        struct ppm_error error = {0};
        json_t *around = around_in_two(body, cut, reader, &error);
        cr_assert(around != NULL, "cut at %zu: %s", cut, error.text);
        cr_assert_eq(codec_json_data_count(reader), COUNT(axes));
        const json_t *inputs = json_object_get(around, "inputs");
        cr_assert(json_is_null(json_object_get(json_array_get(inputs, 0), "data")) &&
                  json_is_null(json_object_get(json_array_get(inputs, 2), "data")));
        for (size_t i = 0; i < COUNT(axes); i++) {
            struct ppm_tensor x = {0};
            cr_assert(codec_json_tensor(reader, i, body, axes[i], 4, PPM_NCHW, &x, &error) ==
                          PPM_OK,
                      "cut at %zu: %s", cut, error.text);
            cr_assert(memcmp(x.data, expected[i], axes[i][2] * axes[i][3] * sizeof(float)) == 0);
            ppm_tensor_free(&x);
        }
        json_decref(around);
        codec_json_free(reader);
    }
}

/* Bytes in sentences are those of the body, whatever data is before them; and one array's fault is
 * no other's. */
Test(json_reader, refuses_several_data_in_a_list)
{
    static const struct {
        const char *body, *sentence;
    } cases[] = {
        {"{\"inputs\": [{\"data\": [1]}, {\"data\": [2]}, {\"data\": [3]}]}",
         "inputs: found \"data\" at byte 51 too, expected at most 2 objects with data"},
        {"{\"inputs\": [{\"data\": [1, 2]}, {\"data\": [1, \"2\"]}]}",
         "data[1] at byte 43: found \"2\", expected a"},
        {"{\"inputs\": [{\"data\": [10, 20]}, {\"data\": [30]}], zzz}", "not JSON, near byte 52"},
        {"{\"inputs\": [{\"data\": [10, 20]}, {\"data\": [30], \"data\": [4]}]}",
         "at byte 55 too, expected at most 2"},
    };
    const struct codec_reader_options options = {
        .list = "inputs", .data_max = 2, .body_bytes_max = 1000};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t cut = 0; cut <= strlen(cases[i].body); cut++) {
            struct codec_reader *reader = create(&options);
            struct ppm_error error = {0};
            json_t *around = around_in_two(cases[i].body, cut, reader, &error);
            if (around) /* the fault is in an array, whose end was found */
                for (size_t k = 0; k < 2; k++) {
                    struct ppm_tensor x = {0};
                    codec_json_tensor(reader, k, cases[i].body, (const size_t[]){1, 1, 2}, 3,
                                      PPM_NCHW, &x, &error);
                    cr_assert(k == 1 || error.status == PPM_OK, "%s", error.text);
                    ppm_tensor_free(&x);
                }
            cr_assert(strstr(error.text, cases[i].sentence) != NULL, "%s cut at %zu: %s",
                      cases[i].body, cut, error.text);
            json_decref(around);
            codec_json_free(reader);
        }
}

Test(json_reader, refuses_data_in_a_list)
{
    static const struct {
        const char *body, *sentence;
    } cases[] = {
        {"{\"inputs\": [{\"data\": [1]}, {\"data\": [2]}]}",
         "inputs: found \"data\" at bytes 21 and 36, expected one object with data"},
        {"{\"inputs\": [{\"data\": \"AAAA\"}]}", "data at byte 21: found \"\"AAAA\"\", expected"},
        {"{\"inputs\": [{\"data\": [1, \"2\"]}]}", "data[1] at byte 25: found \"2\", expected a"},
        {"{\"inputs\": [{\"data\": [1]}}", "not JSON"},
    };
    const struct codec_reader_options options = {.list = "inputs", .body_bytes_max = 1000};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].body); cut++) {
            struct codec_reader *reader = create(&options);
            struct ppm_error error = {0};
            cr_assert(around_in_two(cases[i].body, cut, reader, &error) == NULL);
            cr_assert(error.status == PPM_MALFORMED && strstr(error.text, cases[i].sentence),
                      "%s cut at %zu: %s", cases[i].body, cut, error.text);
            codec_json_free(reader);
        }
    }
}

/* Data elsewhere is not the tensor, and goes through jansson. */
Test(json_reader, a_list_may_lack_data)
{
    static const char *const bodies[] = {
        "{\"data\": [1]}", "{\"inputs\": {\"a\": {\"data\": [1]}}}",
        "{\"outputs\": [{\"data\": [1]}], \"inputs\": []}",
        "{\"a\": {\"inputs\": [{\"data\": [1]}]}}",
        "{\"inputs\": [[{\"data\": [1]}], {\"x\": [{\"data\": [1]}]}]}"};
    const struct codec_reader_options options = {.list = "inputs", .body_bytes_max = 1000};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct codec_reader *reader = create(&options);
        struct ppm_error error = {0};
        json_t *around = around_in_two(bodies[i], 4, reader, &error);
        cr_assert(around != NULL && codec_json_data_count(reader) == 0, "%s: %s", bodies[i],
                  error.text);
        json_t *whole = json_loads(bodies[i], 0, NULL);
        cr_assert(json_equal(around, whole), "%s", bodies[i]);
        json_decref(whole);
        json_decref(around);
        codec_json_free(reader);
    }
}

/* ---- as it arrives --------------------------------------------------------------------------- */

enum { MAPS = 2, PIXELS = 20000, BODY_BYTES_MAX = 40 * MAPS * PIXELS };

/* A body of many numbers of every length, with the shape before the data, after it or in the
 * nesting. */
static size_t write_body(int kind, uint32_t seed, char *ret_body)
{
    static const char *const heads[] = {"{\"shape\": [1,2,100,200], \"data\": [", "{\"data\":[",
                                        "{\"data\":[[["};
    static const char *const ends[] = {"]}", "], \"shape\": [2, 20000, 1]}", "]]]}"};
    char *to = ret_body + sprintf(ret_body, "%s", heads[kind]);
    for (int i = 0; i < MAPS * PIXELS; i++) {
        seed = seed * 1664525 + 1013904223;
        const double value = ((double)seed - 2147483648.0) / (double)(1U << (seed >> 8) % 31);
        const char *between = i + 1 == MAPS * PIXELS ? "" : seed >> 28 ? "," : " ,\n ";
        if (kind == 2 && i + 1 == PIXELS)
            between = "]] , [[";
        if (seed % 97 == 0)
            to += sprintf(to, "null%s", between);
        else
            to += sprintf(to, "%.*g%s", (int)(seed >> 13) % 20 + 1, value, between);
    }
    to += sprintf(to, "%s", ends[kind]);
    cr_assert(to - ret_body < BODY_BYTES_MAX);
    return (size_t)(to - ret_body);
}

struct budget {
    size_t bytes, asked;
};

static bool take(void *context, size_t bytes)
{
    struct budget *budget = context;
    budget->asked++;
    if (bytes > budget->bytes)
        return false;
    budget->bytes -= bytes;
    return true;
}

/* Feeds body in pieces of up to piece_max bytes. Returns the most bytes left unread after one. */
static size_t feed_pieces(struct codec_reader *reader, const char *body, size_t body_bytes,
                          size_t piece_max, uint32_t seed)
{
    size_t left_max = 0;
    for (size_t fed = 0; fed < body_bytes;) {
        seed = seed * 1664525 + 1013904223;
        fed += 1 + (seed >> 8) % piece_max;
        fed = fed < body_bytes ? fed : body_bytes;
        codec_json_feed(reader, body, fed);
        const size_t left = codec_json_left(reader, fed);
        left_max = left > left_max ? left : left_max;
    }
    return left_max;
}

Test(json_reader, pieces_of_every_size_make_the_same_tensor)
{
    static const size_t piece_max[] = {1, 7, 300, 9000, BODY_BYTES_MAX};
    char *body = malloc(BODY_BYTES_MAX);
    cr_assert(body != NULL);
    for (int kind = 0; kind < 3; kind++) {
        const size_t bytes = write_body(kind, 5, body);
        struct ppm_tensor whole = {0};
        struct ppm_error error = {0};
        cr_assert(codec_decode(&codec_json, body, bytes, &two_channels, &whole, &error) == PPM_OK,
                  "%s", error.text);
        for (size_t i = 0; i < COUNT(piece_max); i++) {
            struct budget budget = {.bytes = SIZE_MAX};
            const struct codec_reader_options options = {
                .body_bytes_max = bytes, .reserve = take, .context = &budget};
            struct codec_reader *reader = create(&options);
            struct ppm_tensor x = {0};
            const size_t left = feed_pieces(reader, body, bytes, piece_max[i], (uint32_t)i);
            cr_assert(left < 64, "kind %d, pieces of %zu: %zu bytes left", kind, piece_max[i],
                      left);
            struct codec_members members;
            cr_assert(codec_json_members(reader, body, bytes, &members, &error) == PPM_OK &&
                          codec_json_finish(reader, body, &members, &two_channels, &x, &error) ==
                              PPM_OK,
                      "%s", error.text);
            cr_assert(memcmp(&x.shape, &whole.shape, sizeof x.shape) == 0);
            cr_assert(memcmp(x.data, whole.data, sizeof(float) * MAPS * PIXELS) == 0);
            cr_assert(budget.asked < 16, "memory was asked for %zu times", budget.asked);
            if (kind == 0)
                cr_assert(SIZE_MAX - budget.bytes == sizeof(float) * MAPS * PIXELS);
            cr_assert(SIZE_MAX - budget.bytes <= 2 * bytes);
            ppm_tensor_free(&x);
            codec_json_free(reader);
        }
        ppm_tensor_free(&whole);
    }
    free(body);
}

/* What a shape says takes no memory: it is asked for as numbers come. */
Test(json_reader, a_shape_without_numbers_takes_next_to_nothing)
{
    enum { NUMBERS = 1000 };
    char body[64 + 2 * NUMBERS] = "{\"shape\": [1, 4, 1000, 33554], \"data\": [1,";
    struct budget budget = {.bytes = SIZE_MAX};
    const struct codec_reader_options options = {
        .body_bytes_max = 1 << 28, .reserve = take, .context = &budget};
    struct codec_reader *reader = create(&options);
    size_t bytes = strlen(body), taken;
    for (int i = 1; i <= NUMBERS; i++) {
        codec_json_feed(reader, body, bytes);
        taken = SIZE_MAX - budget.bytes;
        cr_assert(taken >= (size_t)i * sizeof(float) && taken <= 8 * bytes,
                  "%zu bytes for %d numbers", taken, i);
        memcpy(body + bytes, "1,", 3);
        bytes += 2;
    }
    cr_assert(codec_json_left(reader, bytes) <= 2);
    codec_json_free(reader);
}

/* Without memory for the numbers they wait for the end, where there may be some. */
Test(json_reader, asks_for_memory_again_at_the_end)
{
    static const char body[] = "{\"shape\": [2, 1, 2], \"data\": [1, 2, 3, 4]}";
    for (size_t granted = 0; granted < 2; granted++) {
        struct budget budget = {0};
        const struct codec_reader_options options = {
            .body_bytes_max = sizeof body - 1, .reserve = take, .context = &budget};
        struct codec_reader *reader = create(&options);
        struct ppm_tensor x = {0};
        struct ppm_error error = {0};
        codec_json_feed(reader, body, sizeof body - 5);
        codec_json_feed(reader, body, sizeof body - 1);
        cr_assert(budget.asked == 1 && codec_json_left(reader, sizeof body - 1) == 13);
        budget.bytes = 16 * granted;
        struct codec_members members = {.axis_count = 0};
        cr_assert(codec_json_members(reader, body, sizeof body - 1, &members, &error) == PPM_OK);
        codec_json_finish(reader, body, &members, &two_channels, &x, &error);
        cr_assert(error.status == (granted ? PPM_OK : PPM_NO_MEMORY), "%s", error.text);
        cr_assert((x.data != NULL) == granted);
        ppm_tensor_free(&x);
        codec_json_free(reader);
    }
}

/* A shape that is not the data's is only a hint. */
Test(json_reader, more_numbers_than_the_shape_at_sight)
{
    static const char body[] = "{\"inputs\": [{\"shape\": [1, 1, 1]}, {\"data\": [1, 2, 3, 4]}]}";
    static const size_t axes[] = {2, 1, 2};
    const struct codec_reader_options options = {.list = "inputs",
                                                 .body_bytes_max = sizeof body - 1};
    struct codec_reader *reader = create(&options);
    struct ppm_error error = {0};
    struct ppm_tensor x = {0};
    json_t *around = around_in_two(body, sizeof body - 1, reader, &error);
    cr_assert(around != NULL, "%s", error.text);
    cr_assert(codec_json_tensor(reader, 0, body, axes, 3, PPM_NCHW, &x, &error) == PPM_OK, "%s",
              error.text);
    cr_assert(((const float *)x.data)[3] == 4);
    ppm_tensor_free(&x);
    json_decref(around);
    codec_json_free(reader);
}

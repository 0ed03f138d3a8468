/* test_codec_in_place.c - bodies that are tensors in place, responses that need no copy. */
#include "server/codec/forms.h"
#include "server/codec/json/json.h"
#include "server/codec/npy/npy.h"
#include "server/codec/raw/raw.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const float values[4] = {1, -2.5F, 1e-45F, 3.40282347e38F};
static const size_t axes[4] = {1, 2, 1, 2};
static const struct codec_expectation expectation = {
    .layout = PPM_NCHW, .axes = axes, .axis_count = 4, .channels = 2, .model = "m"};

/* A body of zeros after the header of a .npy, version 1; padded to a multiple. */
static char *make_npy(const char *dictionary, size_t multiple, size_t data_bytes, size_t *ret_bytes)
{
    const size_t used = 10 + strlen(dictionary);
    const size_t head = (used + multiple - 1) / multiple * multiple;
    char *body = aligned_alloc(64, (head + data_bytes + 63) / 64 * 64);
    memcpy(body, "\x93NUMPY\1\0", 8);
    body[8] = (char)(head - 10);
    body[9] = 0;
    memset(body + 10, ' ', head - 10);
    memcpy(body + 10, dictionary, strlen(dictionary));
    memset(body + head, 0, data_bytes);
    *ret_bytes = head + data_bytes;
    return body;
}

Test(codec_in_place, a_body_of_float32_is_looked_at_where_it_stands)
{
    _Alignas(64) char body[sizeof values];
    struct ppm_tensor x = {0};
    struct ppm_error error = {0};
    memcpy(body, values, sizeof body);
    cr_assert(codec_look(&codec_raw, body, sizeof body, &expectation, &x, &error) == PPM_OK, "%s",
              error.text);
    cr_assert(x.data == body && x.is_batch && x.dtype == PPM_FLOAT32 && x.layout == PPM_NCHW);
    cr_assert(x.shape.n == 1 && x.shape.c == 2 && x.shape.h == 1 && x.shape.w == 2);

    size_t bytes;
    char *npy = make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2), }", 64,
                         sizeof values, &bytes);
    const struct codec_expectation any_shape = {.channels = 2, .model = "m"};
    cr_assert(codec_look(&codec_npy, npy, bytes, &any_shape, &x, &error) == PPM_OK, "%s",
              error.text);
    cr_assert(x.data == npy + bytes - sizeof values && !x.is_batch && x.shape.c == 2);
    cr_assert(codec_look(&codec_npy, npy, bytes, &expectation, &x, &error) == PPM_MALFORMED);
    cr_assert_str_eq(error.text, "shape: found [2, 1, 2] in the body and [1, 2, 1, 2] in the query "
                                 "or header, expected them to agree");
    free(npy);
}

Test(codec_in_place, what_has_to_be_decoded_has_a_shape_alone)
{
    static const struct {
        const char *descr, *fortran;
        size_t multiple, data_bytes;
    } cases[] = {{"<f8", "False", 64, 32}, /* wider */
                 {"<f2", "False", 64, 8},  /* narrower */
                 {"<f4", "True", 64, 16},  /* in another order */
                 {"<f4", "False", 1, 16}}; /* not aligned for a float */
    for (size_t i = 0; i < COUNT(cases); i++) {
        char dictionary[128];
        size_t bytes;
        struct ppm_tensor x = {0}, decoded = {0};
        struct ppm_error error = {0};
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s', 'fortran_order': %s, 'shape': (1, 2, 1, 2)%s}", cases[i].descr,
                 cases[i].fortran, cases[i].multiple == 1 ? "  " : "");
        char *body = make_npy(dictionary, cases[i].multiple, cases[i].data_bytes, &bytes);
        cr_assert(cases[i].multiple == 64 || bytes % 4 != 0, "%zu", bytes);
        cr_assert(codec_look(&codec_npy, body, bytes, &expectation, &x, &error) == PPM_OK, "%s",
                  error.text);
        cr_assert(x.data == NULL && x.shape.n == 1 && x.shape.c == 2 && x.shape.w == 2);
        cr_assert(codec_decode(&codec_npy, body, bytes, &expectation, &decoded, &error) == PPM_OK);
        ppm_tensor_free(&decoded);
        free(body);
    }
    _Alignas(64) char odd[sizeof values + 1];
    struct ppm_tensor x = {0};
    struct ppm_error error = {0};
    cr_assert(codec_look(&codec_raw, odd + 1, sizeof values, &expectation, &x, &error) == PPM_OK);
    cr_assert(x.data == NULL && x.shape.c == 2);
    char json[] = "{\"shape\": [2, 1, 1], \"data\": [1, 2]}";
    x = (struct ppm_tensor){0};
    cr_assert(codec_look(&codec_json, json, strlen(json), &expectation, &x, &error) == PPM_OK);
    cr_assert(x.data == NULL && x.shape.n == 0, "JSON tells its shape no sooner");
}

/* What a body's first bytes say about x: its position, if it can be used in place. */
Test(codec_in_place, a_look_ahead_needs_the_header_alone)
{
    static const struct {
        const char *descr, *fortran;
        size_t channels;
        bool is_told, is_in_place;
    } cases[] = {{"<f4", "False", 2, true, true},
                 {"<f4", "True", 2, true, false},
                 {"<f8", "False", 2, true, false},
                 {"<f4", "False", 3, false, false},
                 {">f4", "False", 2, false, false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char dictionary[128];
        size_t bytes;
        struct ppm_tensor x = {.shape.n = 77};
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '%s', 'fortran_order': %s, 'shape': (9, %zu, 70, 2)}", cases[i].descr,
                 cases[i].fortran, cases[i].channels);
        char *body = make_npy(dictionary, 64, 0, &bytes);
        codec_look_ahead(&codec_npy, body, bytes, &expectation, &x);
        cr_expect_eq(x.shape.n, cases[i].is_told ? 9 : 0, "%zu", i);
        cr_expect(x.data == (cases[i].is_in_place ? body + bytes : NULL), "%zu", i);
        for (size_t cut = 0; cut < bytes; cut++) {
            char *part = malloc(cut + 1);
            memcpy(part, body, cut);
            codec_look_ahead(&codec_npy, part, cut, &expectation, &x);
            cr_expect(x.shape.n == 0 && !x.data, "%zu, %zu bytes", i, cut);
            free(part);
        }
        free(body);
    }
}

Test(codec_in_place, a_look_ahead_at_other_forms)
{
    _Alignas(64) char body[4] = {0};
    const struct codec_expectation shapeless = {.channels = 2, .model = "m"};
    struct ppm_tensor x = {.shape.n = 77};
    codec_look_ahead(&codec_json, body, sizeof body, &expectation, &x);
    cr_expect(x.shape.n == 0 && !x.data);
    codec_look_ahead(&codec_raw, body, sizeof body, &expectation, &x);
    cr_expect(x.shape.n == 1 && x.shape.w == 2 && x.data == body);
    codec_look_ahead(&codec_raw, body, sizeof body, &shapeless, &x);
    cr_expect(x.shape.n == 0 && !x.data);
}

/* A look refuses what decoding refuses, in the same words. */
Test(codec_in_place, a_bad_body_is_refused_at_a_look)
{
    static const struct {
        const char *dictionary;
        size_t data_bytes;
    } cases[] = {{"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 2)}", 15},
                 {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 1, 2)}", 24},
                 {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 0, 2)}", 0},
                 {"{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2, 1, 2)}", 16},
                 {"{'descr': '<f4'", 16}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bytes;
        struct ppm_tensor x = {0};
        struct ppm_error looked = {0}, decoded = {0};
        char *body = make_npy(cases[i].dictionary, 64, cases[i].data_bytes, &bytes);
        codec_look(&codec_npy, body, bytes, &expectation, &x, &looked);
        codec_decode(&codec_npy, body, bytes, &expectation, &x, &decoded);
        cr_assert(looked.status != PPM_OK && looked.status == decoded.status, "case %zu", i);
        cr_assert_str_eq(looked.text, decoded.text);
        cr_assert(x.data == NULL && x.shape.n == 0, "case %zu", i);
        free(body);
    }
    static const size_t sizes[] = {0, 15, 17};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        _Alignas(64) char body[32] = {0};
        struct ppm_tensor x = {0};
        struct ppm_error error = {0};
        cr_assert(codec_look(&codec_raw, body, sizes[i], &expectation, &x, &error) ==
                  PPM_MALFORMED);
        cr_assert(x.data == NULL && x.shape.n == 0);
    }
}

static void check_in_place(const struct codec_form *form, enum ppm_dtype dtype)
{
    _Alignas(64) char memory[CODEC_HEAD_BYTES_MAX + sizeof values];
    struct ppm_tensor y = {.shape = {1, 2, 1, 2},
                           .is_batch = true,
                           .dtype = dtype,
                           .data = memory + CODEC_HEAD_BYTES_MAX};
    const struct codec_answer answer = {.tensor = &y, .model = "m", .threads = 1};
    struct codec_bytes in_place = {0}, copy = {0};
    struct ppm_error error = {0};
    memcpy(y.data, values, sizeof values);
    const bool is_in_place = codec_encode_in_place(form, &y, CODEC_FLOAT32, &in_place);
    cr_assert(is_in_place == (form->head != NULL));
    if (!is_in_place)
        return;
    cr_assert(in_place.data >= memory && in_place.data + in_place.size == memory + sizeof memory);
    cr_assert(codec_encode(form, &answer, &copy, &error) == PPM_OK);
    cr_assert(copy.size == in_place.size);
    cr_assert_arr_eq(copy.data, in_place.data, copy.size);
    free(copy.data);
}

Test(codec_in_place, an_answer_has_the_same_bytes_as_a_copy)
{
    for (const struct codec_form *const *form = codec_forms; *form; form++) {
        check_in_place(*form, PPM_FLOAT32);
        check_in_place(*form, PPM_INT32);
    }
}

/* test_dtype.c - the types of an element on the wire: names, values at any address, raw and .npy.
 */
#include "server/codec/forms.h"
#include "server/codec/json/json.h"
#include "server/codec/npy/npy.h"
#include "server/codec/raw/raw.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dtype {
    enum codec_dtype dtype;
    const char *name;
    size_t bytes;
    int fraction_bits; /* 0: float32 */
    bool in_npy;
} dtypes[] = {{CODEC_FLOAT32, "float32", 4, 0, true},
              {CODEC_FLOAT16, "float16", 2, 10, true},
              {CODEC_BFLOAT16, "bfloat16", 2, 7, false}};

Test(dtype, names)
{
    static const char *const strangers[] = {"",       "Float16",   "float16 ", "half",
                                            "float8", "bfloat16x", "float",    "int32"};
    cr_assert(COUNT(dtypes) == CODEC_DTYPE_COUNT);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        enum codec_dtype found = CODEC_DTYPE_COUNT;
        cr_expect_str_eq(codec_dtype_name(dtypes[i].dtype), dtypes[i].name);
        cr_expect(codec_dtype_from_name(dtypes[i].name, &found) && found == dtypes[i].dtype);
        cr_expect(codec_dtype_bytes(dtypes[i].dtype) == dtypes[i].bytes);
        cr_expect(codec_has_dtype(&codec_raw, dtypes[i].dtype));
        cr_expect(codec_has_dtype(&codec_npy, dtypes[i].dtype) == dtypes[i].in_npy);
        cr_expect(codec_has_dtype(&codec_json, dtypes[i].dtype) ==
                  (dtypes[i].dtype == CODEC_FLOAT32));
    }
    for (size_t i = 0; i < COUNT(strangers); i++) {
        enum codec_dtype found = CODEC_DTYPE_COUNT;
        cr_expect(!codec_dtype_from_name(strangers[i], &found) && found == CODEC_DTYPE_COUNT,
                  "\"%s\"", strangers[i]);
    }
}

/* ---- values ---- */

enum { MOST = 2500 }; /* more than are converted at a time */
static const size_t counts[] = {0, 1, 15, 17, 1023, 1024, 1025, MOST};

/* Of all magnitudes, and some that are special. */
static void make_values(float values[MOST])
{
    static const float specials[] = {0,     -0.0F,      INFINITY, -INFINITY,
                                     65520, 65519.996F, 0x1p-25F, 3e38F};
    support_random(values, MOST, 1);
    for (size_t i = 0; i < MOST; i++)
        values[i] =
            i % 50 < COUNT(specials) ? specials[i % 50] : ldexpf(values[i], (int)(i % 45) - 28);
}

static void expected_bytes(const struct dtype *dtype, float value, char ret[4])
{
    const uint16_t half =
        dtype->fraction_bits ? support_nearest_half(value, dtype->fraction_bits) : 0;
    memcpy(ret, dtype->fraction_bits ? (const void *)&half : (const void *)&value, dtype->bytes);
}

static void check_encoded(const struct dtype *dtype, const float *values, size_t count,
                          const char *found)
{
    for (size_t i = 0; i < count; i++) {
        char expected[4];
        expected_bytes(dtype, values[i], expected);
        cr_assert(memcmp(found + i * dtype->bytes, expected, dtype->bytes) == 0,
                  "%s: %zu of %zu, %a", dtype->name, i, count, (double)values[i]);
    }
}

Test(dtype, values_are_encoded_at_any_address)
{
    static float values[MOST];
    char *bytes = malloc(MOST * 4 + 8);
    make_values(values);
    for (size_t i = 0; i < COUNT(dtypes); i++)
        for (size_t k = 0; k < COUNT(counts); k++)
            for (size_t odd = 0; odd < 4; odd++) {
                const size_t size = counts[k] * dtypes[i].bytes;
                memset(bytes, 77, MOST * 4 + 8);
                codec_encode_values(dtypes[i].dtype, values, counts[k], bytes + 1 + odd);
                check_encoded(&dtypes[i], values, counts[k], bytes + 1 + odd);
                cr_assert(bytes[odd] == 77 && bytes[1 + odd + size] == 77);
            }
    free(bytes);
}

Test(dtype, values_are_encoded_where_they_stand)
{
    static float values[MOST], place[MOST + 1];
    make_values(values);
    for (size_t i = 0; i < COUNT(dtypes); i++)
        for (size_t k = 0; k < COUNT(counts); k++) {
            memcpy(place, values, sizeof values);
            place[counts[k]] = 77;
            codec_encode_values(dtypes[i].dtype, place, counts[k], place);
            check_encoded(&dtypes[i], values, counts[k], (const char *)place);
            cr_assert(place[counts[k]] == 77);
        }
}

Test(dtype, values_are_decoded_from_any_address)
{
    static float values[MOST], found[MOST + 1];
    char *bytes = malloc(MOST * 4 + 8);
    make_values(values);
    for (size_t i = 0; i < COUNT(dtypes); i++)
        for (size_t k = 0; k < COUNT(counts); k++)
            for (size_t odd = 0; odd < 4; odd++) {
                for (size_t at = 0; at < counts[k]; at++)
                    expected_bytes(&dtypes[i], values[at], bytes + odd + at * dtypes[i].bytes);
                found[counts[k]] = 77;
                codec_decode_values(dtypes[i].dtype, bytes + odd, counts[k], found);
                cr_assert(found[counts[k]] == 77);
                for (size_t at = 0; at < counts[k]; at++) {
                    const float expected =
                        dtypes[i].fraction_bits
                            ? support_half_value(
                                  support_nearest_half(values[at], dtypes[i].fraction_bits),
                                  dtypes[i].fraction_bits)
                            : values[at];
                    cr_assert(memcmp(&found[at], &expected, sizeof expected) == 0,
                              "%s: %zu of %zu, %a is %a", dtypes[i].name, at, counts[k],
                              (double)values[at], (double)found[at]);
                }
            }
    free(bytes);
}

/* ---- bodies ---- */

static const size_t axes[4] = {1, 2, 1, 3};

static struct codec_expectation expecting(enum codec_dtype dtype, bool is_explicit)
{
    return (struct codec_expectation){.layout = PPM_NCHW,
                                      .axes = axes,
                                      .axis_count = 4,
                                      .dtype = dtype,
                                      .dtype_is_explicit = is_explicit,
                                      .channels = 2,
                                      .model = "m"};
}

Test(dtype, a_raw_body_is_of_the_type_expected)
{
    const float values[6] = {1, -2, 0.5F, 0, 65504, 0.25F}; /* all types have but 65504 */
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        const struct codec_expectation expectation = expecting(dtypes[i].dtype, true);
        _Alignas(64) char body[64];
        float room[6];
        struct ppm_tensor x = {0}, seen = {0}, roomy = {.data = room};
        struct ppm_error error = {0};
        const size_t bytes = 6 * dtypes[i].bytes;
        codec_encode_values(dtypes[i].dtype, values, 6, body);
        cr_assert(codec_decode(&codec_raw, body, bytes, &expectation, &x, &error) == PPM_OK, "%s",
                  error.text);
        cr_assert(codec_decode(&codec_raw, body, bytes, &expectation, &roomy, &error) == PPM_OK);
        cr_assert(codec_look(&codec_raw, body, bytes, &expectation, &seen, &error) == PPM_OK);
        cr_expect(x.dtype == PPM_FLOAT32 && x.shape.c == 2 && x.shape.w == 3 && x.is_batch);
        for (size_t k = 0; k < 6; k++)
            cr_expect(((const float *)x.data)[k] == (k == 4 && i == 2 ? 65536 : values[k]));
        cr_expect(roomy.data == room && memcmp(room, x.data, sizeof room) == 0);
        cr_expect(seen.data == (dtypes[i].dtype == CODEC_FLOAT32 ? body : NULL) &&
                  seen.shape.w == 3);
        ppm_tensor_free(&x);
    }
}

Test(dtype, a_raw_body_of_another_size_is_refused)
{
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        const struct codec_expectation expectation = expecting(dtypes[i].dtype, true);
        const size_t right = 6 * dtypes[i].bytes;
        const size_t wrong[] = {right - 1, right + 1, right == 24 ? 12 : 24};
        for (size_t k = 0; k < COUNT(wrong); k++) {
            char body[32] = {0}, sentence[96];
            struct ppm_tensor x = {0};
            struct ppm_error error = {0};
            snprintf(sentence, sizeof sentence,
                     "found %zu bytes, expected %zu for shape [1, 2, 1, 3] of %s", wrong[k], right,
                     dtypes[i].name);
            cr_expect(codec_decode(&codec_raw, body, wrong[k], &expectation, &x, &error) ==
                      PPM_MALFORMED);
            cr_expect_str_eq(error.text, sentence);
        }
    }
}

/* A .npy, version 1, of zeros. */
static size_t make_npy(const char *descr, size_t element_bytes, char ret[256])
{
    memset(ret, 0, 256);
    memcpy(ret, "\x93NUMPY\1\0", 8);
    ret[8] = (char)sprintf(
        ret + 10, "{'descr': '%s', 'fortran_order': False, 'shape': (1, 2, 1, 3), }\n", descr);
    ret[10 + ret[8]] = 0;
    return 10 + (size_t)ret[8] + 6 * element_bytes;
}

/* A .npy states its dtype, and the query must agree. */
Test(dtype, a_npy_body_agrees_with_the_query)
{
    static const struct {
        const char *descr;
        size_t bytes;
        int agrees; /* with that dtype; -1: with none */
    } cases[] = {{"<f4", 4, CODEC_FLOAT32}, {"<f2", 2, CODEC_FLOAT16}, {"<f8", 8, -1}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < 2 * COUNT(dtypes); k++) {
            const struct dtype *dtype = &dtypes[k / 2];
            const struct codec_expectation expectation = expecting(dtype->dtype, k % 2);
            const bool is_fine = k % 2 == 0 || (int)dtype->dtype == cases[i].agrees;
            char body[256], sentence[128];
            struct ppm_tensor x = {0}, seen = {0};
            struct ppm_error error = {0}, looked = {0};
            const size_t bytes = make_npy(cases[i].descr, cases[i].bytes, body);
            snprintf(sentence, sizeof sentence,
                     "dtype: found '%s' in the npy header and %s in the query, expected them to "
                     "agree",
                     cases[i].descr, dtype->name);
            codec_look(&codec_npy, body, bytes, &expectation, &seen, &looked);
            codec_decode(&codec_npy, body, bytes, &expectation, &x, &error);
            cr_expect(error.status == (is_fine ? PPM_OK : PPM_MALFORMED), "%s, %s: %s",
                      cases[i].descr, dtype->name, error.text);
            cr_expect_str_eq(looked.text, error.text);
            if (!is_fine)
                cr_expect_str_eq(error.text, sentence);
            ppm_tensor_free(&x);
        }
}

/* Room for the values is the caller's, whatever becomes of the body. */
Test(dtype, room_stays_with_who_gave_it)
{
    static const double beyond = 1e300;
    char body[256];
    float room[6];
    struct ppm_tensor x = {.data = room};
    struct ppm_error error = {0}, beyond_error = {0};
    struct codec_expectation expectation = expecting(CODEC_FLOAT32, false);
    const size_t bytes = make_npy("<f8", sizeof beyond, body);
    memcpy(body + bytes - sizeof beyond, &beyond, sizeof beyond);
    cr_expect(codec_decode(&codec_npy, body, bytes, &expectation, &x, &beyond_error) ==
              PPM_MALFORMED);
    memset(body + bytes - sizeof beyond, 0, sizeof beyond);
    expectation.channels = 3;
    cr_expect(codec_decode(&codec_npy, body, bytes, &expectation, &x, &error) == PPM_UNFIT);
    cr_expect(x.data == room && x.shape.n == 0);
}

/* ---- answers ---- */

static void check_answer(const struct codec_form *form, const struct dtype *dtype,
                         enum ppm_dtype kind)
{
    static const float values[6] = {1, -2, 1e-7F, 65520, 3.14159F, INFINITY};
    _Alignas(64) char memory[CODEC_HEAD_BYTES_MAX + sizeof values];
    const struct ppm_tensor y = {.shape = {1, 2, 1, 3},
                                 .is_batch = true,
                                 .dtype = kind,
                                 .data = memory + CODEC_HEAD_BYTES_MAX};
    const struct dtype *sent = kind == PPM_INT32 ? &dtypes[0] : dtype;
    struct codec_bytes bytes = {0};
    memcpy(y.data, values, sizeof values);
    cr_assert(codec_encode_in_place(form, &y, dtype->dtype, &bytes));
    const size_t head_bytes = (size_t)((char *)y.data - bytes.data);
    cr_expect(bytes.data >= memory && bytes.size == head_bytes + 6 * sent->bytes);
    check_encoded(sent, values, 6, bytes.data + head_bytes);
    if (form == &codec_npy)
        cr_expect(strstr(bytes.data + 10, kind == PPM_INT32  ? "'<i4'"
                                          : sent->bytes == 2 ? "'<f2'"
                                                             : "'<f4'") != NULL);
}

Test(dtype, an_answer_is_of_the_type_asked_for)
{
    for (size_t i = 0; i < COUNT(dtypes); i++)
        for (const struct codec_form *const *form = codec_forms; *form; form++)
            if ((*form)->head && codec_has_dtype(*form, dtypes[i].dtype))
                check_answer(*form, &dtypes[i], PPM_FLOAT32);
    check_answer(&codec_raw, &dtypes[1], PPM_INT32);
    check_answer(&codec_npy, &dtypes[1], PPM_INT32);
}

/* A <f2 file reads back as its values. */
Test(dtype, a_npy_of_halves_reads_back)
{
    const struct codec_expectation expectation = expecting(CODEC_FLOAT16, true);
    _Alignas(64) char memory[CODEC_HEAD_BYTES_MAX + 6 * sizeof(float)];
    const float values[6] = {1, -2, 0x1p-24F, 65504, 0.333251953125F, -INFINITY};
    const struct ppm_tensor y = {
        .shape = {1, 2, 1, 3}, .is_batch = true, .data = memory + CODEC_HEAD_BYTES_MAX};
    struct codec_bytes bytes = {0};
    struct ppm_tensor x = {0};
    struct ppm_error error = {0};
    memcpy(y.data, values, sizeof values);
    cr_assert(codec_encode_in_place(&codec_npy, &y, CODEC_FLOAT16, &bytes));
    cr_assert(codec_decode(&codec_npy, bytes.data, bytes.size, &expectation, &x, &error) == PPM_OK,
              "%s", error.text);
    cr_expect(memcmp(x.data, values, sizeof values) == 0);
    ppm_tensor_free(&x);
}

/* test_live_dtype.c - float16 and bfloat16 in bodies and answers of a real server. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_TYPE  "Content-Type: application/octet-stream\r\n"
#define NPY_TYPE  "Content-Type: application/x-npy\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"

static const struct dtype {
    const char *name;
    size_t bytes;
    int fraction_bits; /* 0: float32 */
} dtypes[] = {{"float32", 4, 0}, {"float16", 2, 10}, {"bfloat16", 2, 7}};

/* Values that are exact in every type, so that each way of sending them sends the same. */
static float *make_exact(size_t count)
{
    float *x = malloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(i * 37 % 255) / 64 - 2;
    return x;
}

/* In the wire format. */
static char *encode(const float *values, size_t count, const struct dtype *dtype)
{
    char *bytes = malloc(count * dtype->bytes);
    for (size_t i = 0; i < count; i++) {
        const uint16_t half =
            dtype->fraction_bits ? support_nearest_half(values[i], dtype->fraction_bits) : 0;
        memcpy(bytes + i * dtype->bytes,
               dtype->fraction_bits ? (const void *)&half : (const void *)&values[i], dtype->bytes);
    }
    return bytes;
}

static struct live_answer post_raw(const struct live *live, const char *shape, const float *x,
                                   size_t count, const struct dtype *in, const struct dtype *out)
{
    char target[128];
    char *body = encode(x, count, in);
    snprintf(target, sizeof target, "/ppm?shape=%s&dtype=%s&out_dtype=%s", shape, in->name,
             out->name);
    struct live_answer answer = live_ask(live, "POST", target, RAW_TYPE, body, count * in->bytes);
    cr_assert(answer.status == 200, "%s: %d %s", target, answer.status, answer.body);
    free(body);
    return answer;
}

/* Every type in and every type out: the response to float32, rounded. */
static void check_types(const struct live *live, const char *shape, size_t count)
{
    float *x = make_exact(count);
    struct live_answer exact = post_raw(live, shape, x, count, &dtypes[0], &dtypes[0]);
    const size_t answered = exact.body_bytes / sizeof(float);
    float *y = malloc(exact.body_bytes);
    memcpy(y, exact.body, exact.body_bytes);
    for (size_t in = 0; in < COUNT(dtypes); in++)
        for (size_t out = 0; out < COUNT(dtypes); out++) {
            char value[LIVE_HEADER_BYTES], expected_shape[LIVE_HEADER_BYTES];
            struct live_answer answer = post_raw(live, shape, x, count, &dtypes[in], &dtypes[out]);
            char *expected = encode(y, answered, &dtypes[out]);
            cr_expect_str_eq(live_header(&answer, "X-Tensor-Dtype", value), dtypes[out].name);
            live_header(&exact, "X-Tensor-Shape", expected_shape);
            cr_expect_str_eq(live_header(&answer, "X-Tensor-Shape", value), expected_shape);
            cr_assert(answer.body_bytes == answered * dtypes[out].bytes);
            cr_assert(memcmp(answer.body, expected, answer.body_bytes) == 0, "%s: %s to %s", shape,
                      dtypes[in].name, dtypes[out].name);
            free(expected);
            live_answer_free(&answer);
        }
    live_answer_free(&exact);
    free(x);
    free(y);
}

/* On the connection's thread and on the executor, which keeps its memory for x. */
Test(live_dtype, every_type_goes_in_and_comes_out)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    check_types(&live, "1,4,10,10", 400);
    check_types(&live, "4,7,9", 252);
    check_types(&live, "1,4,200,200", 160000);
    live_stop(&live);
}

/* The golden result, to the accuracy of the type, and values that are rounded on input. */
Test(live_dtype, answers_are_those_of_the_model)
{
    static const double accuracies[] = {1e-5, 0x1p-10, 0x1p-7};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        float largest = 0;
        struct live_answer answer =
            post_raw(&live, x.shape, x.values, x.count, &dtypes[i], &dtypes[i]);
        cr_assert(answer.body_bytes == y.count * dtypes[i].bytes);
        for (size_t k = 0; k < y.count; k++)
            largest = fabsf(y.values[k]) > largest ? fabsf(y.values[k]) : largest;
        for (size_t k = 0; k < y.count; k++) {
            float found;
            uint16_t half;
            memcpy(&found, answer.body + k * dtypes[i].bytes, dtypes[i].bytes);
            memcpy(&half, &found, sizeof half);
            if (dtypes[i].fraction_bits)
                found = support_half_value(half, dtypes[i].fraction_bits);
            cr_assert(fabs((double)(found - y.values[k])) <= 4 * accuracies[i] * (double)largest,
                      "%s: value %zu is %g, expected %g", dtypes[i].name, k, (double)found,
                      (double)y.values[k]);
        }
        live_answer_free(&answer);
    }
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

/* float16 in and out as .npy, with a query that agrees with the header. */
Test(live_dtype, npy_tells_its_own)
{
    static const char head[] = "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 4, 2, 2)}\n";
    static const char *const targets[] = {"/ppm?out_dtype=float16",
                                          "/ppm?dtype=float16&out_dtype=float16"};
    const size_t head_bytes = 10 + strlen(head);
    struct live live;
    char body[128] = "\x93NUMPY\x01";
    float *x = make_exact(16);
    char *halves = encode(x, 16, &dtypes[1]);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    body[8] = (char)strlen(head);
    memcpy(body + 10, head, strlen(head));
    memcpy(body + head_bytes, halves, 32);
    struct live_answer raw = post_raw(&live, "1,4,2,2", x, 16, &dtypes[1], &dtypes[1]);
    for (size_t i = 0; i < COUNT(targets); i++) {
        char value[LIVE_HEADER_BYTES];
        struct live_answer answer =
            live_ask(&live, "POST", targets[i], NPY_TYPE, body, head_bytes + 32);
        cr_assert(answer.status == 200, "%s: %s", targets[i], answer.body);
        cr_expect_str_eq(live_header(&answer, "X-Tensor-Dtype", value), "float16");
        cr_assert(answer.body_bytes == 128 + raw.body_bytes && strstr(answer.body + 10, "'<f2'"));
        cr_assert(memcmp(answer.body + 128, raw.body, raw.body_bytes) == 0);
        live_answer_free(&answer);
    }
    live_answer_free(&raw);
    free(halves);
    free(x);
    live_stop(&live);
}

Test(live_dtype, json_is_float32)
{
    static const char body[] = "{\"shape\": [1, 4, 1, 1], \"data\": [1, 2, 3, 4]}";
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer plain = live_ask(&live, "POST", "/ppm", JSON_TYPE, body, strlen(body));
    struct live_answer said = live_ask(&live, "POST", "/ppm?dtype=float32&out_dtype=float32",
                                       JSON_TYPE, body, strlen(body));
    cr_assert(plain.status == 200 && said.status == 200, "%s", said.body);
    cr_expect_str_eq(said.body, plain.body);
    struct live_answer raw =
        live_ask(&live, "POST", "/ppm?out_dtype=bfloat16",
                 JSON_TYPE "Accept: application/octet-stream\r\n", body, strlen(body));
    char value[LIVE_HEADER_BYTES];
    cr_assert(raw.status == 200, "%s", raw.body);
    cr_expect_str_eq(live_header(&raw, "X-Tensor-Dtype", value), "bfloat16");
    cr_expect(raw.body_bytes == 12 * 2);
    live_answer_free(&plain);
    live_answer_free(&said);
    live_answer_free(&raw);
    live_stop(&live);
}

/* ---- refusals ---- */

Test(live_dtype, refusals)
{
    static const struct {
        const char *target, *headers;
        size_t bytes; /* of zeros */
        int status;
        const char *detail;
    } cases[] = {
        {"/ppm?shape=1,4,2,2&dtype=half", RAW_TYPE, 32, 400,
         "dtype: found \"half\", expected float32, float16 or bfloat16"},
        {"/ppm?shape=1,4,2,2&dtype=", RAW_TYPE, 32, 400, "dtype: found \"\""},
        {"/ppm?shape=1,4,2,2&out_dtype=int32", RAW_TYPE, 64, 400, "out_dtype: found \"int32\""},
        {"/ppm?shape=1,4,2,2&dtype=float16", RAW_TYPE, 64, 400,
         "the body has 64 bytes, expected the 32 of the shape's float16 values"},
        {"/ppm?shape=1,4,2,2&dtype=bfloat16", RAW_TYPE, 33, 400, "32 of the shape's bfloat16"},
        {"/ppm?shape=1,4,2,2", RAW_TYPE, 32, 400, "64 of the shape's float32"},
        {"/ppm?dtype=float16", JSON_TYPE, 2, 400, "dtype: found float16 for a JSON body"},
        {"/ppm?out_dtype=float16", JSON_TYPE, 2, 406,
         "out_dtype: found float16, which application/json does not have"},
        {"/ppm?shape=1,4,2,2&out_dtype=bfloat16", RAW_TYPE "Accept: application/x-npy\r\n", 64, 406,
         "out_dtype: found bfloat16, which application/x-npy does not have"},
        {"/ppm/output-argmax?shape=1,4,2,2&out_dtype=float16", RAW_TYPE, 64, 422,
         "out_dtype: found float16, but model \"output-argmax\" answers int32"},
        {"/ppm/output-argmax?shape=1,4,2,2&out_dtype=float32", RAW_TYPE, 64, 422, "answers int32"},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--model", GOLDEN("output-argmax")), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char zeros[64] = {0};
        struct live_answer answer =
            live_ask(&live, "POST", cases[i].target, cases[i].headers, zeros, cases[i].bytes);
        live_check_problem(&answer, cases[i].status, cases[i].detail, cases[i].target);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

/* Its header only comes with the body. */
Test(live_dtype, npy_that_disagrees)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm?dtype=float16", NPY_TYPE, x.file, x.file_bytes);
    live_check_problem(&answer, 400, "found '<f4' in the npy header and float16 in the query",
                       "npy");
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", "/ppm?dtype=float32", NPY_TYPE, x.file, x.file_bytes);
    cr_expect(answer.status == 200, "%s", answer.body);
    live_answer_free(&answer);
    live_tensor_free(&x);
    live_stop(&live);
}

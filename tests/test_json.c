/* test_json.c - tensors as JSON: what is read, what is refused and in which words, what is written.
 */
#include "server/codec/json/json.h"
#include "server/codec/json/numbers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Reads body in the pieces that end at cuts, each time from memory that ends where it ends. */
static enum ppm_status decode_pieces(const char *body, size_t body_bytes, const size_t *cuts,
                                     size_t cut_count, const struct codec_reader_options *options,
                                     const struct codec_expectation *expectation,
                                     struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_reader *reader = codec_json_create(options);
    cr_assert(reader != NULL);
    for (size_t i = 0; i <= cut_count; i++) {
        const size_t bytes = i < cut_count ? cuts[i] : body_bytes;
        char *copy = malloc(bytes + (bytes == 0));
        cr_assert(copy != NULL);
        memcpy(copy, body, bytes);
        codec_json_feed(reader, copy, bytes);
        struct codec_members members;
        if (i == cut_count && codec_json_members(reader, copy, bytes, &members, error) == PPM_OK)
            codec_json_finish(reader, copy, &members, expectation, ret_tensor, error);
        free(copy);
    }
    codec_json_free(reader);
    return error->status;
}

static size_t data_bytes(const struct ppm_tensor *tensor)
{
    return 4 * tensor->shape.n * tensor->shape.c * tensor->shape.h * tensor->shape.w;
}

/* Neither tensor nor sentence depends on the pieces. */
static void check_pieces(const char *body, size_t body_bytes, const size_t *cuts, size_t cut_count,
                         const struct codec_reader_options *options,
                         const struct codec_expectation *expectation,
                         const struct ppm_tensor *whole, const struct ppm_error *whole_error)
{
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    const enum ppm_status status =
        decode_pieces(body, body_bytes, cuts, cut_count, options, expectation, &tensor, &error);
    cr_assert(status == whole_error->status && strcmp(error.text, whole_error->text) == 0,
              "%.80s cut at %zu: \"%s\", whole: \"%s\"", body, cuts[0], error.text,
              whole_error->text);
    cr_assert(memcmp(&tensor.shape, &whole->shape, sizeof tensor.shape) == 0 &&
                  tensor.layout == whole->layout && tensor.is_batch == whole->is_batch &&
                  (status != PPM_OK || memcmp(tensor.data, whole->data, data_bytes(whole)) == 0),
              "%.80s cut at %zu: another tensor", body, cuts[0]);
    ppm_tensor_free(&tensor);
}

/* Every cut in two, and byte by byte; with a length that is known, and with one far beyond. */
static void check_all_pieces(const char *body, size_t body_bytes,
                             const struct codec_expectation *expectation,
                             const struct ppm_tensor *whole, const struct ppm_error *whole_error)
{
    enum { CUTS_MAX = 512 };
    static size_t cuts[CUTS_MAX];
    for (size_t more = 0; more <= 100000 && body_bytes <= CUTS_MAX; more += 100000) {
        const struct codec_reader_options options = {.body_bytes_max = body_bytes + more};
        for (size_t cut = 0; cut <= body_bytes; cut++)
            check_pieces(body, body_bytes, &cut, 1, &options, expectation, whole, whole_error);
        for (size_t i = 0; i < body_bytes; i++)
            cuts[i] = i;
        check_pieces(body, body_bytes, cuts, body_bytes, &options, expectation, whole, whole_error);
    }
}

/* Decodes body from memory that ends where it ends, for a model of two channels; whole and in
 * pieces. */
static enum ppm_status decode_bytes(const char *body, size_t body_bytes, bool is_explicit,
                                    struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const struct codec_expectation expectation = {
        .layout = PPM_NCHW, .layout_is_explicit = is_explicit, .channels = 2, .model = "m"};
    char *copy = malloc(body_bytes + (body_bytes == 0));
    cr_assert(copy != NULL);
    memcpy(copy, body, body_bytes);
    const enum ppm_status status =
        codec_decode(&codec_json, copy, body_bytes, &expectation, ret_tensor, error);
    free(copy);
    check_all_pieces(body, body_bytes, &expectation, ret_tensor, error);
    return status;
}

static enum ppm_status decode(const char *body, struct ppm_tensor *ret_tensor,
                              struct ppm_error *error)
{
    return decode_bytes(body, strlen(body), false, ret_tensor, error);
}

Test(json, reads_tensors)
{
    static const struct {
        const char *body;
        struct ppm_shape shape;
        enum ppm_layout layout;
        bool is_batch;
        float values[4];
    } cases[] = {
        {"{\"shape\": [1,2,1,2], \"data\": [1,-2.5,3e2,0.25]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         true,
         {1, -2.5F, 300, 0.25F}},
        {"{\"data\":[1,2,3,4],\"shape\":[2,2,1]}", {1, 2, 2, 1}, PPM_NCHW, false, {1, 2, 3, 4}},
        {" \r\n\t{ \"data\" : [ 1 ,\n2\t, 3,4 ] , \"shape\":[2,1,2]} \n",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"data\": [[[1, 2]], [[3, 4]]]}", {1, 2, 1, 2}, PPM_NCHW, false, {1, 2, 3, 4}},
        {"{\"data\": [[[[1], [2]], [[3], [4]]]]}", {1, 2, 2, 1}, PPM_NCHW, true, {1, 2, 3, 4}},
        {"{\"data\": [ [ [ [ 1 ] ,\n[2] ],[[3 ] , [4]] ] ] }",
         {1, 2, 2, 1},
         PPM_NCHW,
         true,
         {1, 2, 3, 4}},
        {"{\"shape\": [1,2,1,2], \"data\": [[[[1, 2]], [[3, 4]]]]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         true,
         {1, 2, 3, 4}},
        {"{\"shape\": [2,1,2], \"data\": [1,2,3,4], \"layout\": \"NHWC\"}",
         {1, 2, 2, 1},
         PPM_NHWC,
         false,
         {1, 2, 3, 4}},
        {"{\"model\": \"x\", \"dtype\": \"float32\", \"shape\": [2,1,2], \"data\": [1,2,3,4]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"dtype\": \"int32\", \"shape\": [2,1,2], \"data\": [1,2,3,4]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"model\": \"a \\\"data\\\": [{ \\\\\", \"shape\": [2,1,2], \"data\": [1,2,3,4]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"model\": \"\\\"\", \"shape\": [2,1,2], \"data\": [1,2,3,4]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"model\": \"data\", \"shape\": [2,1,2], \"data\": [1,2,3,4]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {1, 2, 3, 4}},
        {"{\"shape\": [2,1,2], \"data\": [1e-50,-1e-400,1e-45,3.402823567797336e38]}",
         {1, 2, 1, 2},
         PPM_NCHW,
         false,
         {0, -0.0F, 1e-45F, 3.40282347e38F}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        cr_assert(decode(cases[i].body, &tensor, &error) == PPM_OK, "%s: %s", cases[i].body,
                  error.text);
        cr_assert(memcmp(&tensor.shape, &cases[i].shape, sizeof tensor.shape) == 0, "%s",
                  cases[i].body);
        cr_assert(tensor.layout == cases[i].layout && tensor.is_batch == cases[i].is_batch, "%s",
                  cases[i].body);
        cr_assert(tensor.dtype == PPM_FLOAT32);
        cr_assert(memcmp(tensor.data, cases[i].values, sizeof cases[i].values) == 0, "%s",
                  cases[i].body);
        ppm_tensor_free(&tensor);
    }
}

Test(json, null_is_not_a_number)
{
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode("{\"data\": [[[null]], [[ null ]]]}", &tensor, &error) == PPM_OK, "%s",
              error.text);
    const float *values = tensor.data;
    cr_assert(isnan(values[0]) && isnan(values[1]));
    ppm_tensor_free(&tensor);
}

/* ---- refusals -------------------------------------------------------------------------------- */

struct refusal {
    const char *body, *sentence;
};

static void check_refusals(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        const enum ppm_status status = decode(cases[i].body, &tensor, &error);
        cr_assert(status == PPM_MALFORMED, "%.80s: status %d, \"%s\"", cases[i].body, (int)status,
                  error.text);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL,
                  "%.80s: found \"%s\", expected \"%s\"", cases[i].body, error.text,
                  cases[i].sentence);
        cr_assert(tensor.data == NULL && tensor.shape.n == 0);
    }
}

Test(json, refuses_what_is_no_number)
{
    static const struct refusal cases[] = {
        {"{\"data\": [1, NaN]}", "data[1] at byte 13: found NaN, expected a number (or null for a "
                                 "value that is not finite)"},
        {"{\"data\": [[[1, 2], [3, -Infinity]]]}",
         "data[0][1][1] at byte 23: found -Infinity, expected a number (or null"},
        {"{\"data\": [Infinity]}", "data[0] at byte 10: found Infinity, expected a number"},
        {"{\"data\": [nul]}", "found nul, expected a number"},
        {"{\"data\": [-null]}", "found -null, expected a number"},
        {"{\"data\": [nullnull]}", "found nullnull, expected a number"},
        {"{\"data\": [+1]}", "found +1, expected a number"},
        {"{\"data\": [.5]}", "found .5, expected a number"},
        {"{\"data\": [5.]}", "found 5., expected a number"},
        {"{\"data\": [007]}", "found 007, expected a number"},
        {"{\"data\": [0x10]}", "found 0x10, expected a number"},
        {"{\"data\": [1e]}", "found 1e, expected a number"},
        {"{\"data\": [true]}", "found true, expected a number"},
        {"{\"data\": [1, \"2\"]}", "data[1] at byte 13: found \"2\", expected a number"},
        {"{\"data\": [1, \"]\"]}", "data[1] at byte 13: found \"]\", expected a number"},
        {"{\"data\": [1, {}]}", "data[1] at byte 13: found {, expected a number"},
        {"{\"data\": [1, {\"a\": [2]}]}", "data[1] at byte 13: found {, expected a number"},
        {"{\"data\": [1 2]}", "data[1] at byte 12: found 2, expected ',' or ']'"},
        {"{\"data\": [1,]}", "data[1] at byte 12: found ], expected a number"},
        {"{\"data\": [,1]}", "data[0] at byte 10: found ,, expected a number"},
        {"{\"data\": []}", "data[0] at byte 10: found ], expected a number"},
        {"{\"data\": [[], [1]]}", "data[0][0] at byte 11: found ], expected a number"},
        {"{\"data\": [1, 3.5e38]}", "data[1] at byte 13: found 3.5e38, beyond float32, expected at "
                                    "most 3.4028235e+38"},
        {"{\"data\": [-3.4028235677973366e38]}", "found -3.4028235677973366e38, beyond float32"},
        {"{\"data\": [1e400]}", "found 1e400, beyond float32"},
        {"{\"data\": [1, \xff]}", "data[1] at byte 13: found \\xff, expected a number"},
        {"{\"data\": [\x01]}", "found \\x01, expected a number"},
        {"{\"data\": [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]}",
         "found aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..., expected"},
        {"{\"data\": [1, 2", "data[2] at byte 14: found the end of the body, expected ',' or ']'"},
        {"{\"data\": [1, ", "data[1] at byte 13: found the end of the body, expected a number"},
        {"{\"data\": [", "data[0] at byte 10: found the end of the body, expected a number"},
        {"{\"data\": [[1], ", "data[1] at byte 15: found the end of the body, expected an array"},
        {"{\"data\": [1, \"", "data[1] at byte 13: found \", expected a number"},
    };
    check_refusals(cases, COUNT(cases));
}

Test(json, refuses_irregular_nesting)
{
    static const struct refusal cases[] = {
        {"{\"data\": [[[1, 2], [3]]]}",
         "data[0][1] at byte 21: the array that ends here has length "
         "1, expected 2 like the arrays before it"},
        {"{\"data\": [[[1, 2], [3, 4, 5]]]}", "data[0][1] at byte 27: the array that ends here has "
                                              "length 3, expected 2"},
        {"{\"data\": [[[1], [2]], [[3]]]}",
         "data[1] at byte 26: the array that ends here has length "
         "1, expected 2"},
        {"{\"data\": [[1], 2]}",
         "data[1] at byte 15: found 2, expected an array, like those before it"},
        {"{\"data\": [1, [2]]}", "data[1] at byte 13: found [, expected a number"},
        {"{\"data\": [[1], [[2]]]}", "data[1][0] at byte 16: found [, expected a number"},
        {"{\"data\": [[[[[1]]]]]}",
         "data[0][0][0][0] at byte 13: found [, expected arrays nested at "
         "most 4 deep"},
        {"{\"data\": [[1, 2], [3, 4]]}",
         "the shape is missing and data is nested 2 deep, expected 3 "
         "or 4"},
        {"{\"data\": [1, 2, 3]}", "the shape is missing and data is flat (3 numbers), expected a "
                                  "member \"shape\": [1, 4, 30, 30]"},
    };
    check_refusals(cases, COUNT(cases));
}

Test(json, refuses_data_that_is_not_as_shape_says)
{
    static const struct refusal cases[] = {
        {"{\"shape\": [2, 1, 2], \"data\": [1, 2, 3]}",
         "data holds 3 numbers, expected 4 for shape [2, 1, 2]"},
        {"{\"shape\": [2, 1, 2], \"data\": [1, 2, 3, 4, 5]}", "data holds 5 numbers, expected 4"},
        {"{\"shape\": [2, 1, 2], \"data\": [1]}", "data holds 1 number, expected 4"},
        {"{\"shape\": [2, 1, 2], \"data\": [[[1, 2]], [[3, 4]], [[5, 6]]]}",
         "data is nested as [3, 1, 2], expected [2, 1, 2], the shape"},
        {"{\"shape\": [2, 1, 2], \"data\": [[1, 2], [3, 4]]}",
         "data is nested as [2, 2], expected [2, 1, 2], the shape"},
        {"{\"shape\": [2, 1, 2], \"data\": [[[[1, 2]], [[3, 4]]]]}",
         "data is nested as [1, 2, 1, 2], expected [2, 1, 2], the shape"},
        {"{\"shape\": [2, 1, 2], \"data\": [[[1], [2]], [[3], [4]]]}",
         "data is nested as [2, 2, 1], expected [2, 1, 2], the shape"},
        {"{\"shape\": [2, 1, 1], \"data\": [[[[1]]], [[[2]]]]}",
         "data is nested as [2, 1, 1, 1], expected [2, 1, 1], the shape"},
        /* No machine has this much memory; nothing is allocated. */
        {"{\"shape\": [1, 2, 1000000, 1000000000], \"data\": [1, 2]}",
         "data holds 2 numbers, expected 2000000000000000 for shape [1, 2, 1000000, 1000000000]"},
        {"{\"shape\": [4294967296, 4294967296, 4294967296], \"data\": [1]}", "overflows"},
        {"{\"shape\": [1, 2, 9223372036854775807, 9], \"data\": [1]}", "overflows"},
    };
    check_refusals(cases, COUNT(cases));
}

Test(json, refuses_members)
{
    static const struct refusal cases[] = {
        {"{\"shape\": [1, 2], \"data\": [1]}",
         "shape: found [1,2], expected an array of 3 or 4 positive integers"},
        {"{\"shape\": [1, 2, 3, 4, 5], \"data\": [1]}", "shape: found [1,2,3,4,5], expected"},
        {"{\"shape\": \"1,2,3\", \"data\": [1]}", "shape: found \"1,2,3\", expected an array"},
        {"{\"shape\": null, \"data\": [1]}", "shape: found null, expected an array"},
        {"{\"shape\": [1, 2, 0], \"data\": [1]}", "shape[2]: found 0, expected a positive integer"},
        {"{\"shape\": [1, -2, 3], \"data\": [1]}", "shape[1]: found -2, expected"},
        {"{\"shape\": [1, 2, 3.0], \"data\": [1]}", "shape[2]: found 3.0, expected"},
        {"{\"shape\": [1, \"2\", 3], \"data\": [1]}", "shape[1]: found \"2\", expected"},
        {"{\"shape\": [1, 2, 9223372036854775808], \"data\": [1]}", "too big integer"},
        {"{\"layout\": \"nchw\", \"data\": [[[1]]]}",
         "layout: found \"nchw\", expected \"NCHW\" or \"NHWC\""},
        {"{\"layout\": 1, \"data\": [[[1]]]}", "layout: found 1, expected"},
        {"{\"dtype\": \"float64\", \"data\": [[[1]]]}",
         "dtype: found \"float64\", expected \"float32\" or \"int32\""},
        {"{\"model\": 5, \"data\": [[[1]]]}", "model: found 5, expected a model's name"},
        {"{\"date\": [1], \"data\": [[[1]]]}",
         "unknown member \"date\"; known members are shape, data, layout, dtype and model"},
        {"{\"\xc3\xa9\\n\": 1, \"data\": [[[1]]]}", "unknown member \"\\xc3\\xa9\\x0a\""},
        {"{\"shape\": [2, 1, 1]}", "the body has no \"data\", expected {\"shape\":"},
        {"{}", "the body has no \"data\""},
        {"{\"a\": {\"data\": null}, \"data\": [1]}", "unknown member \"a\""},
    };
    check_refusals(cases, COUNT(cases));
}

Test(json, refuses_data_by_another_way)
{
    static const struct refusal cases[] = {
        {"{\"data\": null}", "data at byte 9: found \"null\", expected an array of numbers"},
        {"{\"data\": 5, \"shape\": [1]}", "data at byte 9: found \"5\", expected an array"},
        {"{\"data\":", "data at byte 8: found \"\", expected an array"},
        {"{\"data\": \"AAAA\"}", "data at byte 9: found \"\"AAAA\"\", expected an array"},
        {"{\"data\": [1], \"data\": [2]}",
         "the body has \"data\" twice, at bytes 9 and 22, expected it once"},
        {"{\"d\\u0061ta\": [[[1]]]}", "the key \"data\" is written with escapes"},
        {"{\"data\": [1], \"d\\u0061ta\": [2]}", "duplicate object key"},
        {"{\"shape\": [1,1,1], \"shape\": [1,1,1], \"data\": [1]}", "duplicate object key"},
    };
    check_refusals(cases, COUNT(cases));
}

Test(json, refuses_what_is_not_json)
{
    static const struct refusal cases[] = {
        {"", "the body is empty, expected JSON such as {\"shape\":"},
        {"  ", "the body is empty, expected JSON such as {\"shape\":"},
        {"[1, 2]", "the body begins with \"[1, 2]\", expected a JSON object such as {\"shape\":"},
        {"\x93NUMPY",
         "the body begins with a NumPy .npy file, expected {, as in {\"shape\": [1, 4, 30, 30], "
         "\"data\": [..]}; send it with Content-Type: application/x-npy"},
        {"\x1f\x8b\x08", "the body begins with gzip data, expected {"},
        {"<html>", "the body begins with an HTML page, expected {"},
        {"\xef\xbb\xbf{\"data\": [1]}", "the body begins with a UTF-8 byte order mark, expected {"},
        {"{", "not JSON"},
        {"{\"data\": [1]", "not JSON, near byte 12: '}' expected"},
        {"{\"data\": [1]}}", "not JSON, near byte 14: end of file expected"},
        {"{\"data\": [1, 2, 3, 4, 5]} trailing", "not JSON, near byte 34: end of file expected"},
        {"{\"data\": [1]]", "not JSON"},
        {"{\"data\" [1]}", "not JSON"},
        {"{data: [1]}", "not JSON"},
        {"{'data': [1]}", "not JSON"},
        {"{\"data\": [1],}", "not JSON"},
        {"{\"data\": [1] \"shape\": [1]}", "not JSON"},
        {"{\"model\": \"\xff\", \"data\": [1]}", "unable to decode byte 0xff"},
        {"{\"model\": \"a\\u0000\", \"data\": [1]}", "not JSON"},
        {"{\"model\": \"never closed, \"data\": [1]}", "not JSON"},
        {"{\"a\": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]], \"data\": [1]}", "nested deeper than 16"},
    };
    check_refusals(cases, COUNT(cases));
}

/* jansson would skip these. */
Test(json, refuses_nul_bytes)
{
    static const struct {
        const char *body;
        size_t bytes;
        size_t at;
    } cases[] = {{"{\"data\": [[[1]], [[2]]]}\0", 25, 24},
                 {"{\"data\": [[[1]], [[2]]]\0}", 25, 23},
                 {"{\0}\0", 4, 1},
                 {"{\"shape\": [2,1,1\0], \"data\": [1,2]}", 34, 16}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        char sentence[64];
        snprintf(sentence, sizeof sentence, "byte %zu is NUL, expected text", cases[i].at);
        cr_assert(decode_bytes(cases[i].body, cases[i].bytes, false, &tensor, &error) ==
                      PPM_MALFORMED,
                  "case %zu", i);
        cr_assert(strstr(error.text, sentence) != NULL, "case %zu: %s", i, error.text);
        cr_assert(!strstr(error.text, "UTF-16") == (cases[i].at != 1), "%s", error.text);
    }
}

Test(json, a_layout_in_the_query_must_agree)
{
    static const char nhwc[] = "{\"layout\": \"NHWC\", \"data\": [[[1, 2]]]}";
    static const char nchw[] = "{\"layout\": \"NCHW\", \"data\": [[[1]], [[2]]]}";
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode_bytes(nhwc, strlen(nhwc), true, &tensor, &error) == PPM_MALFORMED);
    cr_assert_str_eq(error.text,
                     "layout: found \"NHWC\" in the body and NCHW in the query, expected "
                     "them to agree");
    error = (struct ppm_error){0};
    cr_assert(decode_bytes(nchw, strlen(nchw), true, &tensor, &error) == PPM_OK, "%s", error.text);
    ppm_tensor_free(&tensor);
    cr_assert(decode_bytes(nhwc, strlen(nhwc), false, &tensor, &error) == PPM_OK, "%s", error.text);
    cr_assert(tensor.layout == PPM_NHWC && tensor.shape.c == 2);
    ppm_tensor_free(&tensor);
}

/* What jansson has to parse is bounded, wherever it is. */
Test(json, refuses_much_beside_the_data)
{
    static const char *const frames[][2] = {
        {"{\"model\": \"", "\", \"data\": [[[1]], [[2]]]}"},
        {"{\"data\": [[[1]], [[2]]], \"model\": \"", "\"}"},
        {"{\"d\\u0061ta\": \"", "\"}"},
    };
    enum { FILL = 70000 };
    for (size_t i = 0; i < COUNT(frames); i++) {
        char *body = malloc(FILL + 200);
        cr_assert(body != NULL);
        const size_t head = strlen(frames[i][0]);
        memcpy(body, frames[i][0], head);
        memset(body + head, 'a', FILL);
        memcpy(body + head + FILL, frames[i][1], strlen(frames[i][1]) + 1);
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        cr_assert(decode(body, &tensor, &error) == PPM_MALFORMED, "frame %zu", i);
        cr_assert(strstr(error.text, "besides the data, expected at most 65536") != NULL, "%s",
                  error.text);
        free(body);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

Test(json, writes_answers)
{
    float values[4] = {0.1F, NAN, -INFINITY, 16777216};
    struct ppm_tensor tensor = {.shape = {1, 2, 1, 2},
                                .layout = PPM_NCHW,
                                .dtype = PPM_FLOAT32,
                                .is_batch = true,
                                .data = values};
    struct codec_bytes bytes = {0};
    struct ppm_error error = {0};
    cr_assert(
        codec_encode(&codec_json,
                     &(struct codec_answer){.tensor = &tensor, .model = "a\"b\\c\n", .threads = 1},
                     &bytes, &error) == PPM_OK);
    static const char expected[] =
        "{\"model\": \"a\\\"b\\\\c\\u000a\", \"shape\": [1, 2, 1, 2], \"dtype\": \"float32\", "
        "\"layout\": \"NCHW\", \"data\": [0.1,null,null,16777216]}";
    cr_assert(bytes.size == sizeof expected - 1);
    cr_assert(memcmp(bytes.data, expected, bytes.size) == 0, "%.*s", (int)bytes.size, bytes.data);
    cr_assert(tensor.data == values);
    free(bytes.data);
}

Test(json, writes_int32_and_layout)
{
    int32_t values[2] = {INT32_MIN, 20};
    struct ppm_tensor tensor = {.shape = {1, 1, 1, 2},
                                .layout = PPM_NHWC,
                                .dtype = PPM_INT32,
                                .is_batch = false,
                                .data = values};
    struct codec_bytes bytes = {0};
    struct ppm_error error = {0};
    cr_assert(codec_encode(&codec_json,
                           &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1},
                           &bytes, &error) == PPM_OK);
    static const char expected[] = "{\"model\": \"m\", \"shape\": [1, 2, 1], \"dtype\": \"int32\", "
                                   "\"layout\": \"NHWC\", \"data\": [-2147483648,20]}";
    cr_assert(bytes.size == sizeof expected - 1);
    cr_assert(memcmp(bytes.data, expected, bytes.size) == 0, "%.*s", (int)bytes.size, bytes.data);
    free(bytes.data);
}

Test(json, the_longest_answer_fits)
{
    enum { ELEMENTS = 1000, NAME = 127 };
    static float values[ELEMENTS];
    for (size_t i = 0; i < ELEMENTS; i++)
        values[i] = -1.17549449e-38F;
    char name[NAME + 1];
    memset(name, 1, NAME); /* six bytes each as JSON */
    name[NAME] = '\0';
    struct ppm_tensor tensor = {
        .shape = {1, 1, 1, ELEMENTS}, .dtype = PPM_FLOAT32, .is_batch = true, .data = values};
    struct codec_bytes bytes = {0};
    struct ppm_error error = {0};
    cr_assert(codec_encode(&codec_json,
                           &(struct codec_answer){.tensor = &tensor, .model = name, .threads = 1},
                           &bytes, &error) == PPM_OK,
              "%s", error.text);
    cr_assert(bytes.size <= codec_encoded_bytes_max(&codec_json, ELEMENTS));
    free(bytes.data);

    char long_name[1000];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    cr_assert(
        codec_encode(&codec_json,
                     &(struct codec_answer){.tensor = &tensor, .model = long_name, .threads = 1},
                     &bytes, &error) == PPM_TOO_LARGE);
    cr_assert(strstr(error.text, "the model's name takes more than 768 bytes") != NULL);
}

Test(json, threads_write_the_same_bytes)
{
    enum { ELEMENTS = 20011, MEMORY = 16 * ELEMENTS + 1024, GUARD = 64 };
    static float values[ELEMENTS];
    char text[NUMBER_ROOM_BYTES];
    float longest = -1.2e-4F; /* what leaves no byte between the parts, before that some */
    while (number_write_float32(longest, text) - text < NUMBER_TEXT_BYTES_MAX)
        longest = nextafterf(longest, -1);
    for (size_t i = 0; i < ELEMENTS; i++)
        values[i] = i % 3 || i > ELEMENTS / 2 ? longest : (float)(i % 10);
    char *one = malloc(MEMORY + GUARD), *several = malloc(MEMORY + GUARD);
    cr_assert(one != NULL && several != NULL);
    for (int dtype = 0; dtype < 2; dtype++) {
        struct ppm_tensor tensor = {.shape = {1, 1, 1, ELEMENTS},
                                    .dtype = dtype ? PPM_INT32 : PPM_FLOAT32,
                                    .is_batch = true,
                                    .data = values};
        struct ppm_error error = {0};
        size_t one_bytes = 0;
        cr_assert(codec_json.encode(
                      &(struct codec_answer){
                          .tensor = &tensor, .model = "m", .threads = 1, .cancel = NULL},
                      one, &one_bytes, &error) == PPM_OK);
        for (int threads = 2; threads <= 9; threads++) {
            size_t bytes = 0;
            memset(several, '#', MEMORY + GUARD);
            cr_assert(codec_json.encode(
                          &(struct codec_answer){
                              .tensor = &tensor, .model = "m", .threads = threads, .cancel = NULL},
                          several, &bytes, &error) == PPM_OK);
            cr_assert(bytes == one_bytes && memcmp(one, several, bytes) == 0, "%d threads",
                      threads);
            for (size_t i = 0; i < GUARD; i++)
                cr_assert(several[MEMORY + i] == '#', "%d threads wrote past it", threads);
        }
    }
    free(one);
    free(several);
}

/* test_codec.c - what the forms share: media types, Accept, raw bytes, channels. */
#include "server/codec/json/json.h"
#include "server/codec/negotiate.h"
#include "server/codec/npy/npy.h"
#include "server/codec/png/png.h"
#include "server/codec/raw/raw.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

Test(codec, media_types_name_forms)
{
    static const struct {
        const char *text;
        const struct codec_form *form; /* NULL: none */
    } cases[] = {{"application/json", &codec_json},
                 {"Application/JSON; charset=utf-8", &codec_json},
                 {" application/json ;charset=utf-8", &codec_json},
                 {"application/x-npy", &codec_npy},
                 {"application/octet-stream", &codec_raw},
                 {"application/octet-stream;", &codec_raw},
                 {NULL, NULL},
                 {"", NULL},
                 {"application", NULL},
                 {"application/", NULL},
                 {"/json", NULL},
                 {"*/*", NULL},
                 {"text/json", NULL},
                 {"image/png", NULL},
                 {"application/jsonp", NULL},
                 {"application/jso", NULL},
                 {"application/json x", NULL},
                 {"application/json,application/x-npy", NULL}};
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_assert(codec_form_of_type(cases[i].text) == cases[i].form, "case %zu: %s", i,
                  cases[i].text);
    for (const struct codec_form *const *form = codec_forms; *form; form++)
        cr_assert(codec_form_of_type((*form)->media_type) == ((*form)->decode ? *form : NULL));
}

/* In codec_forms; NONE: its end. */
enum { J, N, R, P, NONE };

Test(codec, accept_decides_the_form)
{
    static const struct {
        const char *accept;
        int own, form;
    } cases[] = {
        {NULL, N, N},
        {"", R, R},
        {" , ,, ", R, R},
        {"*/*", N, N},
        {"application/*", R, R},
        {"application/json", N, J},
        {"APPLICATION/X-NPY", J, N},
        {"application/json, application/x-npy", N, N},
        {"application/json, application/x-npy", R, J},
        {"application/x-npy, application/octet-stream", J, N},
        {"application/json;q=0.5, application/x-npy;q=0.501", J, N},
        {"application/json;q=0.5,application/x-npy;q=0.50", R, J},
        {"application/json ; charset=utf-8 ; Q=0.1 , */*;q=0.2", J, N},
        {"application/json;q=0, */*", J, N},
        {"*/*;q=0.9, application/octet-stream;q=0.1", R, J},
        {"application/*;q=0.2, */*;q=0.9", N, N},
        {"application/*;q=0, */*", N, NONE},
        {"*/*;q=0", J, NONE},
        {"*/*;q=0, application/x-npy", J, N},
        {"text/html", J, NONE},
        {"text/*;q=1, application/problem+json", J, NONE},
        {"image/png, */*;q=0.000", J, NONE},
        {"application/json;q=1.000, application/x-npy;q=0.999", N, J},
        /* Malformed ranges are as if they were not there. */
        {"application/json;q=2, application/x-npy", J, N},
        {"application/json;q=1.001, application/x-npy;q=0.1", J, N},
        {"application/json;q=0.1234, application/x-npy;q=0.1", J, N},
        {"application/json;q=, application/x-npy;q=0.1", J, N},
        {"application/json;q, application/x-npy;q=0.1", J, N},
        {"application/json;q=.5, application/x-npy;q=0.1", J, N},
        {"application/json;q=\"1\", application/x-npy;q=0.1", J, N},
        {"application/json q=1, application/x-npy;q=0.1", J, N},
        {"*/json, application/x-npy;q=0.1", J, N},
        {"json, application/octet-stream;q=0.1", J, R},
        {"json", N, N},
        {"application/json;q=0.", N, NONE},
        {"application/json;note=\"a, application/x-npy\", application/octet-stream;q=0.5", N, J},
        {"application/json;note=\"a\\\"b, c\";q=0.5, application/octet-stream", N, R},
        {"application/json;note=\"never closed, application/octet-stream", N, N},
        {"application/json;;q=0.5", N, J},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct codec_form *own = codec_forms[cases[i].own];
        const struct codec_form *form = codec_negotiate(cases[i].accept, own, CODEC_ANY_TENSOR);
        cr_assert(form == codec_forms[cases[i].form], "case %zu, %s: found %s, expected form %d", i,
                  cases[i].accept, form ? form->name : "none", cases[i].form);
    }
}

/* Where the answer may be a PNG: after all others, unless it is asked for. */
Test(codec, accept_may_ask_for_a_png)
{
    static const struct {
        const char *accept;
        int own, form, without;
    } cases[] = {
        {NULL, N, N, N},
        {"*/*", R, R, R},
        {"application/*", R, R, R},
        {"image/png", N, P, NONE},
        {"IMAGE/PNG", J, P, NONE},
        {"image/*", J, P, NONE},
        {"image/png, application/x-npy", N, N, N},
        {"image/png, application/x-npy", J, N, N},
        {"image/png, application/x-npy;q=0.5", N, P, N},
        {"image/png;q=0.5, application/x-npy;q=0.4, */*;q=0.1", J, P, N},
        {"image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", N, P, N},
        {"image/png;q=0, */*", N, N, N},
        {"image/png;q=0, image/*", N, NONE, NONE},
        {"image/*;q=0, image/png;q=0.1", N, P, NONE},
        {"*/*;q=0.5, application/*;q=0", N, P, NONE},
        {"image/webp", N, NONE, NONE},
        {"application/png", N, NONE, NONE},
        {"image/json", N, NONE, NONE},
    };
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        const bool may_be_png = i % 2;
        const struct codec_form *form =
            codec_negotiate(cases[i / 2].accept, codec_forms[cases[i / 2].own],
                            may_be_png ? CODEC_ANY_LABELS : CODEC_ANY_TENSOR);
        cr_assert(form == codec_forms[may_be_png ? cases[i / 2].form : cases[i / 2].without],
                  "%s, %s PNG: found %s", cases[i / 2].accept, may_be_png ? "with" : "without",
                  form ? form->name : "none");
    }
}

/* The sentences list what the table has. */
Test(codec, forms_are_listed_by_what_they_are_for)
{
    static const struct {
        enum codec_use use;
        enum codec_dtype dtype;
        const char *list;
    } cases[] = {
        {CODEC_BODY, CODEC_FLOAT32,
         "application/json, application/x-npy or "
         "application/octet-stream"},
        {CODEC_ANY_LABELS, CODEC_FLOAT32,
         "application/json, application/x-npy, "
         "application/octet-stream or image/png"},
        {CODEC_ANY_TENSOR, CODEC_FLOAT16, "application/x-npy or application/octet-stream"},
        {CODEC_ANY_TENSOR, CODEC_BFLOAT16, "application/octet-stream"},
        {CODEC_ALL_TENSORS, CODEC_FLOAT32, "application/json or application/octet-stream"},
        {CODEC_FILE, CODEC_FLOAT32, ".npy or .png for a map of labels"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char list[CODEC_LIST_BYTES];
        cr_assert_str_eq(codec_list(cases[i].use, cases[i].dtype, list), cases[i].list);
    }
}

/* A row is whole: it reads or it only answers, and writes in one of two ways. */
Test(codec, rows_are_whole)
{
    for (const struct codec_form *const *at = codec_forms; *at; at++) {
        const struct codec_form *form = *at;
        cr_expect(form->name && strchr(form->media_type, '/') && form->element_bytes_max > 0);
        cr_expect(codec_has_dtype(form, CODEC_FLOAT32), "%s", form->name);
        cr_expect((form->head == NULL) == (form->encode != NULL), "%s", form->name);
        cr_expect((form->look == NULL) == (form->look_ahead == NULL), "%s", form->name);
        cr_expect(form->decode || (!form->look && !form->stream), "%s", form->name);
        cr_expect(codec_form_of_extension(form->extension ? form->extension : "?") ==
                  (form->extension ? form : NULL));
    }
}

/* ---- raw bytes ------------------------------------------------------------------------------- */

static const float pattern[12] = {0.5F, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1e-40F};

Test(codec, raw_is_the_memory_image)
{
    static const size_t axes[4] = {1, 2, 3, 2};
    const struct codec_expectation expectation = {
        .layout = PPM_NCHW, .axes = axes, .axis_count = 4, .channels = 2, .model = "m"};
    char body[sizeof pattern + 1]; /* odd addresses are no trouble */
    memcpy(body + 1, pattern, sizeof pattern);
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(codec_decode(&codec_raw, body + 1, sizeof pattern, &expectation, &tensor, &error) ==
                  PPM_OK,
              "%s", error.text);
    cr_assert(tensor.shape.n == 1 && tensor.shape.c == 2 && tensor.shape.h == 3 &&
              tensor.shape.w == 2);
    cr_assert(tensor.is_batch && tensor.dtype == PPM_FLOAT32 && tensor.layout == PPM_NCHW);
    cr_assert(memcmp(tensor.data, pattern, sizeof pattern) == 0);

    struct codec_bytes bytes = {0};
    cr_assert(codec_encode(&codec_raw,
                           &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1},
                           &bytes, &error) == PPM_OK);
    cr_assert(bytes.size == sizeof pattern);
    cr_assert(memcmp(bytes.data, pattern, sizeof pattern) == 0);
    ppm_tensor_free(&tensor);
    free(bytes.data);
}

Test(codec, raw_is_refused)
{
    static const size_t axes[4] = {1, 2, 3, 2};
    static const size_t zero[4] = {1, 2, 0, 2};
    static const size_t huge[4] = {SIZE_MAX, 2, 3, 2};
    static const struct {
        const size_t *axes;
        size_t bytes;
        const char *sentence;
    } cases[] = {
        {NULL, 48, "expected ?shape=1,4,30,30 in the URL or the header X-Tensor-Shape: 1,4,30,30"},
        {axes, 47, "found 47 bytes, expected 48 for shape [1, 2, 3, 2] of float32"},
        {axes, 49, "found 49 bytes, expected 48"},
        {axes, 0, "the body is empty, expected a tensor as application/octet-stream"},
        {zero, 48, "found a dimension of 0"},
        {huge, 48, "overflows"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct codec_expectation expectation = {
            .axes = cases[i].axes, .axis_count = 4, .channels = 2, .model = "m"};
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        char *body = calloc(1, cases[i].bytes + 1);
        cr_assert(body != NULL);
        cr_assert(codec_decode(&codec_raw, body, cases[i].bytes, &expectation, &tensor, &error) ==
                      PPM_MALFORMED,
                  "case %zu", i);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "case %zu: %s", i, error.text);
        cr_assert(tensor.data == NULL && tensor.shape.n == 0);
        free(body);
    }
}

/* ---- channels -------------------------------------------------------------------------------- */

Test(codec, other_channels_are_unfit)
{
    static const struct {
        enum ppm_layout layout;
        size_t axis_count, axes[4];
        const char *sentence;
    } cases[] = {
        {PPM_NCHW,
         4,
         {1, 3, 5, 5},
         "the tensor has 3 channels ([1, 3, 5, 5] as NCHW), model \"listing1\" takes 4"},
        {PPM_NCHW, 4, {1, 1, 5, 5}, "the tensor has 1 channel ("},
        {PPM_NCHW,
         4,
         {1, 5, 5, 4},
         "([1, 5, 5, 4] as NCHW), model \"listing1\" takes 4; with layout=NHWC it fits"},
        {PPM_NCHW,
         3,
         {5, 3, 4},
         "5 channels ([5, 3, 4] as NCHW), model \"listing1\" takes 4; with "
         "layout=NHWC it fits"},
        {PPM_NHWC,
         4,
         {1, 4, 5, 3},
         "3 channels ([1, 4, 5, 3] as NHWC), model \"listing1\" takes 4; with layout=NCHW it fits"},
        {PPM_NHWC, 3, {4, 5, 3}, "with layout=NCHW it fits"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct codec_expectation expectation = {.layout = cases[i].layout,
                                                      .axes = cases[i].axes,
                                                      .axis_count = cases[i].axis_count,
                                                      .channels = 4,
                                                      .model = "listing1"};
        size_t bytes = 4;
        for (size_t axis = 0; axis < cases[i].axis_count; axis++)
            bytes *= cases[i].axes[axis];
        char *body = calloc(1, bytes);
        cr_assert(body != NULL);
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        cr_assert(codec_decode(&codec_raw, body, bytes, &expectation, &tensor, &error) == PPM_UNFIT,
                  "case %zu", i);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "case %zu: %s", i, error.text);
        cr_assert(tensor.data == NULL && tensor.shape.n == 0);
        free(body);
    }
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    const struct codec_expectation expectation = {.channels = 4, .model = "m"};
    const char *body = "{\"data\": [[[1]], [[1]], [[1]]]}";
    cr_assert(codec_decode(&codec_json, body, strlen(body), &expectation, &tensor, &error) ==
              PPM_UNFIT);
    cr_assert(strstr(error.text, "; send") == NULL, "%s", error.text);
}

/* ---- all forms ------------------------------------------------------------------------------- */

/* What is encoded is decoded to the same tensor, in every form, layout and rank. */
Test(codec, float32_round_trips)
{
    for (size_t i = 0; codec_forms[i / 4]; i++) {
        const struct codec_form *form = codec_forms[i / 4];
        if (!form->decode)
            continue;
        struct ppm_tensor tensor = {.shape = {1, 2, 3, 2},
                                    .layout = i & 1 ? PPM_NHWC : PPM_NCHW,
                                    .is_batch = (i & 2) != 0,
                                    .dtype = PPM_FLOAT32};
        struct ppm_error error = {0};
        cr_assert(ppm_tensor_allocate(&tensor, &error) == PPM_OK);
        memcpy(tensor.data, pattern, sizeof pattern);
        size_t axes[4];
        const struct codec_expectation expectation = {.layout = tensor.layout,
                                                      .axes = axes,
                                                      .axis_count = ppm_tensor_axes(&tensor, axes),
                                                      .channels = 2,
                                                      .model = "m"};
        struct codec_bytes bytes = {0};
        cr_assert(codec_encode(
                      form, &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1},
                      &bytes, &error) == PPM_OK,
                  "%s", error.text);
        cr_assert(bytes.size <= codec_encoded_bytes_max(form, 12));
        ppm_tensor_free(&tensor);
        struct ppm_tensor back = {0};
        cr_assert(codec_decode(form, bytes.data, bytes.size, &expectation, &back, &error) == PPM_OK,
                  "%s", error.text);
        cr_assert(memcmp(&back.shape, &tensor.shape, sizeof back.shape) == 0, "case %zu", i);
        cr_assert(back.layout == tensor.layout && back.is_batch == tensor.is_batch, "case %zu", i);
        cr_assert(memcmp(back.data, pattern, sizeof pattern) == 0, "case %zu", i);
        ppm_tensor_free(&back);
        free(bytes.data);
    }
}

Test(codec, encoded_bytes_do_not_overflow)
{
    for (const struct codec_form *const *form = codec_forms; *form; form++) {
        cr_assert(codec_encoded_bytes_max(*form, SIZE_MAX / 2) == SIZE_MAX);
        cr_assert(codec_encoded_bytes_max(*form, 1000) >= 1000);
    }
    cr_assert(codec_encoded_bytes_max(&codec_npy, SIZE_MAX / 4) == SIZE_MAX);
    cr_assert(codec_encoded_bytes_max(&codec_raw, 1000) == 4000);
    cr_assert(codec_encoded_bytes_max(&codec_png, SIZE_MAX / 2) == SIZE_MAX);
}

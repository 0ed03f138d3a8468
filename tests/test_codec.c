/* test_codec.c - what the forms share: media types, Accept, shapes, raw bytes, channels. */
#include "server/codec/codec.h"

#include "server/codec/codec_internal.h"

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
        int form; /* -1: none */
    } cases[] = {{"application/json", CODEC_JSON},
                 {"Application/JSON; charset=utf-8", CODEC_JSON},
                 {" application/json ;charset=utf-8", CODEC_JSON},
                 {"application/x-npy", CODEC_NPY},
                 {"application/octet-stream", CODEC_RAW},
                 {"application/octet-stream;", CODEC_RAW},
                 {NULL, -1},
                 {"", -1},
                 {"application", -1},
                 {"application/", -1},
                 {"/json", -1},
                 {"*/*", -1},
                 {"text/json", -1},
                 {"image/png", -1},
                 {"application/jsonp", -1},
                 {"application/jso", -1},
                 {"application/json x", -1},
                 {"application/json,application/x-npy", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum codec_form form = CODEC_FORM_COUNT;
        const bool is_form = codec_form_from_media_type(cases[i].text, &form);
        cr_assert(is_form == (cases[i].form >= 0), "case %zu: %s", i, cases[i].text);
        if (is_form)
            cr_assert(form == (enum codec_form)cases[i].form, "case %zu: %s", i, cases[i].text);
    }
    for (int form = 0; form < CODEC_FORM_COUNT; form++) {
        enum codec_form back = CODEC_FORM_COUNT;
        cr_assert(codec_form_from_media_type(codec_media_type((enum codec_form)form), &back));
        cr_assert(back == (enum codec_form)form);
    }
}

Test(codec, accept_decides_the_form)
{
    enum { J = CODEC_JSON, N = CODEC_NPY, R = CODEC_RAW, NONE = -1 };
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
        enum codec_form form = CODEC_FORM_COUNT;
        const bool is_some =
            codec_negotiate(cases[i].accept, (enum codec_form)cases[i].own, CODEC_AS_TENSOR, &form);
        const int found = is_some ? (int)form : NONE;
        cr_assert(found == cases[i].form, "case %zu, %s: found form %d, expected %d", i,
                  cases[i].accept, found, cases[i].form);
    }
}

/* Where the answer may be a PNG: behind all others, unless it is asked for. */
Test(codec, accept_may_ask_for_a_png)
{
    enum { J = CODEC_JSON, N = CODEC_NPY, R = CODEC_RAW, P = CODEC_PNG, NONE = -1 };
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
        enum codec_form form = CODEC_FORM_COUNT;
        const bool may_be_png = i % 2;
        const int own = cases[i / 2].own;
        const bool is_some = codec_negotiate(cases[i / 2].accept, (enum codec_form)own,
                                             may_be_png ? CODEC_AS_LABELS : CODEC_AS_TENSOR, &form);
        const int found = is_some ? (int)form : NONE;
        cr_assert(found == (may_be_png ? cases[i / 2].form : cases[i / 2].without),
                  "%s, %s PNG: found form %d", cases[i / 2].accept, may_be_png ? "with" : "without",
                  found);
    }
}

Test(codec, shapes_are_parsed)
{
    static const struct {
        const char *text;
        size_t count;
        size_t axes[4];
    } cases[] = {{"1,4,30,30", 4, {1, 4, 30, 30}},
                 {" 1 ,\t4, 30 ,30 ", 4, {1, 4, 30, 30}},
                 {"4,30,31", 3, {4, 30, 31}},
                 {"18446744073709551615,1,1", 3, {SIZE_MAX, 1, 1}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t axes[4], count = 0;
        cr_assert(codec_parse_shape(cases[i].text, axes, &count, &error) == PPM_OK, "%s: %s",
                  cases[i].text, error.text);
        cr_assert(count == cases[i].count, "%s", cases[i].text);
        cr_assert(memcmp(axes, cases[i].axes, count * sizeof axes[0]) == 0, "%s", cases[i].text);
    }
}

Test(codec, shapes_are_refused)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "shape \"\": axis 0 is \"\", expected a positive integer"},
        {"1,4", "shape \"1,4\": found 2 axes, expected 3 or 4, such as 1,4,30,30"},
        {"1,2,3,4,5", "found 5 axes, expected 3 or 4"},
        {"1,4,x,30", "shape \"1,4,x,30\": axis 2 is \"x\", expected a positive integer"},
        {"1,4,30,0", "axis 3 is \"0\""},
        {"1,4,-30,30", "axis 2 is \"-30\""},
        {"1,4,+30,30", "axis 2 is \"+30\""},
        {"1,4,3 0,30", "axis 2 is \"3 0\""},
        {"1,4,30.0,30", "axis 2 is \"30.0\""},
        {"1,4,30,", "axis 3 is \"\""},
        {"1,,30,30", "axis 1 is \"\""},
        {"[1,4,30,30]", "axis 0 is \"[1\""},
        {"1,4,18446744073709551616", "axis 2 is \"18446744073709551616\""},
        {"1,4,30,\n\xff", "axis 3 is \"\\x0a\\xff\""},
        {"1,4,30,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "axis 3 is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t axes[4] = {9, 9, 9, 9}, count = 9;
        cr_assert(codec_parse_shape(cases[i].text, axes, &count, &error) == PPM_MALFORMED, "%s",
                  cases[i].text);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "%s: %s", cases[i].text,
                  error.text);
        cr_assert(count == 9 && axes[0] == 9, "%s: an output was touched", cases[i].text);
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
    cr_assert(codec_decode(CODEC_RAW, body + 1, sizeof pattern, &expectation, &tensor, &error) ==
                  PPM_OK,
              "%s", error.text);
    cr_assert(tensor.shape.n == 1 && tensor.shape.c == 2 && tensor.shape.h == 3 &&
              tensor.shape.w == 2);
    cr_assert(tensor.is_batch && tensor.dtype == PPM_FLOAT32 && tensor.layout == PPM_NCHW);
    cr_assert(memcmp(tensor.data, pattern, sizeof pattern) == 0);

    struct codec_bytes bytes = {0};
    cr_assert(codec_encode(CODEC_RAW, &tensor, "m", &bytes, &error) == PPM_OK);
    cr_assert(tensor.data == NULL);
    cr_assert(bytes.size == sizeof pattern);
    cr_assert(memcmp(bytes.data, pattern, sizeof pattern) == 0);
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
        cr_assert(codec_decode(CODEC_RAW, body, cases[i].bytes, &expectation, &tensor, &error) ==
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
        cr_assert(codec_decode(CODEC_RAW, body, bytes, &expectation, &tensor, &error) == PPM_UNFIT,
                  "case %zu", i);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "case %zu: %s", i, error.text);
        cr_assert(tensor.data == NULL && tensor.shape.n == 0);
        free(body);
    }
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    const struct codec_expectation expectation = {.channels = 4, .model = "m"};
    const char *body = "{\"data\": [[[1]], [[1]], [[1]]]}";
    cr_assert(codec_decode(CODEC_JSON, body, strlen(body), &expectation, &tensor, &error) ==
              PPM_UNFIT);
    cr_assert(strstr(error.text, "; send") == NULL, "%s", error.text);
}

/* ---- all forms ------------------------------------------------------------------------------- */

/* What is encoded is decoded to the same tensor, in every form, layout and rank. */
Test(codec, float32_round_trips)
{
    for (int i = 0; i < CODEC_FORM_COUNT * 4; i++) {
        const enum codec_form form = (enum codec_form)(i / 4);
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
        cr_assert(codec_encode(form, &tensor, "m", &bytes, &error) == PPM_OK, "%s", error.text);
        cr_assert(bytes.size <= codec_encoded_bytes_max(form, 12));
        ppm_tensor_free(&tensor);
        struct ppm_tensor back = {0};
        cr_assert(codec_decode(form, bytes.data, bytes.size, &expectation, &back, &error) == PPM_OK,
                  "%s", error.text);
        cr_assert(memcmp(&back.shape, &tensor.shape, sizeof back.shape) == 0, "case %d", i);
        cr_assert(back.layout == tensor.layout && back.is_batch == tensor.is_batch, "case %d", i);
        cr_assert(memcmp(back.data, pattern, sizeof pattern) == 0, "case %d", i);
        ppm_tensor_free(&back);
        free(bytes.data);
    }
}

Test(codec, encoded_bytes_do_not_overflow)
{
    for (int form = 0; form < CODEC_FORM_COUNT; form++) {
        cr_assert(codec_encoded_bytes_max((enum codec_form)form, SIZE_MAX / 2) == SIZE_MAX);
        cr_assert(codec_encoded_bytes_max((enum codec_form)form, 1000) >= 4000);
    }
    cr_assert(codec_encoded_bytes_max(CODEC_NPY, SIZE_MAX / 4) == SIZE_MAX);
    cr_assert(codec_encoded_bytes_max(CODEC_RAW, 1000) == 4000);
    cr_assert(codec_encoded_bytes_max(CODEC_PNG, SIZE_MAX / 2) == SIZE_MAX);
}

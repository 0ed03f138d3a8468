/* test_live_infer.c - POST /ppm: every way to send a tensor and receive one. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* the file's tensor [1, C, H, W] as [1, H, W, C] */
static struct live_tensor to_nhwc(const struct live_tensor *tensor)
{
    size_t c, h, w;
    cr_assert(sscanf(tensor->shape, "1,%zu,%zu,%zu", &c, &h, &w) == 3);
    struct live_tensor ret = {.file = malloc(128 + tensor->count * sizeof(float)),
                              .file_bytes = 128 + tensor->count * sizeof(float),
                              .count = tensor->count};
    float *values = (float *)(void *)(ret.file + 128);
    memcpy(ret.file, "\x93NUMPY\x01\0\x76\0", 10);
    snprintf(ret.file + 10, 119, "%-117s\n", "{'descr': '<f4', 'fortran_order': False, }");
    snprintf(ret.shape, sizeof ret.shape, "1,%zu,%zu,%zu", h, w, c);
    const int length = sprintf(ret.file + 10,
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1, %zu, %zu, "
                               "%zu), }",
                               h, w, c);
    ret.file[10 + length] = ' ';
    ret.file[127] = '\n';
    for (size_t channel = 0; channel < c; channel++)
        for (size_t pixel = 0; pixel < h * w; pixel++)
            values[pixel * c + channel] = tensor->values[channel * h * w + pixel];
    ret.values = values;
    return ret;
}

/* ---- forms ---- */

Test(live_infer, every_form_goes_in_and_comes_out)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    struct live_result first = {0};
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (int in = 0; in < FORM_COUNT; in++)
        for (int out = 0; out < FORM_COUNT; out++) {
            char what[96], accept[96];
            snprintf(what, sizeof what, "%s to %s", live_types[in], live_types[out]);
            snprintf(accept, sizeof accept, "Accept: %s\r\n", live_types[out]);
            struct live_result result =
                live_post(&live, in == RAW ? "/ppm?shape=1,4,10,10" : "/ppm", (enum live_form)in,
                          accept, &x, "", what);
            cr_assert(result.form == (enum live_form)out, "%s", what);
            live_check_result(&result, &y, "NCHW", what);
            if (!first.values)
                first = result;
            cr_assert_arr_eq(result.values, first.values, first.count * sizeof(float), "%s", what);
            if (result.values != first.values)
                free(result.values);
        }
    free(first.values);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

Test(live_infer, accept_decides_the_form_of_the_answer)
{
    static const struct {
        const char *accept;
        enum live_form own, expected;
    } cases[] = {
        {"", JSON, JSON},
        {"", NPY, NPY},
        {"Accept: */*\r\n", RAW, RAW},
        {"Accept: application/*\r\n", NPY, NPY},
        {"Accept: application/json;q=0.5, application/x-npy;q=0.9\r\n", JSON, NPY},
        {"Accept: application/x-npy;q=0, */*;q=0.1\r\n", NPY, JSON},
        {"Accept: text/html, application/json;q=0.2\r\n", RAW, JSON},
        {"Accept: APPLICATION/OCTET-STREAM\r\n", JSON, RAW},
        {"aCCept: application/json;q=0.001\r\n", NPY, JSON},
    };
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_result result = live_post(&live, "/ppm?shape=1,4,10,10", cases[i].own,
                                              cases[i].accept, &x, "", cases[i].accept);
        cr_assert(result.form == cases[i].expected, "case %zu: %s", i, cases[i].accept);
        live_check_result(&result, &y, "NCHW", cases[i].accept);
        free(result.values);
    }
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

Test(live_infer, layout_is_honored_on_the_way_in_and_out)
{
    static const struct {
        const char *target, *members, *headers;
        enum live_form form;
    } cases[] = {
        {"/ppm?layout=NHWC", "", "", JSON},
        {"/ppm", "\"layout\": \"NHWC\", ", "", JSON},
        {"/ppm?layout=NHWC", "\"layout\": \"NHWC\", ", "Accept: application/x-npy\r\n", JSON},
        {"/ppm?layout=NHWC", "", "", NPY},
        {"/ppm?layout=NHWC", "", "Accept: application/json\r\n", NPY},
        {"/ppm?shape=1,10,10,4&layout=NHWC", "", "", RAW},
        {"/ppm?layout=NHWC", "", "X-Tensor-Shape: 1,10,10,4\r\n", RAW},
    };
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    struct live_tensor x_nhwc = to_nhwc(&x), y_nhwc = to_nhwc(&y);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_result result =
            live_post(&live, cases[i].target, cases[i].form, cases[i].headers, &x_nhwc,
                      cases[i].members, cases[i].target);
        live_check_result(&result, &y_nhwc, "NHWC", cases[i].target);
        free(result.values);
    }
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_tensor_free(&x_nhwc);
    live_tensor_free(&y_nhwc);
    live_stop(&live);
}

Test(live_infer, a_model_has_a_layout_of_its_own)
{
    struct live live;
    struct live_tensor x = live_golden("nhwc-adaptive", "x.npy"),
                       y = live_golden("nhwc-adaptive", "y.npy");
    live_start(&live, LIST("--model", GOLDEN("nhwc-adaptive")), NULL);
    struct live_result result = live_post(&live, "/ppm", NPY, "", &x, "", "nhwc-adaptive");
    live_check_result(&result, &y, "NHWC", "nhwc-adaptive");
    free(result.values);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

/* ---- shapes ---- */

Test(live_infer, three_axes_in_are_three_axes_out)
{
    static const char *const accepts[] = {"Accept: application/json\r\n",
                                          "Accept: application/x-npy\r\n", ""};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    strcpy(x.shape, "4,10,10");
    strcpy(y.shape, "12,10,10");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(accepts); i++) {
        struct live_result result =
            live_post(&live, "/ppm?shape=4,10,10", RAW, accepts[i], &x, "", accepts[i]);
        live_check_result(&result, &y, "NCHW", accepts[i]);
        free(result.values);
    }
    struct live_result result = live_post(&live, "/ppm", JSON, "", &x, "", "JSON of 3 axes");
    live_check_result(&result, &y, "NCHW", "JSON of 3 axes");
    free(result.values);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

Test(live_infer, shape_may_stand_in_a_header)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_result result =
        live_post(&live, "/ppm", RAW, "X-Tensor-Shape: 1, 4, 10, 10\r\n", &x, "", "header");
    live_check_result(&result, &y, "NCHW", "header");
    free(result.values);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

Test(live_infer, an_answer_is_a_request)
{
    char directory[LIVE_PATH_BYTES], path[64], headers[512], shape[LIVE_HEADER_BYTES];
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/same.json", directory);
    live_write_file(path, "{\"input\": {\"channels\": 4}, \"bins\": [1, 2], \"concat\": "
                          "\"branches\", \"branch\": [{\"conv\": {\"channels\": 2}}], "
                          "\"weights\": {\"random\": 1}}");
    live_start(&live, LIST("--model", path), NULL);
    for (int form = 0; form < FORM_COUNT; form++) {
        struct live_body body = live_make_body((enum live_form)form, &x, x.shape, "");
        snprintf(headers, sizeof headers, "Content-Type: %s\r\nX-Tensor-Shape: %s\r\n",
                 live_types[form], x.shape);
        struct live_answer first = live_ask(&live, "POST", "/ppm", headers, body.bytes, body.count);
        snprintf(headers, sizeof headers, "Content-Type: %s\r\nX-Tensor-Shape: %s\r\n",
                 live_types[form], live_header(&first, "X-Tensor-Shape", shape));
        struct live_answer second =
            live_ask(&live, "POST", "/ppm", headers, first.body, first.body_bytes);
        cr_assert(first.status == 200 && second.status == 200, "%s: %s", live_types[form],
                  second.body);
        cr_assert(form == JSON || second.body_bytes == first.body_bytes, "%s", live_types[form]);
        live_answer_free(&first);
        live_answer_free(&second);
        free(body.bytes);
    }
    live_tensor_free(&x);
    live_stop(&live);
    live_directory_remove(directory);
}

/* ---- models ---- */

Test(live_infer, the_first_model_answers_at_ppm_and_each_by_its_name)
{
    static const char *const names[] = {"output-softmax", LISTING1, "listing2-pytorch-psp"};
    struct live live;
    live_start(&live,
               LIST("--model", GOLDEN("output-softmax"), "--model", LISTING1_GOLDEN, "--model",
                    GOLDEN("listing2-pytorch-psp")),
               NULL);
    for (size_t i = 0; i <= COUNT(names); i++) {
        char target[64];
        const char *name = names[i % COUNT(names)];
        struct live_tensor x = live_golden(name, "x.npy"), y = live_golden(name, "y.npy");
        snprintf(target, sizeof target, i == COUNT(names) ? "/ppm" : "/ppm/%s", name);
        struct live_result result = live_post(&live, target, NPY, "", &x, "", target);
        live_check_result(&result, &y, "NCHW", target);
        free(result.values);
        live_tensor_free(&x);
        live_tensor_free(&y);
    }
    live_stop(&live);
}

#define BIG_MEMBERS  "\"shape\": [1, 3, 1, 1], \"data\": [1, 2, 3]"
#define FLAT_MEMBERS "\"shape\": [1, 2, 1, 2], \"data\": [1, 2, 3, 4]"
#define NAMES(model) "\"model\": \"" model "\""

/* The model that the JSON names computes, wherever the name is in the body; the head is checked
 * against that model. */
Test(live_infer, a_body_names_its_model)
{
    static const char third[] = "listing2-pytorch-psp";
    static const struct {
        const char *target, *body, *accept;
        int status;
        const char *text;
    } cases[] = {
        {"/ppm", "{" NAMES("listing2-pytorch-psp") ", " BIG_MEMBERS "}", "*/*", 200,
         "\"model\": \"listing2-pytorch-psp\""},
        {"/ppm", "{" BIG_MEMBERS ", " NAMES("listing2-pytorch-psp") "}", "*/*", 200,
         "\"model\": \"listing2-pytorch-psp\""},
        {"/ppm", "{" NAMES("output-softmax") ", " FLAT_MEMBERS "}", "*/*", 200,
         "\"model\": \"output-softmax\""},
        {"/ppm", "{" NAMES("output-argmax") ", " FLAT_MEMBERS "}", "image/png", 200, "PNG"},
        {"/ppm", "{" FLAT_MEMBERS "}", "image/png", 406, "\\\"output-softmax\\\" answers float32"},
        {"/ppm?out_dtype=float32", "{" FLAT_MEMBERS ", " NAMES("output-argmax") "}", "*/*", 422,
         "\\\"output-argmax\\\" answers int32"},
        {"/ppm/listing2-pytorch-psp", "{" NAMES("listing2-pytorch-psp") ", " BIG_MEMBERS "}", "*/*",
         200, "\"model\": \"listing2-pytorch-psp\""},
        {"/ppm/output-argmax", "{" NAMES("output-softmax") ", " FLAT_MEMBERS "}", "*/*", 400,
         "model: found \\\"output-softmax\\\" in the body and \\\"output-argmax\\\" in the URL, "
         "expected them to agree"},
        {"/ppm", "{" NAMES("zzz") ", " FLAT_MEMBERS "}", "*/*", 404,
         "found no model \\\"zzz\\\", expected one of: output-softmax, "},
        {"/ppm", "{" FLAT_MEMBERS ", " NAMES("") "}", "*/*", 400,
         "model: found \\\"\\\", expected"},
        {"/ppm", "{" NAMES("listing2-pytorch-psp") ", " FLAT_MEMBERS "}", "*/*", 422,
         "model \\\"listing2-pytorch-psp\\\" takes 3"},
    };
    struct live live;
    live_start(&live,
               LIST("--model", GOLDEN("output-softmax"), "--model", GOLDEN("output-argmax"),
                    "--model", GOLDEN("listing2-pytorch-psp")),
               NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[128];
        snprintf(headers, sizeof headers, "Content-Type: application/json\r\nAccept: %s\r\n",
                 cases[i].accept);
        struct live_answer answer =
            live_ask(&live, "POST", cases[i].target, headers, cases[i].body, strlen(cases[i].body));
        cr_expect(answer.status == cases[i].status, "%s %s: %d %.300s", cases[i].target,
                  cases[i].body, answer.status, answer.body);
        cr_expect(memmem(answer.body, answer.body_bytes, cases[i].text, strlen(cases[i].text)),
                  "%s %s: %.300s", cases[i].target, cases[i].body, answer.body);
        live_answer_free(&answer);
    }
    char series[128];
    snprintf(series, sizeof series, "ppm_requests_total{model=\"%s\",route=\"/ppm\",code=\"200\"}",
             third);
    cr_expect(live_metric(&live, series) == 2, "%s: %g", series, live_metric(&live, series));
    live_stop(&live);
}

/* Head and body must agree about x, in either order. */
Test(live_infer, head_and_body_agree)
{
    static const struct {
        const char *target, *body, *text;
        int status;
    } cases[] = {
        {"/ppm?shape=1,2,1,2", "{\"data\": [1, 2, 3, 4]}", "\"shape\": [1, 4, 1, 2]", 200},
        {"/ppm?shape=1,2,1,2", "{" FLAT_MEMBERS "}", "\"shape\": [1, 4, 1, 2]", 200},
        {"/ppm?shape=2,1,2", "{" FLAT_MEMBERS "}",
         "shape: found [1, 2, 1, 2] in the body and [2, 1, 2] in the query or header, expected "
         "them "
         "to agree",
         400},
        {"/ppm?layout=NHWC", "{" FLAT_MEMBERS ", \"layout\": \"NCHW\"}", "expected them to agree",
         400},
        {"/ppm?dtype=float32", "{" FLAT_MEMBERS ", \"dtype\": \"int32\"}",
         "dtype: found \\\"int32\\\" in the body and float32 in the query", 400},
        {"/ppm", "{" FLAT_MEMBERS ", \"layout\": \"NCHW\", \"layout\": \"NHWC\"}",
         "duplicate object key", 400},
    };
    struct live live;
    live_start(&live, LIST("--model", GOLDEN("output-softmax")), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", cases[i].target, "Content-Type: application/json\r\n",
                     cases[i].body, strlen(cases[i].body));
        cr_expect(answer.status == cases[i].status && strstr(answer.body, cases[i].text),
                  "%s %s: %d %s", cases[i].target, cases[i].body, answer.status, answer.body);
        live_answer_free(&answer);
    }
    size_t bytes = 0;
    char *x = live_read_file("tests/golden/output-softmax/x.npy", &bytes);
    struct live_answer answer = live_ask(&live, "POST", "/ppm?shape=1,2,5,5",
                                         "Content-Type: application/x-npy\r\n", x, bytes);
    cr_expect(answer.status == 400 &&
                  strstr(answer.body, "and [1, 2, 5, 5] in the query or header"),
              "%s", answer.body);
    live_answer_free(&answer);
    free(x);
    live_stop(&live);
}

Test(live_infer, argmax_is_int32_in_every_form)
{
    static const char *const names[] = {"output-argmax", "output-argmax-batch",
                                        "output-argmax-ties"};
    for (size_t i = 0; i < COUNT(names); i++)
        for (int form = 0; form < FORM_COUNT; form++) {
            char path[96], accept[64];
            struct live live;
            struct live_tensor x = live_golden(names[i], "x.npy"),
                               y = live_golden(names[i], "y.npy");
            snprintf(path, sizeof path, "tests/golden/%s/config.json", names[i]);
            snprintf(accept, sizeof accept, "Accept: %s\r\n", live_types[form]);
            live_start(&live, LIST("--model", path), NULL);
            struct live_result result = live_post(&live, "/ppm", NPY, accept, &x, "", names[i]);
            cr_assert_str_eq(result.dtype, "int32", "%s", names[i]);
            cr_assert_str_eq(result.shape, y.shape, "%s", names[i]);
            cr_assert(result.count == y.count, "%s", names[i]);
            cr_assert_arr_eq(result.values, y.values, y.count * sizeof(float), "%s", names[i]);
            free(result.values);
            live_tensor_free(&x);
            live_tensor_free(&y);
            live_stop(&live);
        }
}

Test(live_infer, what_is_not_finite_is_null)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    const uint32_t nan_bits = 0x7fc00000, infinity_bits = 0xff800000;
    memcpy(x.file + x.file_bytes - 4, &nan_bits, 4);
    memcpy(x.file + x.file_bytes - 8, &infinity_bits, 4);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer answer = live_ask(
        &live, "POST", "/ppm", "Content-Type: application/x-npy\r\nAccept: application/json\r\n",
        x.file, x.file_bytes);
    struct live_result result = live_read_answer(&answer, "NaN");
    cr_assert(isnan(result.values[399]) && isnan(result.values[398]));
    cr_assert(!isnan(result.values[0]));
    cr_assert(strstr(answer.body, "nan") == NULL && strstr(answer.body, "inf") == NULL);
    free(result.values);
    live_answer_free(&answer);
    live_tensor_free(&x);
    live_stop(&live);
}

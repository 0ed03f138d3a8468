/* test_live_fields.c - query parameters and headers are honored or refused. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "Content-Type: application/json\r\n"
#define NPY_TYPE  "Content-Type: application/x-npy\r\n"
#define RAW_TYPE  "Content-Type: application/octet-stream\r\n"
#define TINY      "{\"shape\": [1,4,1,1], \"data\": [1,2,3,4]}"

TestSuite(live_fields, .timeout = 300);

struct field_case {
    const char *method, *target, *headers;
    int status;
    const char *detail; /* what the refusal must contain */
};

static void check_cases(const struct live *live, const struct field_case *cases, size_t count,
                        const char *body, size_t body_bytes)
{
    for (size_t i = 0; i < count; i++) {
        const struct field_case *c = &cases[i];
        const bool has_body = strcmp(c->method, "POST") == 0;
        struct live_answer answer = live_ask(live, c->method, c->target, c->headers,
                                             has_body ? body : NULL, has_body ? body_bytes : 0);
        cr_assert(answer.status == c->status, "%s %s: %d %s", c->target, c->headers, answer.status,
                  answer.body);
        cr_assert(!c->detail || strstr(answer.body, c->detail), "%s %s: %s", c->target, c->headers,
                  answer.body);
        live_answer_free(&answer);
    }
}

Test(live_fields, what_a_route_does_not_know_is_refused_by_name)
{
    static const struct field_case cases[] = {
        {"POST", "/ppm?layot=NHWC", JSON_TYPE, 400, "layot: unknown query parameter; known"},
        {"POST", "/ppm?out_dtyp=float16", JSON_TYPE, 400,
         "shape layout dtype out_dtype stages size"},
        {"POST", "/ppm?sizes=473,473", JSON_TYPE, 400, "sizes: unknown"},
        {"POST", "/ppm?Layout=NCHW", JSON_TYPE, 400, "Layout: unknown"},
        {"POST", "/ppm?layout=NCHW&layout=NHWC", JSON_TYPE, 400, "layout: found"},
        {"POST", "/ppm?shape", JSON_TYPE, 400, "shape"},
        {"POST", "/ppm?stages=0&=", JSON_TYPE, 400, "\"\\\"\\\": unknown"},
        {"POST", "/ppm?&&stages=0&", JSON_TYPE, 200, NULL},
        {"POST", "/v2/models/" LISTING1 "/infer?dtype=float16", JSON_TYPE, 400, "dtype: unknown"},
        {"POST", "/v2/models/" LISTING1 "/infer?shape=1,4,1,1", JSON_TYPE, 400, "inputs[0]"},
        {"POST", "/v2/repository/index?ready=1", JSON_TYPE, 400, "none is known"},
        {"GET", "/ppm?dtype=float16", "", 400, "known ones are: shape layout"},
        {"GET", "/metrics?name=x", "", 400, "name: unknown"},
        {"GET", "/openapi.json?x", "", 400, "x: unknown"},
        {"GET", "/v2?x=1", "", 400, "x: unknown"},
        {"GET", "/healthz?probe=1", "", 200, NULL}, /* balancers add parameters of their own */
        {"GET", "/readyz?_=7&_=8", "", 200, NULL},
        {"GET", "/v2/health/live?x", "", 200, NULL},
        {"GET", "/?from=bookmark", "", 200, NULL},
        {"GET", "/page/page.js?v=2", "", 200, NULL},
        {"POST", "/ppm", JSON_TYPE "X-Tensor-Shpae: 1,4,1,1\r\n", 400, "X-Tensor-Shpae: unknown"},
        {"POST", "/ppm", JSON_TYPE "x-tensor-type: float16\r\n", 400, "X-Tensor-Dtype"},
        {"POST", "/ppm", JSON_TYPE "X-Request-Timeout: 5\r\n", 400, "X-Request-Timeout-Ms"},
        {"POST", "/ppm", JSON_TYPE "Inference-Header-Length: 5\r\n", 400, "unknown header"},
        {"POST", "/ppm", JSON_TYPE "X-Request-Start: 5\r\n", 200, NULL},
        {"POST", "/ppm", JSON_TYPE "X-Tensor-Shape: 1,4,1,1\r\nX-Tensor-Shape: 1,4,1,1\r\n", 400,
         "several"},
        {"POST", "/ppm", JSON_TYPE "X-Request-Timeout-Ms: 900\r\nX-Request-Timeout-Ms: 9000\r\n",
         400, "several"},
        {"POST", "/ppm", JSON_TYPE NPY_TYPE, 400, "several"},
        {"GET", "/ppm", "X-Tensor-Shpae: 1\r\n", 400, "unknown"},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    check_cases(&live, cases, COUNT(cases), TINY, strlen(TINY));
    live_stop(&live);
}

Test(live_fields, headers_of_a_tensor_say_what_the_query_may_say)
{
    static const struct field_case cases[] = {
        {"POST", "/ppm?shape=1,2,2,4", RAW_TYPE "X-Tensor-Layout: NHWC\r\n", 200, NULL},
        {"POST", "/ppm?shape=1,2,2,4", RAW_TYPE "X-Tensor-Layout: NHWC \r\n", 200, NULL},
        {"POST", "/ppm?shape=1,4,4,2", RAW_TYPE "X-Tensor-Dtype: float16\r\n", 200, NULL},
        {"POST", "/ppm", RAW_TYPE "X-Tensor-Dtype: float16\r\nX-Tensor-Shape: 1,4,4,2\r\n", 200,
         NULL},
        {"POST", "/ppm?shape=1,4,2,2&dtype=float16", RAW_TYPE "X-Tensor-Dtype: float32\r\n", 400,
         "\\\"float16\\\" in the query and \\\"float32\\\" in the header X-Tensor-Dtype"},
        {"POST", "/ppm?shape=1,2,2,4&layout=NHWC", RAW_TYPE "X-Tensor-Layout: NCHW\r\n", 400,
         "in the header X-Tensor-Layout"},
        {"POST", "/ppm?shape=1,4,2,2", RAW_TYPE "X-Tensor-Shape: 1,4,1,4\r\n", 400,
         "in the header X-Tensor-Shape"},
        {"POST", "/ppm?shape=1,4,2,2", RAW_TYPE "X-Tensor-Shape: 1,4,2,2\r\n", 200, NULL},
        {"POST", "/ppm?shape=1,4,2,2", RAW_TYPE "X-Tensor-Layout: CHWN\r\n", 400,
         "X-Tensor-Layout: found"},
        {"POST", "/ppm?shape=1,4,2,2", RAW_TYPE "X-Tensor-Dtype: int8\r\n", 400,
         "X-Tensor-Dtype: found"},
        {"GET", "/ppm?shape=1,2,2,4", "X-Tensor-Layout: NHWC\r\n", 200, "\"layout\":\"NHWC\""},
    };
    struct live live;
    char *zeros = calloc(1, 64);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    check_cases(&live, cases, COUNT(cases), zeros, 64);
    live_stop(&live);
    free(zeros);
}

/* The shape in the head must be that of a body with a shape. */
Test(live_fields, a_shape_that_the_body_does_not_have_is_refused)
{
    static const struct field_case json[] = {
        {"POST", "/ppm?shape=1,4,1,1", JSON_TYPE, 200, NULL},
        {"POST", "/ppm", JSON_TYPE "X-Tensor-Shape: 1,4,1,1\r\n", 200, NULL},
        {"POST", "/ppm?shape=1,1,2,2", JSON_TYPE, 400, "[1, 1, 2, 2] in the query"},
        {"POST", "/ppm?shape=4,1,1", JSON_TYPE, 400, "found [1, 4, 1, 1] in the body"},
        {"POST", "/ppm", JSON_TYPE "X-Tensor-Shape: 1,4,1,2\r\n", 400, "[1, 4, 1, 2]"},
        {"POST", "/ppm?shape=x", JSON_TYPE, 400, "x"},
    };
    static const struct field_case npy[] = {
        {"POST", "/ppm?shape=1,4,10,10", NPY_TYPE, 200, NULL},
        {"POST", "/ppm?shape=1,4,10,9", NPY_TYPE, 400, "[1, 4, 10, 9] in the query"},
    };
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    check_cases(&live, json, COUNT(json), TINY, strlen(TINY));
    check_cases(&live, npy, COUNT(npy), x.file, x.file_bytes);
    live_tensor_free(&x);
    live_stop(&live);
}

Test(live_fields, lines_of_accept_are_one_list)
{
    static const struct {
        const char *headers, *type;
        int status;
    } cases[] = {
        {"Accept: text/html\r\nAccept: application/x-npy\r\n", "application/x-npy", 200},
        {"Accept: application/json;q=0.1\r\nAccept: application/x-npy;q=0.2\r\n"
         "Accept: application/octet-stream;q=0.9\r\n",
         "application/octet-stream", 200},
        {"Accept: \r\nAccept: application/x-npy\r\n", "application/x-npy", 200},
        {"Accept: text/html\r\nAccept: text/css\r\n", "application/problem+json", 406},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[256], type[LIVE_HEADER_BYTES];
        snprintf(headers, sizeof headers, JSON_TYPE "%s", cases[i].headers);
        struct live_answer answer = live_ask(&live, "POST", "/ppm", headers, TINY, strlen(TINY));
        cr_assert(answer.status == cases[i].status, "%s: %d", cases[i].headers, answer.status);
        cr_assert_str_eq(live_header(&answer, "Content-Type", type), cases[i].type, "%s",
                         cases[i].headers);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

Test(live_fields, routes_of_json_want_its_type)
{
    static const char infer[] = "{\"inputs\":[{\"name\":\"x\",\"shape\":[1,4,1,1],\"datatype\":"
                                "\"FP32\",\"data\":[1,2,3,4]}]}";
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    static const struct field_case inferences[] = {
        {"POST", "/v2/models/" LISTING1 "/infer", "", 200, NULL},
        {"POST", "/v2/models/" LISTING1 "/infer", JSON_TYPE, 200, NULL},
        {"POST", "/v2/models/" LISTING1 "/infer",
         "Content-Type: application/json; charset=utf-8\r\n", 200, NULL},
        {"POST", "/v2/models/" LISTING1 "/infer", form, 415, "curl: -H"},
        {"POST", "/v2/models/" LISTING1 "/infer", "Content-Type: text/plain\r\n", 415,
         "text/plain"},
        {"POST", "/v2/models/" LISTING1 "/infer", RAW_TYPE, 415, "application/json"},
        {"POST", "/v2/repository/index", "Content-Type: text/plain\r\n", 415, "text/plain"},
        {"POST", "/v2/repository/models/" LISTING1 "/unload", form, 415, "application/json"},
        {"POST", "/v2/systemsharedmemory/region/r/register", form, 415, "application/json"},
    };
    static const struct field_case orders[] = {
        {"POST", "/v2/repository/index", form, 200, NULL}, /* an empty type */
        {"POST", "/v2/repository/index", JSON_TYPE, 200, NULL},
        {"POST", "/v2/repository/index", "", 200, NULL},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--allow-model-control"), NULL);
    check_cases(&live, inferences, COUNT(inferences), infer, strlen(infer));
    check_cases(&live, orders, COUNT(orders), "", 0);
    live_stop(&live);
}

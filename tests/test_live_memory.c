/* test_live_memory.c - every allocation of every route of a server fails, the HTTP library's too:
 * the client gets the right answer, a complete 503 or the end of its connection, and nothing
 * is left over. The server runs in the test's own process, whose malloc is heap.c's. */
#include "server/image/image.h"
#include "server/service/serve.h"
#include "tests/compressed.h"
#include "tests/heap.h"
#include "tests/live_support.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>
#    include <fcntl.h>
#    include <poll.h>
#    include <pthread.h>
#    include <signal.h>
#    include <stdint.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <strings.h>
#    include <unistd.h>

static char directory[LIVE_PATH_BYTES];

static void open_directory(void)
{
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place"); /* valgrind's */
    live_directory_make(directory);
}

static void remove_directory(void)
{
    live_directory_remove(directory);
}

TestSuite(live_memory, .init = open_directory, .fini = remove_directory, .timeout = 300);

enum { SETTLE_MS = 5000 };

/* ---- a server of this process ---- */

static struct live live;
static pthread_t server;
static const char *arguments[32];
static int argument_count;

static void *run_server(void *context)
{
    struct ppm_error *error = context;
    serve(argument_count, (char *const *)(uintptr_t)arguments, error);
    return NULL;
}

static void add_arguments(const char *const *list)
{
    for (; *list; list++)
        arguments[argument_count++] = *list;
}

static const char *write_file(const char *name, const char *text)
{
    return live_write_quoted(directory, name, text);
}

static struct ppm_error server_error;

static void wait_until_it_listens(void)
{
    int connection;
    for (int waited = 0; (connection = live_connect(&live)) < 0; waited++) {
        cr_assert(waited < LIVE_WAIT_MS && server_error.status == PPM_OK, "%s", server_error.text);
        live_sleep_ms(1);
    }
    close(connection);
}

static void log_into_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/log", directory);
    live.log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    cr_assert(live.log >= 0 && dup2(live.log, STDERR_FILENO) >= 0);
}

static void start_with(const char *const *models)
{
    static char host[64];
    sigset_t signals;
    log_into_file();
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    snprintf(live.socket_path, sizeof live.socket_path, "%s/socket", directory);
    add_arguments(LIST("--host", host, "--threads", "1", "--http-threads", "1", "--cors-origins",
                       "https://a.example", "--max-batch", "2", "--max-queue-delay-us", "20000",
                       "--body-max-bytes", "400000"));
    add_arguments(models);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* all are for the server to take */
    cr_assert(pthread_create(&server, NULL, run_server, &server_error) == 0);
    wait_until_it_listens();
}

/* "wide" is computed in batches, "slow" by the executor, the others by the HTTP thread. */
static void start(void)
{
    const char *wide = write_file(
        "wide.json", "{'name': 'wide', 'input': {'channels': 256}, 'bins': [1], 'branch': ['conv'],"
                     " 'head': [{'conv': {'channels': 512}}], 'weights': {'random': 1}}");
    const char *slow = write_file(
        "slow.json", "{'name': 'slow', 'input': {'channels': 4}, 'bins': [1, 2], 'branch': [],"
                     " 'head': [{'conv': {'channels': 64, 'kernel': 3}}, 'relu', {'conv': "
                     "{'channels': 3}}], 'weights': {'random': 1}}");
    start_with(LIST("--model", LISTING1_MODEL, "--model", GOLDEN("output-argmax"), "--model", slow,
                    "--model", wide));
}

static void stop(void)
{
    kill(getpid(), SIGTERM);
    pthread_join(server, NULL);
    cr_assert(server_error.status == PPM_OK, "%s", server_error.text);
    cr_assert(!heap_leaks());
}

/* ---- a request ---- */

struct request {
    const char *what, *method, *target, *headers; /* headers: whole lines */
    const char *body;
    size_t body_bytes;
    bool is_chunked;
    unsigned expected; /* with memory */
};

static int send_request(const struct request *r)
{
    char length[64] = "";
    int connection = live_connect(&live);
    cr_assert(connection >= 0, "%s: cannot connect", r->what);
    if (r->is_chunked)
        snprintf(length, sizeof length, "Transfer-Encoding: chunked\r\n");
    else if (r->body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", r->body_bytes);
    live_print(
        connection,
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Request-Id: same\r\n%s%s\r\n",
        r->method, r->target, r->headers, length);
    if (r->is_chunked)
        live_print(connection, "%zx\r\n", r->body_bytes);
    live_send(connection, r->body, r->body_bytes); /* an early response may end it */
    if (r->is_chunked)
        live_print(connection, "\r\n0\r\n\r\n");
    return connection;
}

static long refused_request; /* for the messages */

/* False: the connection was closed before a complete response. */
static bool receive_answer(const struct request *r, int connection, struct live_answer *ret)
{
    struct pollfd answer = {.fd = connection, .events = POLLIN};
    cr_assert(poll(&answer, 1, LIVE_WAIT_MS) == 1, "%s, without request %ld: no answer", r->what,
              refused_request);
    const bool is_whole = live_receive(connection, strcmp(r->method, "HEAD") == 0, ret);
    close(connection);
    return is_whole;
}

/* Below /v1 and /v2 an error is {"error": "..."}. */
static void check_refusal(const struct request *r, const struct live_answer *answer,
                          const char *what)
{
    if (strncmp(r->target, "/v1", 3) != 0 && strncmp(r->target, "/v2", 3) != 0)
        live_check_problem(answer, 503, "", what);
    else
        cr_assert(strncmp(answer->body, "{\"error\":\"", 10) == 0 &&
                      strcmp(answer->body + answer->body_bytes - 2, "\"}") == 0,
                  "%s: %s", what, answer->body);
}

static bool has_counts(const struct request *r)
{
    return strcmp(r->target, "/metrics") == 0 || strstr(r->target, "/stats");
}

/* The part that is equal in two responses to one request. */
static char *head_without_times(const struct request *r, const struct live_answer *answer)
{
    static const char *const passing[] = {"Date:", "Server-Timing:", "traceparent:"};
    const bool is_metrics = has_counts(r);
    char *copy = calloc(1, strlen(answer->head) + 1), *to = copy;
    for (const char *line = answer->head; *line;) {
        const size_t bytes = strcspn(line, "\n") + 1;
        bool is_passing = is_metrics && strncasecmp(line, "Content-Length:", 15) == 0;
        for (size_t i = 0; i < COUNT(passing); i++)
            is_passing = is_passing || strncasecmp(line, passing[i], strlen(passing[i])) == 0;
        if (!is_passing) {
            memcpy(to, line, bytes);
            to += bytes;
        }
        line += bytes;
    }
    return copy;
}

/* The "# HELP" and "# TYPE" lines of metrics; the values change. */
static char *comments_of(const char *text)
{
    char *copy = calloc(1, strlen(text) + 1), *to = copy;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        const size_t bytes = strcspn(line, "\n") + 1;
        if (*line == '#')
            to = mempcpy(to, line, bytes);
    }
    return copy;
}

/* After the times, in either format. */
static bool have_same_stages(const struct live_answer *a, const struct live_answer *b)
{
    const char *of_a = memmem(a->body, a->body_bytes, "flops", 5);
    const char *of_b = memmem(b->body, b->body_bytes, "flops", 5);
    const size_t skipped_a = (size_t)(of_a - a->body), skipped_b = (size_t)(of_b - b->body);
    return of_a && of_b && a->body_bytes - skipped_a == b->body_bytes - skipped_b &&
           memcmp(of_a, of_b, a->body_bytes - skipped_a) == 0;
}

static bool have_same_body(const struct request *r, const struct live_answer *a,
                           const struct live_answer *b)
{
    if (strstr(r->target, "/stats"))
        return strncmp(a->body, "{\"model_stats\":[{", 17) == 0 &&
               strcmp(a->body + a->body_bytes - 3, "}]}") == 0;
    if (strstr(r->target, "stages="))
        return have_same_stages(a, b);
    if (!has_counts(r))
        return a->body_bytes == b->body_bytes && memcmp(a->body, b->body, a->body_bytes) == 0;
    char *of_a = comments_of(a->body), *of_b = comments_of(b->body);
    const bool are_same = strcmp(of_a, of_b) == 0 && a->body[a->body_bytes - 1] == '\n';
    free(of_a);
    free(of_b);
    return are_same;
}

static void check_same(const struct request *r, const struct live_answer *answer,
                       const struct live_answer *expected, const char *when, long k)
{
    char *found = head_without_times(r, answer), *head = head_without_times(r, expected);
    cr_assert(strcmp(found, head) == 0, "%s, %s request %ld:\n%s%s\nexpected\n%s%s", r->what, when,
              k, found, answer->body, head, expected->body);
    cr_assert(have_same_body(r, answer, expected), "%s, %s request %ld:\n%s\nexpected\n%s", r->what,
              when, k, answer->body, expected->body);
    free(found);
    free(head);
}

/* ---- every allocation ---- */

enum { COPIES_MAX = 2 };

static void ask_well(const struct request *r, size_t copies, struct live_answer *ret)
{
    int connections[COPIES_MAX];
    for (size_t i = 0; i < copies; i++)
        connections[i] = send_request(r);
    for (size_t i = 0; i < copies; i++) {
        if (i > 0)
            live_answer_free(ret);
        cr_assert(receive_answer(r, connections[i], ret), "%s: no answer", r->what);
        cr_assert(ret->status == (int)r->expected, "%s: %d %s", r->what, ret->status, ret->body);
    }
}

static void ask_without_memory(const struct request *r, size_t copies,
                               const struct live_answer *expected, long k)
{
    int connections[COPIES_MAX];
    struct live_answer answer;
    for (size_t i = 0; i < copies; i++)
        connections[i] = send_request(r);
    for (size_t i = 0; i < copies; i++) {
        if (!receive_answer(r, connections[i], &answer))
            continue;
        char what[160];
        snprintf(what, sizeof what, "%s, without request %ld", r->what, k);
        if (answer.status == 503 && answer.body_bytes > 0)
            check_refusal(r, &answer, what);
        else if (answer.status != 503)
            check_same(r, &answer, expected, "without", k);
        else
            cr_assert(strcmp(r->method, "HEAD") == 0, "%s: a 503 without a body", what);
        live_answer_free(&answer);
    }
}

/* Nothing more is in use after a request than before it. */
static void check_blocks(const struct request *r, size_t blocks, long k)
{
    for (int waited = 0; heap_blocks() > blocks; waited++) {
        cr_assert(waited < 10 * SETTLE_MS, "%s, request %ld: %zu blocks leak", r->what, k,
                  heap_blocks() - blocks);
        usleep(100);
    }
}

/* Repeats the request until memory is steady: caches are full, the last connection is gone. */
static size_t blocks_when_settled(const struct request *r, size_t copies)
{
    size_t before, blocks = 0;
    do {
        struct live_answer answer;
        before = blocks;
        ask_well(r, copies, &answer);
        live_answer_free(&answer);
        live_sleep_ms(10);
        blocks = heap_blocks();
    } while (blocks != before);
    return blocks;
}

/* Whether there was a k-th allocation. */
static bool refuse_one(const struct request *r, size_t copies, const struct live_answer *expected,
                       size_t blocks, long k, long count)
{
    struct live_answer answer;
    refused_request = k;
    heap_refuse(HEAP_OTHER_THREADS, k, count);
    ask_without_memory(r, copies, expected, k);
    heap_relent();
    const bool has_refused = heap_has_refused();
    ask_well(r, copies, &answer);
    check_same(r, &answer, expected, "after", k);
    live_answer_free(&answer);
    check_blocks(r, blocks, k);
    return has_refused;
}

static void refuse_every_request(const struct request *r, size_t copies)
{
    struct live_answer expected;
    static const long in_a_row[] = {1, HEAP_WITHOUT_END};
    ask_well(r, copies, &expected);
    const size_t blocks = blocks_when_settled(r, copies);
    for (size_t i = 0; i < COUNT(in_a_row); i++) {
        long k = 0;
        while (refuse_one(r, copies, &expected, blocks, k, in_a_row[i]))
            k++;
        cr_expect(k >= 5, "%s: %ld requests for memory, expected some more", r->what, k);
    }
    live_answer_free(&expected);
    live_wait_metric(&live, "ppm_requests_in_flight", 1); /* this one */
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_wait_metric(&live, "ppm_queue_depth", 0);
    cr_assert(!heap_leaks(), "%s", r->what);
}

static void refuse_all(const struct request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        refuse_every_request(&requests[i], 1);
}

/* ---- the routes ---- */

#    define TRACE "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"

Test(live_memory, what_is_asked_with_get)
{
    static const struct request requests[] = {
        {"health", "GET", "/healthz", "", .expected = 200},
        {"health's head", "HEAD", "/healthz", "", .expected = 200},
        {"ready", "GET", "/readyz", TRACE "Origin: https://a.example\r\n", .expected = 200},
        {"metrics", "GET", "/metrics", "", .expected = 200},
        {"the description", "GET", "/openapi.json", "", .expected = 200},
        {"the page", "GET", "/", "", .expected = 200},
        {"a model", "GET", "/ppm", "", .expected = 200},
        {"a model and a shape", "GET", "/ppm/slow?shape=1,4,30,30&layout=NCHW", "",
         .expected = 200},
        {"a shape that does not fit", "GET", "/ppm?shape=1,5,30,30", "", .expected = 422},
        {"no shape", "GET", "/ppm?shape=all", "", .expected = 400},
        {"no such model", "GET", "/ppm/none", "", .expected = 404},
        {"no such path", "GET", "/none", "", .expected = 404},
        {"no such method here", "DELETE", "/ppm", "", .expected = 405},
        {"no such method", "BREW", "/ppm", "", .expected = 501},
        {"two hosts", "GET", "/ppm", "Host: localhost\r\n", .expected = 400},
        {"a preflight", "OPTIONS", "/ppm",
         "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n", .expected = 204},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

static const char *content_type(enum live_form form)
{
    static char line[96];
    snprintf(line, sizeof line, "Content-Type: %s\r\n", live_types[form]);
    return line;
}

/* x in that format, answered in every format. */
static void refuse_forms(const char *model, enum live_form form, const struct live_tensor *x)
{
    char headers[256], target[96], what[96];
    const struct live_body body = live_make_body(form, x, x->shape, "");
    snprintf(target, sizeof target, "/ppm/%s%s%s", model, form == RAW ? "?shape=" : "",
             form == RAW ? x->shape : "");
    for (enum live_form answer = JSON; answer < FORM_COUNT; answer++) {
        snprintf(headers, sizeof headers, "%sAccept: %s\r\n", content_type(form),
                 live_types[answer]);
        snprintf(what, sizeof what, "%s, %s to %s", model, live_types[form], live_types[answer]);
        refuse_every_request(&(struct request){what, "POST", target, headers, body.bytes,
                                               body.count, answer == form, 200},
                             1);
    }
    free(body.bytes);
}

Test(live_memory, small_tensors)
{
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    start();
    for (enum live_form form = JSON; form < FORM_COUNT; form++)
        refuse_forms(LISTING1, form, &x);
    live_tensor_free(&x);
    x = live_golden("output-argmax", "x.npy");
    refuse_forms("output-argmax", NPY, &x);
    live_tensor_free(&x);
    stop();
}

Test(live_memory, maps_of_labels)
{
    struct live_tensor x = live_golden("output-argmax", "x.npy");
    const struct request request = {"a map",
                                    "POST",
                                    "/ppm/output-argmax",
                                    "Content-Type: application/x-npy\r\nAccept: image/png\r\n",
                                    x.file,
                                    x.file_bytes,
                                    false,
                                    200};
    start();
    refuse_every_request(&request, 1);
    live_tensor_free(&x);
    stop();
}

Test(live_memory, inner_results)
{
    struct live_tensor x = live_golden("output-argmax", "x.npy");
    const struct request file = {"inner results as a file",
                                 "POST",
                                 "/ppm/output-argmax?stages=1",
                                 "Content-Type: application/x-npy\r\n",
                                 x.file,
                                 x.file_bytes,
                                 false,
                                 200};
    struct request json = file;
    json.what = "inner results as JSON";
    json.headers = "Content-Type: application/x-npy\r\nAccept: application/json\r\n";
    start();
    refuse_every_request(&file, 1);
    refuse_every_request(&json, 1);
    live_tensor_free(&x);
    stop();
}

static struct live_tensor tensor_of(const char *shape, size_t count)
{
    struct live_tensor x = {.count = count};
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(i % 17) - 8;
    x.file = (char *)values;
    x.values = values;
    snprintf(x.shape, sizeof x.shape, "%s", shape);
    return x;
}

Test(live_memory, tensors_for_the_executor)
{
    struct live_tensor x = tensor_of("1,4,30,30", 4 * 30 * 30);
    start();
    refuse_forms("slow", JSON, &x);
    refuse_forms("slow", RAW, &x);
    live_tensor_free(&x);
    stop();
}

/* x is decoded into the server's memory, for both ways to compute; y is written in place. */
Test(live_memory, halves)
{
    enum { BODY_BYTES = 4 * 30 * 30 * 2 };
    static const char body[BODY_BYTES];
    static const struct request requests[] = {
        {"halves", "POST", "/ppm?shape=1,4,5,5&dtype=float16&out_dtype=bfloat16",
         "Content-Type: application/octet-stream\r\n", body, 4 * 5 * 5 * 2, false, 200},
        {"halves for the executor", "POST",
         "/ppm/slow?shape=1,4,30,30&dtype=float16&out_dtype=float16",
         "Content-Type: application/octet-stream\r\nAccept: application/x-npy\r\n", body,
         BODY_BYTES, false, 200},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

Test(live_memory, tensors_in_batches)
{
    struct live_tensor x = tensor_of("1,256,2,2", 256 * 2 * 2);
    const struct live_body body = live_make_body(RAW, &x, x.shape, "");
    const struct request request = {"two at once",
                                    "POST",
                                    "/ppm/wide?shape=1,256,2,2",
                                    "Content-Type: application/octet-stream\r\n",
                                    body.bytes,
                                    body.count,
                                    false,
                                    200};
    start();
    refuse_every_request(&request, 2);
    cr_expect(live_metric(&live, "ppm_batch_size_bucket{model=\"wide\",le=\"1\"}") <
                  live_metric(&live, "ppm_batch_size_count{model=\"wide\"}"),
              "no batch came about");
    free(body.bytes);
    live_tensor_free(&x);
    stop();
}

#    define V2_INPUT                                                                               \
        "{\"id\": \"7\", \"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", "                  \
        "\"shape\": [1, 4, 2, 2], "

Test(live_memory, what_the_inference_protocol_tells)
{
    static const struct request requests[] = {
        {"the server", "GET", "/v2", "", .expected = 200},
        {"its health", "GET", "/v2/health/ready", "", .expected = 200},
        {"a model", "GET", "/v2/models/slow", "", .expected = 200},
        {"its configuration", "GET", "/v2/models/slow/versions/1/config", "", .expected = 200},
        {"its statistics", "GET", "/v2/models/" LISTING1 "/stats", "", .expected = 200},
        {"all statistics", "GET", "/v2/models/stats", "", .expected = 200},
        {"all models", "POST", "/v2/repository/index", "", "{\"ready\": true}", 15,
         .expected = 200},
        {"no such model", "GET", "/v2/models/none/ready", "", .expected = 404},
        {"what is not allowed", "POST", "/v2/repository/models/slow/load", "", .expected = 403},
        {"no region", "GET", "/v2/systemsharedmemory/status", "", .expected = 403},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

Test(live_memory, tensors_by_the_inference_protocol)
{
    static const char target[] = "/v2/models/" LISTING1 "/infer",
                      numbers[] =
                          V2_INPUT "\"data\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7]}]}",
                      json[] = V2_INPUT "\"parameters\": {\"binary_data_size\": 64}}], "
                                        "\"parameters\": {\"binary_data_output\": true}}";
    char body[sizeof json - 1 + 64] = "", header[64];
    memcpy(body, json, sizeof json - 1);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", sizeof json - 1);
    const struct request requests[] = {
        {"numbers", "POST", target, "", numbers, sizeof numbers - 1, false, 200},
        {"numbers in chunks", "POST", target, "", numbers, sizeof numbers - 1, true, 200},
        {"bytes", "POST", target, header, body, sizeof body, false, 200},
        {"bytes in chunks", "POST", target, header, body, sizeof body, true, 200},
        {"bytes, compressed", "POST", target, "Accept-Encoding: gzip\r\n", numbers,
         sizeof numbers - 1, false, 200},
        {"no numbers", "POST", target, "", "{}", 2, false, 400},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

Test(live_memory, predictions)
{
    static const char target[] = "/v1/models/" LISTING1 ":predict",
                      numbers[] = "{\"signature_name\": \"serving_default\", \"instances\": "
                                  "[[[[1]], [[2]], [[3]], [[4]]], [[[5]], [[6]], [[7]], [[8]]]]}";
    const struct request requests[] = {
        {"numbers", "POST", target, "", numbers, sizeof numbers - 1, false, 200},
        {"numbers in chunks", "POST", target, "", numbers, sizeof numbers - 1, true, 200},
        {"numbers, compressed", "POST", target, "Accept-Encoding: gzip\r\n", numbers,
         sizeof numbers - 1, false, 200},
        {"no numbers", "POST", target, "", "{}", 2, false, 400},
        {"a model", "GET", "/v1/models/" LISTING1, "", .expected = 200},
        {"all models", "GET", "/v1/models", "", .expected = 200},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

/* Of 4 x 4 pixels. */
#    define PNG_BASE64                                                                             \
        "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAGElEQVR4nGNgYGRiZmFlY+fg5OJmII4D"         \
        "ABjIAQkuumFyAAAAAElFTkSuQmCC"

Test(live_memory, images_within_other_protocols)
{
    static const char predict[] = "{\"instances\": [{\"b64\": \"" PNG_BASE64 "\"}]}",
                      infer[] = "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"BYTES\", "
                                "\"shape\": [1], \"data\": [\"" PNG_BASE64 "\"]}]}";
    const struct request requests[] = {
        {"a prediction", "POST", "/v1/models/street:predict", "", predict, sizeof predict - 1,
         false, 200},
        {"bytes", "POST", "/v2/models/street/infer", "", infer, sizeof infer - 1, false, 200},
    };
    start_with(LIST("--model", "configs/models/street.json"));
    refuse_all(requests, COUNT(requests));
    stop();
}

/* A safetensors file of a [1, 4, 1, 2] and b [1, 4, 1, 2] of that dtype. */
static size_t make_inputs(const char *dtype, size_t element_bytes, char ret_bytes[512])
{
    const size_t b_bytes = 8 * element_bytes;
    const int length = snprintf(
        ret_bytes + 8, 400,
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [1, 4, 1, 2], \"data_offsets\": [0, 32]}, "
        "\"b\": {\"dtype\": \"%s\", \"shape\": [1, 4, 1, 2], \"data_offsets\": [32, %zu]}}",
        dtype, 32 + b_bytes);
    ret_bytes[0] = (char)length; /* below 256 */
    memset(ret_bytes + 1, 0, 7);
    memset(ret_bytes + 8 + length, 0, 32 + b_bytes);
    return 8 + (size_t)length + 32 + b_bytes;
}

#    define RAW_BODY "Content-Type: application/octet-stream\r\n"
#    define INPUT(name, more)                                                                      \
        "{\"name\": \"" name "\", \"datatype\": \"FP32\", \"shape\": [1, 4, 1, 2], " more "}"

Test(live_memory, several_inputs)
{
    static const char json[] =
        "{\"inputs\": [" INPUT("b", "\"data\": [1, 2, 3, 4, 5, 6, 7, 8]") ", " INPUT(
            "a", "\"data\": [8, 7, 6, 5, 4, 3, 2, 1]") "]}";
    static const char mixed[] =
        "{\"inputs\": [" INPUT("b", "\"data\": [1, 2, 3, 4, 5, 6, 7, 8]") ", " INPUT(
            "a", "\"parameters\": {\"binary_data_size\": 32}") "]}";
    char floats[512], halves[512], body[sizeof mixed - 1 + 32] = "", header[64];
    const size_t floats_bytes = make_inputs("F32", 4, floats),
                 halves_bytes = make_inputs("F16", 2, halves);
    memcpy(body, mixed, sizeof mixed - 1);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", sizeof mixed - 1);
    const struct request requests[] = {
        {"a file", "POST", "/ppm", RAW_BODY, floats, floats_bytes, false, 200},
        {"a file with halves", "POST", "/ppm", RAW_BODY, halves, halves_bytes, true, 200},
        {"half a file", "POST", "/ppm", RAW_BODY, halves, halves_bytes - 1, false, 400},
        {"numbers", "POST", "/v2/models/two/infer", "", json, sizeof json - 1, true, 200},
        {"numbers and bytes", "POST", "/v2/models/two/infer", header, body, sizeof body, false,
         200},
        {"costs", "GET", "/ppm?shape=a=1,4,2,2;b=1,4,2,2", "", .expected = 200},
        {"metadata", "GET", "/v2/models/two", "", .expected = 200},
    };
    start_with(LIST("--model",
                    write_file("two.json",
                               "{'name': 'two', 'inputs': {'a': {'channels': 4}, 'b': {'channels': "
                               "4}}, 'network': [{'add': ['a', 'b']}, 'conv'], 'weights': "
                               "{'random': 1}}")));
    refuse_all(requests, COUNT(requests));
    stop();
}

Test(live_memory, several_inputs_in_batches)
{
    enum { CHANNELS = 512, INPUT_BYTES = CHANNELS * 4 };
    static char body[256 + 2 * INPUT_BYTES];
    const int length = snprintf(
        body + 8, 240,
        "{\"a\": {\"dtype\": \"F32\", \"shape\": [512, 1, 1], \"data_offsets\": [0, 2048]}, "
        "\"b\": {\"dtype\": \"F32\", \"shape\": [512, 1, 1], \"data_offsets\": [2048, 4096]}}");
    body[0] = (char)length;
    const struct request request = {"two files at once",
                                    "POST",
                                    "/ppm",
                                    RAW_BODY,
                                    body,
                                    8 + (size_t)length + 2 * INPUT_BYTES,
                                    false,
                                    200};
    start_with(
        LIST("--model", write_file("wide.json",
                                   "{'name': 'wide', 'inputs': {'a': {'channels': 512}, 'b': "
                                   "{'channels': 512}}, 'network': [{'add': ['a', 'b']}, {'conv': "
                                   "{'channels': 1024}}], 'weights': {'random': 1}}")));
    refuse_every_request(&request, 2);
    cr_expect(live_metric(&live, "ppm_batch_size_bucket{model=\"wide\",le=\"1\"}") <
                  live_metric(&live, "ppm_batch_size_count{model=\"wide\"}"),
              "no batch came about");
    stop();
}

/* Larger than the part that is examined first. */
Test(live_memory, tensors_pooled_while_they_arrive)
{
    static const char *const pooling[] = {"--pool-on-arrival-bytes", "1", NULL};
    struct live_tensor x = tensor_of("1,4,40,40", 4 * 40 * 40);
    add_arguments(pooling);
    start();
    refuse_forms("slow", RAW, &x);
    const struct request too_short = {"pooled and refused",
                                      "POST",
                                      "/ppm/slow?shape=1,4,40,40",
                                      "Content-Type: application/octet-stream\r\n",
                                      x.file,
                                      x.count * sizeof(float) - 4,
                                      true,
                                      400};
    refuse_every_request(&too_short, 1);
    live_tensor_free(&x);
    stop();
}

/* More shapes than kept plans, so that each needs a new plan. */
Test(live_memory, shapes_not_seen_before)
{
    enum { SHAPES = 20 };
    struct live_answer expected[SHAPES];
    struct request requests[SHAPES];
    char targets[SHAPES][64];
    struct live_tensor x = tensor_of("", 4 * 40 * 20);
    start();
    for (size_t i = 0; i < SHAPES; i++) {
        snprintf(targets[i], sizeof *targets, "/ppm/slow?shape=1,4,%zu,20", 20 + i);
        requests[i] = (struct request){"a new shape", "POST",
                                       targets[i],    "Content-Type: application/octet-stream\r\n",
                                       x.file,        4 * (20 + i) * 20 * sizeof(float),
                                       false,         200};
        ask_well(&requests[i], 1, &expected[i]);
    }
    live_sleep_ms(20);
    size_t i = 0;
    const size_t blocks = heap_blocks();
    for (long count = 1, k = 0; count <= HEAP_WITHOUT_END; k++, i = (i + 1) % SHAPES)
        if (!refuse_one(&requests[i], 1, &expected[i], blocks, k, count)) {
            cr_expect(k >= 10, "%ld requests for memory, expected some more", k);
            count = count == 1 ? HEAP_WITHOUT_END : HEAP_WITHOUT_END + 1L;
            k = -1;
        }
    for (i = 0; i < SHAPES; i++)
        live_answer_free(&expected[i]);
    live_tensor_free(&x);
    stop();
}

static size_t reloads(void)
{
    size_t count = 0;
    char *log = live_log(&live);
    for (const char *at = log; (at = strstr(at, "reloaded")); at++)
        count++;
    free(log);
    return count;
}

/* SIGHUP and its result: the same models again, or the previous ones. */
static void reload(long k)
{
    const size_t before = reloads();
    kill(getpid(), SIGHUP);
    for (int waited = 0; reloads() == before; waited++) {
        cr_assert(waited < SETTLE_MS, "no end of reload, without request %ld", k);
        live_sleep_ms(1);
    }
}

static bool refuse_reload(const struct request *r, const struct live_answer *expected,
                          size_t blocks, long k, long count)
{
    struct live_answer answer;
    heap_refuse(HEAP_OTHER_THREADS, k, count);
    reload(k);
    heap_relent();
    const bool has_refused = heap_has_refused();
    ask_well(r, 1, &answer);
    check_same(r, &answer, expected, "after", k);
    live_answer_free(&answer);
    check_blocks(r, blocks, k);
    return has_refused;
}

Test(live_memory, reloads)
{
    struct live_answer expected;
    struct live_tensor x = tensor_of("1,4,30,30", 4 * 30 * 30);
    const struct request request = {"reload",
                                    "POST",
                                    "/ppm?shape=1,4,30,30",
                                    "Content-Type: application/octet-stream\r\n",
                                    x.file,
                                    x.count * sizeof(float),
                                    false,
                                    200};
    start_with(LIST("--model", LISTING1_MODEL));
    reload(-1);
    ask_well(&request, 1, &expected);
    live_sleep_ms(20);
    const size_t blocks = heap_blocks();
    long requests = 0;
    while (refuse_reload(&request, &expected, blocks, requests, 1))
        requests++;
    cr_expect(requests > 60, "%ld requests for memory, expected some more", requests);
    for (long k = 0; k <= requests; k += 1 + requests / 50) /* same outcomes as above */
        refuse_reload(&request, &expected, blocks, k, HEAP_WITHOUT_END);
    live_answer_free(&expected);
    live_tensor_free(&x);
    stop();
}

Test(live_memory, compressed_tensors)
{
    struct live_tensor x = tensor_of("1,4,30,30", 4 * 30 * 30);
    size_t bytes = 0;
    char *sent = compressed_make(COMPRESSED_GZIP, x.values, x.count * sizeof(float), &bytes);
    const struct request requests[] = {
        {"a compressed body", "POST", "/ppm?shape=1,4,30,30",
         "Content-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n", sent, bytes,
         .expected = 200},
        {"the same in pieces", "POST", "/ppm/slow?shape=1,4,30,30",
         "Content-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n", sent, bytes, true,
         .expected = 200},
        {"half of it", "POST", "/ppm?shape=1,4,30,30",
         "Content-Type: application/octet-stream\r\nContent-Encoding: gzip\r\n", sent, bytes / 2,
         .expected = 400},
        {"another coding", "POST", "/ppm?shape=1,4,30,30",
         "Content-Type: application/octet-stream\r\nContent-Encoding: br\r\n", sent, bytes,
         .expected = 415},
    };
    start();
    refuse_all(requests, COUNT(requests));
    free(sent);
    live_tensor_free(&x);
    stop();
}

Test(live_memory, tensors_that_are_refused)
{
    static char json[] =
        "{\"shape\": [1, 5, 1, 1], \"data\": [1, 2, 3, 4, 5], \"dtype\": \"int32\"}";
    static char npy[] = "\x93NUMPY\x01\0\x06\0{'x':}";
    static char large[500000];
    static const struct request requests[] = {
        {"channels", "POST", "/ppm", "Content-Type: application/json\r\n", json, sizeof json - 1,
         .expected = 422},
        {"half of the JSON", "POST", "/ppm", "Content-Type: application/json\r\n", json, 40,
         .expected = 400},
        {"a bad head", "POST", "/ppm", "Content-Type: application/x-npy\r\n", npy, sizeof npy - 1,
         .expected = 400},
        {"no shape", "POST", "/ppm", "Content-Type: application/octet-stream\r\n", npy, 4,
         .expected = 400},
        {"a type", "POST", "/ppm", "Content-Type: text/plain\r\n", json, 10, .expected = 415},
        {"an answer's type", "POST", "/ppm",
         "Content-Type: application/json\r\nAccept: text/html\r\n", json, 10, .expected = 406},
        {"much", "POST", "/ppm", "Content-Type: application/json\r\n", large, sizeof large,
         .expected = 413},
        {"much in pieces", "POST", "/ppm", "Content-Type: application/json\r\n", large,
         sizeof large, true, .expected = 413},
    };
    start();
    refuse_all(requests, COUNT(requests));
    stop();
}

/* ---- images ---- */

static struct live_body write_image(const char *type)
{
    enum { SIDE = 12 };
    uint8_t pixels[3 * SIDE * SIDE];
    struct ppm_image image = {.pixels = pixels, .width = SIDE, .height = SIDE};
    const struct image_format *format = image_format_of_type(type);
    struct ppm_error error = {0};
    struct live_body body = {.bytes = malloc(image_encoded_bytes_max(format, SIDE, SIDE))};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(7 * i);
    cr_assert(image_encode(format, &image, NULL, body.bytes, &body.count, &error) == PPM_OK);
    return body;
}

Test(live_memory, images)
{
    start_with(
        LIST("--model",
             write_file("labels.json",
                        "{'name': 'labels', 'input': {'channels': 3, 'image': {'mean': [1, 2, "
                        "3], 'std': [4, 5, 6]}}, "
                        "'network': [{'conv': {'channels': 3}, 'name': 'a'}, {'pyramid': "
                        "{'bins': [2], 'branch': []}}], 'output': {'as': 'argmax'}, "
                        "'weights': {'random': 1}}")));
    const struct live_body png = write_image("image/png"), jpeg = write_image("image/jpeg");
    const struct request requests[] = {
        {"a PNG", "PUT", "/ppm", "", png.bytes, png.count, false, 200},
        {"a JPEG", "PUT", "/ppm/labels", "", jpeg.bytes, jpeg.count, true, 200},
        {"an overlay as PNG", "POST", "/ppm?overlay=0.5", "Content-Type: image/jpeg\r\n",
         jpeg.bytes, jpeg.count, false, 200},
        {"an overlay as JPEG", "PUT", "/ppm?overlay=0.5", "Accept: image/jpeg\r\n", png.bytes,
         png.count, false, 200},
        {"classes", "PUT", "/ppm", "Accept: application/json\r\n", png.bytes, png.count, false,
         200},
        {"run lengths", "PUT", "/ppm?labels=rle", "Accept-Encoding: gzip\r\n", png.bytes, png.count,
         false, 200},
        {"entries", "PUT", "/ppm?stages=a", "", png.bytes, png.count, false, 200},
        {"half a PNG", "PUT", "/ppm", "", png.bytes, png.count / 2, false, 400},
    };
    refuse_all(requests, COUNT(requests));
    free(png.bytes);
    free(jpeg.bytes);
    stop();
}

#endif

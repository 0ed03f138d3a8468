/*
 * live_support.h - runs the program under test, with a client that sends exact bytes.
 *
 * The program is $PPM_SERVER. It always ends with the test's process. All
 * waits are bounded by LIVE_WAIT_MS, after which the test fails.
 */
#ifndef PPM_TESTS_LIVE_SUPPORT_H
#define PPM_TESTS_LIVE_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { LIVE_WAIT_MS = 30000, LIVE_HEADER_BYTES = 256, LIVE_PATH_BYTES = 32 };

#define COUNT(array)    (sizeof(array) / sizeof(array)[0])
#define LIST(...)       ((const char *const[]){__VA_ARGS__, NULL})
#define GOLDEN(name)    "tests/golden/" name "/config.json"
#define LISTING1        "listing1-pytorch-ppm"
#define LISTING1_MODEL  "configs/models/listing1-pytorch-ppm.json"
#define LISTING1_GOLDEN GOLDEN(LISTING1)

/* Samples of /metrics: cancelled requests and their stage. */
#define GONE(stage) "ppm_cancelled_total{reason=\"client_gone\",stage=\"" stage "\"}"
#define LATE(stage) "ppm_cancelled_total{reason=\"deadline\",stage=\"" stage "\"}"

/* ---- the program ---- */

struct live {
    pid_t pid;
    int out, log; /* files that hold its stdout and stderr */
    unsigned port;
    char socket_path[108]; /* if it listens on a unix socket */
};

/* Starts "$PPM_SERVER arguments..." with environment ("NAME=value", may be NULL) added. */
void live_spawn(struct live *ret, const char *const *arguments, const char *const *environment);

/* The same with stderr to a descriptor, which *ret then owns. */
void live_spawn_logging(struct live *ret, int log, const char *const *arguments,
                        const char *const *environment);

/* live_spawn of "serve --port 0 arguments...", and waits until it listens. */
void live_start(struct live *ret, const char *const *arguments, const char *const *environment);

/* The same with a socket to listen on, passed as a service manager does: live_spawn_passing sets
 * LISTEN_FDS to the given number; live_start_passing waits until it listens. */
void live_spawn_passing(struct live *ret, int socket, const char *count,
                        const char *const *arguments, const char *const *environment);
void live_start_passing(struct live *ret, int socket, const char *const *arguments,
                        const char *const *environment);

/* Waits until it exits. Returns the exit status, or 128 plus the signal. */
int live_wait(struct live *live);

/* Sends SIGTERM; the test fails unless it then exits with status 0. */
void live_stop(struct live *live);

/* The whole stderr so far; the caller frees it. */
char *live_log(const struct live *live);

/* How often text is in it. */
size_t live_count_log(const struct live *live, const char *text);

/* Waits until stderr contains text. */
void live_wait_log(const struct live *live, const char *text);

void live_sleep_ms(long ms);

/* A finished program and its output. */
struct live_output {
    int status;
    char *out, *err;
    size_t out_bytes;
};
struct live_output live_run(const char *const *arguments, const char *const *environment);
void live_output_free(struct live_output *output);

/* ---- the client: live_client.c ---- */

struct live_answer {
    int status;
    char *head; /* status line and headers */
    char *body; /* NUL-terminated */
    size_t body_bytes;
};

int live_connect(const struct live *live);

/* False if the server has closed the connection. */
bool live_send(int connection, const void *bytes, size_t count);
bool live_print(int connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads one response, without a body if it is to HEAD (or is 100). False if the connection was
 * closed before its end; then there is nothing to free. */
bool live_receive(int connection, bool is_head, struct live_answer *ret);

/* Whether part of a response, or the end, has arrived. */
bool live_is_answered(int connection);

/* Whether the connection was closed without a byte of another response. */
bool live_is_closed(int connection);

/* One request on a new connection. headers are whole lines, each with its \r\n; body is sent
 * with Content-Length, or not at all if NULL. */
struct live_answer live_ask(const struct live *live, const char *method, const char *target,
                            const char *headers, const void *body, size_t body_bytes);

/* Writes a header's value, or "" if the response lacks it. Returns ret_value. */
const char *live_header(const struct live_answer *answer, const char *name,
                        char ret_value[LIVE_HEADER_BYTES]);
void live_answer_free(struct live_answer *answer);

/* Fails the test unless the response is a problem with that status and all its members and
 * headers, whose detail contains text. */
void live_check_problem(const struct live_answer *answer, int status, const char *text,
                        const char *what);

/* The value of a sample of /metrics, such as "ppm_ready" or
 * "ppm_rejected_total{reason=\"memory\"}". The test fails if there is none. */
double live_metric(const struct live *live, const char *sample);
double live_sample(const struct live_answer *metrics, const char *sample);

/* Waits until it has that value. */
void live_wait_metric(const struct live *live, const char *sample, double value);

/* Fails the test unless POST /ppm with a small npy gets a 200. */
void live_check_serving(const struct live *live, const char *what);

/* ---- a slow computation: live_slow.c ---- */

/* live_start with the golden model of listing 1, and a model "slow". And its live_stop. */
void live_slow_start(struct live *ret, const char *const *arguments);
void live_slow_stop(struct live *live);
void live_slow_forget(void); /* removes the model, if the server was stopped otherwise */

/* Sends it a request with the given number of 8 x 8 images; headers are whole lines. Returns its
 * connection. */
int live_slow_send(const struct live *live, size_t images, const char *headers);

/* The number of images that take at least ms on this machine. */
size_t live_slow_images(const struct live *live, double ms);

/* live_start with that setting and a model whose answer, 8 x 1200 x 1200 values, is more than
 * socket buffers hold, and a request for it. Returns its connection; live_slow_stop ends it. */
int live_large_start(struct live *ret, const char *flag, const char *value);

/* ---- files ---- */

/* A whole file, NUL-terminated; the caller frees it. */
char *live_read_file(const char *path, size_t *ret_bytes);
void live_write_file(const char *path, const char *text);

/* Writes directory/name with every ' replaced by a "; the path is valid until the eighth call from
 * now. */
const char *live_write_quoted(const char *directory, const char *name, const char *text);

/* A new directory below /tmp, and its removal with the files in it. */
void live_directory_make(char ret_path[LIVE_PATH_BYTES]);
void live_directory_remove(const char *path);

/* ---- tensors: live_tensors.c ---- */

/* The C order float32 of a .npy; values point into file. */
struct live_tensor {
    char *file;
    size_t file_bytes;
    const float *values;
    size_t count;
    char shape[64]; /* "1,4,10,10" */
};
struct live_tensor live_read_npy(char *file, size_t file_bytes); /* which then owns file */
struct live_tensor live_golden(const char *name, const char *file);
void live_tensor_free(struct live_tensor *tensor);

/* Fails the test unless count values are as expected, except for the last bits. */
void live_check_values(const float *values, size_t count, const struct live_tensor *expected,
                       const char *what);

enum live_form { JSON, NPY, RAW, FORM_COUNT };
extern const char *const live_types[]; /* "application/json", ... */

struct live_body {
    char *bytes; /* from malloc */
    size_t count;
};

/* members: more of the JSON, such as "\"layout\": \"NHWC\", ", or "" */
struct live_body live_make_body(enum live_form form, const struct live_tensor *x, const char *shape,
                                const char *members);

/* The tensor in a response of any format; values are int32 if dtype says so. */
struct live_result {
    enum live_form form;
    float *values; /* from malloc */
    size_t count;
    char shape[LIVE_HEADER_BYTES], dtype[LIVE_HEADER_BYTES], layout[LIVE_HEADER_BYTES];
};

/* Fails the test unless the response is 200 and a tensor. */
struct live_result live_read_answer(const struct live_answer *answer, const char *what);

/* Posts x and reads the response. */
struct live_result live_post(const struct live *live, const char *target, enum live_form form,
                             const char *headers, const struct live_tensor *x, const char *members,
                             const char *what);

/* Fails the test unless the result is y, float32 in that layout. */
void live_check_result(const struct live_result *result, const struct live_tensor *y,
                       const char *layout, const char *what);

#endif

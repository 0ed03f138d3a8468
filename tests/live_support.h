/*
 * live_support.h - the program under test run for real, and a client that sends exact bytes.
 *
 * The program is $PPM_SERVER. It dies with the test's process, whatever becomes of the test. All
 * waiting is bounded by LIVE_WAIT_MS; what does not come by then fails the test.
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

/* Samples of /metrics: what was given up, and in which stage. */
#define GONE(stage) "ppm_cancelled_total{reason=\"client_gone\",stage=\"" stage "\"}"
#define LATE(stage) "ppm_cancelled_total{reason=\"deadline\",stage=\"" stage "\"}"

/* ---- the program ---- */

struct live {
    pid_t pid;
    int out, log; /* files that hold its stdout and stderr */
    unsigned port;
    char socket_path[108]; /* when it listens on a unix socket */
};

/* Starts "$PPM_SERVER arguments..." with environment ("NAME=value", may be NULL) added. */
void live_spawn(struct live *ret, const char *const *arguments, const char *const *environment);

/* The same with stderr to a descriptor, which *ret takes over. */
void live_spawn_logging(struct live *ret, int log, const char *const *arguments,
                        const char *const *environment);

/* live_spawn of "serve --port 0 arguments...", and waits until it listens. */
void live_start(struct live *ret, const char *const *arguments, const char *const *environment);

/* The same with a socket to listen on, passed as a service manager does: live_spawn_passing gives
 * the process so many by LISTEN_FDS; live_start_passing waits until it listens. */
void live_spawn_passing(struct live *ret, int socket, const char *count,
                        const char *const *arguments, const char *const *environment);
void live_start_passing(struct live *ret, int socket, const char *const *arguments,
                        const char *const *environment);

/* Waits for its end. Returns the exit status, or 128 and the signal that ended it. */
int live_wait(struct live *live);

/* SIGTERM; the test fails unless it then ends by itself with exit status 0. */
void live_stop(struct live *live);

/* All of stderr so far; the caller frees it. */
char *live_log(const struct live *live);

/* Waits until stderr holds text. */
void live_wait_log(const struct live *live, const char *text);

void live_sleep_ms(long ms);

/* A program run to its end, with what it printed. */
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
    char *body; /* NUL behind it */
    size_t body_bytes;
};

int live_connect(const struct live *live);

/* False when the server has closed the connection meanwhile. */
bool live_send(int connection, const void *bytes, size_t count);
bool live_print(int connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads one answer, without a body when it answers HEAD (or is 100). False when the connection was
 * closed before all of it came; then nothing is to be freed. */
bool live_receive(int connection, bool is_head, struct live_answer *ret);

/* Whether something of an answer has come, or the end. */
bool live_is_answered(int connection);

/* Whether the connection was closed, and not a byte of another answer came before. */
bool live_is_closed(int connection);

/* One request on a connection of its own. headers are whole lines, each with its \r\n; bytes with
 * Content-Length, or none when body is NULL. */
struct live_answer live_ask(const struct live *live, const char *method, const char *target,
                            const char *headers, const void *body, size_t body_bytes);

/* Writes a header's value, or "" when the answer lacks it. Returns ret_value. */
const char *live_header(const struct live_answer *answer, const char *name,
                        char ret_value[LIVE_HEADER_BYTES]);
void live_answer_free(struct live_answer *answer);

/* Fails the test unless the answer is a problem of that status, complete in its members and
 * headers, and its detail contains text. */
void live_check_problem(const struct live_answer *answer, int status, const char *text,
                        const char *what);

/* The value of a sample of /metrics, such as "ppm_ready" or
 * "ppm_rejected_total{reason=\"memory\"}". The test fails when there is none. */
double live_metric(const struct live *live, const char *sample);
double live_sample(const struct live_answer *metrics, const char *sample);

/* Waits until it has that value. */
void live_wait_metric(const struct live *live, const char *sample, double value);

/* Fails the test unless POST /ppm with a small npy is answered 200. */
void live_check_serving(const struct live *live, const char *what);

/* ---- something long to compute: live_slow.c ---- */

/* live_start with the golden model of listing 1, and a model "slow". Its end. */
void live_slow_start(struct live *ret, const char *const *arguments);
void live_slow_stop(struct live *live);
void live_slow_forget(void); /* the model, when the server was stopped otherwise */

/* Sends it a request of so many 8 x 8 images; headers are whole lines. Returns its connection. */
int live_slow_send(const struct live *live, size_t images, const char *headers);

/* How many images take at least ms, whatever this machine and its kernels can do. */
size_t live_slow_images(const struct live *live, double ms);

/* ---- files ---- */

/* A whole file, NUL behind it; the caller frees it. */
char *live_read_file(const char *path, size_t *ret_bytes);
void live_write_file(const char *path, const char *text);

/* Writes directory/name, in which every ' stands for a "; the path lives until the eighth call from
 * now. */
const char *live_write_quoted(const char *directory, const char *name, const char *text);

/* A new directory below /tmp, and its removal with the files in it. */
void live_directory_make(char ret_path[LIVE_PATH_BYTES]);
void live_directory_remove(const char *path);

/* ---- tensors: live_tensors.c ---- */

/* The C order float32 of a .npy; values stand in file. */
struct live_tensor {
    char *file;
    size_t file_bytes;
    const float *values;
    size_t count;
    char shape[64]; /* "1,4,10,10" */
};
struct live_tensor live_read_npy(char *file, size_t file_bytes); /* takes file over */
struct live_tensor live_golden(const char *name, const char *file);
void live_tensor_free(struct live_tensor *tensor);

/* Fails the test unless count values are those expected, but for the last bits. */
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

/* What an answer says, whatever its form; values are int32 when dtype says so. */
struct live_result {
    enum live_form form;
    float *values; /* from malloc */
    size_t count;
    char shape[LIVE_HEADER_BYTES], dtype[LIVE_HEADER_BYTES], layout[LIVE_HEADER_BYTES];
};

/* Fails the test unless the answer is 200 and a tensor. */
struct live_result live_read_answer(const struct live_answer *answer, const char *what);

/* Posts x and reads the answer. */
struct live_result live_post(const struct live *live, const char *target, enum live_form form,
                             const char *headers, const struct live_tensor *x, const char *members,
                             const char *what);

/* Fails the test unless the result is y, of float32 in that layout. */
void live_check_result(const struct live_result *result, const struct live_tensor *y,
                       const char *layout, const char *what);

#endif

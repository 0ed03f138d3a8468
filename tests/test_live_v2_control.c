/* test_live_v2_control.c - the Open Inference Protocol v2: shared memory, and loading and unloading
 * models. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INFER  "/v2/models/listing1-pytorch-ppm/infer"
#define REGION "/v2/systemsharedmemory/region/"
#define SHAPE  "\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 10, 10]"
#define PLACE                                                                                      \
    "\"shared_memory_region\": \"%s\", \"shared_memory_offset\": %zu, "                            \
    "\"shared_memory_byte_size\": %zu"

enum { X_BYTES = 1600, Y_BYTES = 4800, OBJECT_BYTES = 16384 };

static struct live live;
static char object[64];
static char *memory;

static void make_object(size_t bytes)
{
    snprintf(object, sizeof object, "/ppm-test-%d", (int)getpid());
    const int file = shm_open(object, O_CREAT | O_RDWR, 0600);
    cr_assert(file >= 0 && ftruncate(file, (off_t)bytes) == 0);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    cr_assert(memory != MAP_FAILED);
    close(file);
}

static void truncate_object(size_t bytes)
{
    const int file = shm_open(object, O_RDWR, 0600);
    cr_assert(file >= 0 && ftruncate(file, (off_t)bytes) == 0);
    close(file);
}

static struct live_answer post(const char *target, const char *body)
{
    return live_ask(&live, "POST", target, "", body, strlen(body));
}

static void check(const char *target, const char *body, int status, const char *text)
{
    struct live_answer answer = post(target, body);
    cr_assert(answer.status == status && strstr(answer.body, text), "%s %s: %d: %s", target, body,
              answer.status, answer.body);
    live_answer_free(&answer);
}

static void register_object(const char *name, size_t offset, size_t bytes, int status,
                            const char *text)
{
    char target[128], body[256];
    snprintf(target, sizeof target, REGION "%s/register", name);
    snprintf(body, sizeof body, "{\"key\": \"%s\", \"offset\": %zu, \"byte_size\": %zu}", object,
             offset, bytes);
    check(target, body, status, text);
}

/* x at one offset of region r, y at another. */
static struct live_answer infer(const char *target, const char *input, size_t x_offset,
                                size_t x_bytes, size_t y_offset, size_t y_bytes)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"inputs\": [{%s, \"parameters\": {" PLACE "}}], "
             "\"outputs\": [{\"name\": \"y\", \"parameters\": {" PLACE "}}]}",
             input, "r", x_offset, x_bytes, "r", y_offset, y_bytes);
    return post(target, body);
}

static void stop(void)
{
    live_check_serving(&live, "afterwards");
    live_stop(&live);
    shm_unlink(object);
}

Test(live_v2_control, tensors_are_read_and_written_where_they_lie)
{
    static const size_t places[][2] = {{0, 1600}, {0, 1664}, {4, 2048}, {1, 2049}, {6400, 0}};
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    make_object(OBJECT_BYTES);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--allow-shared-memory"), NULL);
    register_object("r", 0, OBJECT_BYTES, 200, "{}");
    for (size_t i = 0; i < COUNT(places); i++) {
        float values[Y_BYTES / sizeof(float)];
        memset(memory, 0x7f, OBJECT_BYTES);
        memcpy(memory + places[i][0], x.values, X_BYTES);
        struct live_answer answer =
            infer(INFER, SHAPE, places[i][0], X_BYTES, places[i][1], Y_BYTES);
        cr_assert(answer.status == 200 && !strstr(answer.body, "\"data\""), "%s", answer.body);
        memcpy(values, memory + places[i][1], Y_BYTES);
        live_check_values(values, COUNT(values), &y, "y");
        cr_assert(memory[places[i][1] + Y_BYTES] == 0x7f, "written past y");
        live_answer_free(&answer);
    }
    live_tensor_free(&x);
    live_tensor_free(&y);
    stop();
}

/* x and y that overlap in one object, through one region or two, have the same values as apart. */
Test(live_v2_control, what_overlaps_is_computed_from_x_as_it_was)
{
    static const size_t offsets[] = {0, 4, 64, 800, 1536};
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    make_object(OBJECT_BYTES);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--allow-shared-memory"), NULL);
    register_object("r", 0, OBJECT_BYTES, 200, "{}");
    register_object("q", 64, OBJECT_BYTES - 64, 200, "{}");
    for (size_t i = 0; i < 2 * COUNT(offsets); i++) {
        float values[Y_BYTES / sizeof(float)];
        char body[1024];
        const size_t x_at = 512, y_at = 64 + offsets[i / 2];
        memcpy(memory + x_at, x.values, X_BYTES);
        snprintf(body, sizeof body,
                 "{\"inputs\": [{" SHAPE ", \"parameters\": {" PLACE "}}], "
                 "\"outputs\": [{\"name\": \"y\", \"parameters\": {" PLACE "}}]}",
                 "r", x_at, (size_t)X_BYTES, i % 2 ? "q" : "r", i % 2 ? y_at - 64 : y_at,
                 (size_t)Y_BYTES);
        check(INFER, body, 200, "\"y\"");
        memcpy(values, memory + y_at, Y_BYTES);
        live_check_values(values, COUNT(values), &y, "y over x");
    }
    live_tensor_free(&x);
    live_tensor_free(&y);
    stop();
}

/* Holes are read as zeros of x. Only y allocates memory, which counts until the region is
 * unregistered. */
Test(live_v2_control, holes_are_no_memory_of_the_servers)
{
    enum { BYTES = 32 << 20, Y_AT = 16 << 20 };
    struct stat status;
    make_object(BYTES);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--allow-shared-memory"), NULL);
    register_object("r", 0, BYTES, 200, "{}");
    const char *input = "\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 200, 200]";
    const size_t x_bytes = (size_t)4 * 200 * 200 * 4, y_bytes = 3 * x_bytes;
    for (int i = 0; i < 2; i++) {
        struct live_answer answer = infer(INFER, input, 0, x_bytes, Y_AT, y_bytes);
        cr_assert(answer.status == 200, "%s", answer.body);
        live_answer_free(&answer);
        live_wait_metric(&live, "ppm_bytes_in_flight", (double)y_bytes);
    }
    const int file = shm_open(object, O_RDWR, 0600);
    cr_assert(file >= 0 && fstat(file, &status) == 0);
    close(file);
    cr_assert((size_t)status.st_blocks * 512 < y_bytes + (64 << 10), "%lld blocks",
              (long long)status.st_blocks);
    check(REGION "r/unregister", "", 200, "{}");
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    stop();
}

Test(live_v2_control, what_is_wrong_with_regions_is_said)
{
    make_object(OBJECT_BYTES);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--allow-shared-memory", "true"), NULL);
    register_object("r", 0, OBJECT_BYTES + 1, 400, "16385");
    register_object("r", 8192, 8192, 200, "{}");
    register_object("r", 0, 1, 400, "already");
    check(REGION "q/register", "{\"byte_size\": 1}", 400, "key");
    check(REGION "q/register", "{\"key\": \"../x\", \"byte_size\": 1}", 400, "../x");
    check(REGION "q/register", "{\"key\": \"none-such\", \"byte_size\": 1}", 400, "none-such");
    check(REGION "q/register", "{\"key\": \"a\", \"byte_size\": -1}", 400, "byte_size");
    check(REGION "q/register", "[", 400, "JSON");
    static const struct {
        size_t x_offset, x_bytes, y_offset, y_bytes;
        const char *text;
    } cases[] = {
        {0, X_BYTES - 1, 0, Y_BYTES, "expected 1600"},
        {8192 - X_BYTES + 1, X_BYTES, 0, Y_BYTES, "r"},
        {(size_t)1 << 62, X_BYTES, 0, Y_BYTES, "r"},
        {0, X_BYTES, 0, Y_BYTES - 1, "expected 4800"},
        {0, X_BYTES, 8192, Y_BYTES, "r"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = infer(INFER, SHAPE, cases[i].x_offset, cases[i].x_bytes,
                                          cases[i].y_offset, cases[i].y_bytes);
        cr_assert(answer.status == 400 && strstr(answer.body, cases[i].text), "%zu: %s", i,
                  answer.body);
        live_answer_free(&answer);
    }
    truncate_object(8192 + X_BYTES / 2); /* without telling the server */
    struct live_answer answer = infer(INFER, SHAPE, 0, X_BYTES, 2048, Y_BYTES);
    cr_assert(answer.status == 400, "%s", answer.body);
    live_answer_free(&answer);
    check(REGION "r/unregister", "", 200, "{}");
    check(REGION "r/unregister", "", 200, "{}"); /* already gone */
    answer = live_ask(&live, "GET", REGION "r/status", "", NULL, 0);
    cr_assert(answer.status == 404, "%s", answer.body);
    live_answer_free(&answer);
    stop();
}

Test(live_v2_control, an_object_cut_short_while_it_is_read_ends_nothing, .timeout = 300)
{
    char input[128], body[512];
    live_slow_start(&live, LIST("--allow-shared-memory", "--threads", "2"));
    const size_t images = live_slow_images(&live, 500), bytes = images * 4 * 8 * 8 * sizeof(float);
    make_object(bytes);
    register_object("r", 0, bytes, 200, "{}");
    const double computed = live_metric(&live, "ppm_batch_size_count{model=\"slow\"}");
    snprintf(input, sizeof input,
             "\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [%zu, 4, 8, 8]", images);
    snprintf(body, sizeof body, "{\"inputs\": [{%s, \"parameters\": {" PLACE "}}]}", input, "r",
             (size_t)0, bytes);
    int connection = live_connect(&live);
    live_print(
        connection,
        "POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
    live_wait_metric(&live, "ppm_batch_size_count{model=\"slow\"}", computed + 1);
    truncate_object(0);
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer));
    cr_assert(answer.status == 400 && strstr(answer.body, "region"), "%d %s", answer.status,
              answer.body);
    live_answer_free(&answer);
    close(connection);
    live_check_serving(&live, "it was cut short");
    live_slow_stop(&live);
    shm_unlink(object);
}

Test(live_v2_control, nothing_of_it_unless_it_is_allowed)
{
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    check(REGION "r/register", "{\"key\": \"a\", \"byte_size\": 1}", 403, "allow_shared_memory");
    check(REGION "r/unregister", "", 403, "allow_shared_memory");
    check("/v2/systemsharedmemory/unregister", "", 403, "allow_shared_memory");
    struct live_answer answer = infer(INFER, SHAPE, 0, X_BYTES, 0, Y_BYTES);
    cr_assert(answer.status == 403, "%s", answer.body);
    live_answer_free(&answer);
    check("/v2/repository/models/listing1-pytorch-ppm/unload", "", 403, "allow_model_control");
    live_check_serving(&live, "all this");
    live_stop(&live);
}

Test(live_v2_control, models_come_and_go, .timeout = 300)
{
    static const char unload[] = "/v2/repository/models/listing1-pytorch-ppm/unload",
                      load[] = "/v2/repository/models/listing1-pytorch-ppm/load",
                      index[] = "/v2/repository/index";
    char directory[LIVE_PATH_BYTES], path[64];
    static const char model[] = "{'name': 'other', 'input': {'channels': 4}, 'bins': [1], "
                                "'branch': [], 'weights': {'random': 1}}";
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s", live_write_quoted(directory, "other.json", model));
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--model", path, "--allow-model-control"),
               NULL);
    check(unload, "", 200, "{}");
    check(index, "", 200, "\"UNAVAILABLE\"");
    check(INFER, "{}", 404, "other");
    check("/ppm?shape=1,4,1,1", "", 404, "model"); /* the first model is still the default */
    check(index, "{\"ready\": true}", 200, "[{\"name\":\"other\"");
    check(load, "", 200, "{}");
    live_check_serving(&live, "it was loaded again");
    check("/v2/repository/models/none/load", "", 404, "none");
    live_write_quoted(directory, "other.json", "{'name': 'another'}");
    check("/v2/repository/models/other/load", "", 400, "other.json");
    check(index, "{\"ready\": true}", 200, "\"other\""); /* the old one is still served */
    live_stop(&live);
    live_directory_remove(directory);
}

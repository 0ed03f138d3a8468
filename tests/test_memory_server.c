/* test_memory_server.c - every allocation of what the server reads at its start and at a reload, of
 * its parts that start, and of the codecs fails: a clean error, no leak. */
#include "server/base/buffers.h"
#include "server/base/memory.h"
#include "server/codec/forms.h"
#include "server/codec/json/json.h"
#include "server/codec/raw/raw.h"
#include "server/config/settings_print.h"
#include "server/http/http.h"
#include "server/models/warm_up.h"
#include "server/observe/log.h"
#include "tests/heap_sweep.h"
#include "tests/live_tls.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>
#    include <unistd.h>

static char directory[LIVE_PATH_BYTES];

static void open_directory(void)
{
    live_directory_make(directory);
}

static void remove_directory(void)
{
    live_directory_remove(directory);
}

TestSuite(memory_server, .init = open_directory, .fini = remove_directory, .timeout = 300);

static const char *write_file(const char *name, const char *text)
{
    return live_write_quoted(directory, name, text);
}

static const char model_json[] =
    "{'name': 'small', 'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv', 'relu'],"
    " 'head': [{'conv': {'channels': 3}}], 'warm_up': [[1, 2, 5, 6], [2, 2, 7, 3]],"
    " 'weights': {'random': 1}}";

/* ---- settings ---- */

static const char *arguments[8];
static int argument_count;
static struct settings settings;

static bool read_settings(struct ppm_error *error)
{
    if (settings_read(argument_count, (char *const *)(uintptr_t)arguments, &settings, error) ==
        PPM_OK)
        return true;
    settings_release(&settings);
    return false;
}

static void release_settings(void)
{
    settings_release(&settings);
}

static bool print_settings(struct ppm_error *error)
{
    static FILE *file;
    file = file ? file : fopen("/dev/null", "w");
    return settings_print(&settings, file, error) == PPM_OK;
}

static void release_nothing(void)
{
}

Test(memory_server, settings)
{
    arguments[0] = "--config";
    arguments[1] =
        write_file("server.json", "{'models': ['a.json', 'a-model-with-a-long-name.json'],"
                                  " 'cors_origins': ['https://a.example', 'https://b.example'],"
                                  " 'keys_file': 'a-file-of-keys', 'port': 12345}");
    arguments[2] = "--model";
    arguments[3] = "another.json";
    argument_count = 4;
    setenv("PPM_MODELS", "one.json:two.json", 1);
    heap_sweep(&(struct heap_attempt){"settings", read_settings, release_settings, .expected = true,
                                      .requests_min = 20});
    struct ppm_error error = {0};
    cr_assert(read_settings(&error), "%s", error.text);
    heap_sweep(&(struct heap_attempt){"--print-config", print_settings, release_nothing,
                                      .expected = true, .requests_min = 20});
    release_settings();
}

Test(memory_server, settings_that_are_refused_anyway)
{
    arguments[0] = "--config";
    arguments[1] = write_file("server.json", "{'models': ['a.json'], 'no such setting': 'at all'}");
    argument_count = 2;
    heap_sweep(
        &(struct heap_attempt){"settings", read_settings, release_settings, .requests_min = 10});
}

/* ---- keys and certificate ---- */

static struct http_access_files files;
static struct http_access *secrets;

static void ignore(const char *text)
{
    (void)text;
}

static bool read_access(struct ppm_error *error)
{
    secrets = http_access_read(&files, ignore, error);
    return secrets != NULL;
}

static void free_access(void)
{
    http_access_free(secrets);
}

Test(memory_server, keys_and_certificate)
{
    const char *certificate = write_file("certificate.pem", ""), *key = write_file("key.pem", "");
    live_make_identity(certificate, key);
    files =
        (struct http_access_files){write_file("keys", "# two\nsecret\nkey\n"), certificate, key};
    heap_sweep(&(struct heap_attempt){"access", read_access, free_access, .expected = true,
                                      .requests_min = 2});
}

/* ---- models, the executor, the warm-up ---- */

static struct registry *registry;

static void release_registry(void)
{
    registry_release(registry);
}

static bool load_registry(struct ppm_error *error)
{
    registry = registry_load(&settings, NULL, error);
    return registry != NULL;
}

static void use_models(const char *first, const char *second)
{
    settings = (struct settings){.models = {strdup(first), strdup(second)}, .model_count = 2};
}

Test(memory_server, models)
{
    use_models(write_file("small.json", model_json), LISTING1_MODEL);
    heap_sweep(&(struct heap_attempt){"models", load_registry, release_registry, .expected = true,
                                      .requests_min = 60});
    release_settings();
}

Test(memory_server, models_of_one_name)
{
    const char *path = write_file("small.json", model_json);
    use_models(path, path);
    heap_sweep(
        &(struct heap_attempt){"models", load_registry, release_registry, .requests_min = 50});
    release_settings();
}

#    ifndef __clang__ /* whose OpenMP keeps some memory of each thread that has been */
static struct executor *executor;

static bool start_warm(struct ppm_error *error)
{
    const struct executor_options options = {.threads = 1, .queue_max = 4, .batch_max = 2};
    struct warm_up_report report;
    memory_set_max(1 << 20);
    executor = executor_start(&options, error);
    registry = executor ? registry_load(&settings, NULL, error) : NULL;
    if (registry &&
        warm_up(registry, executor, &(struct ppm_progress){0}, &report, error) == PPM_OK)
        return true;
    executor_stop(executor);
    registry_release(registry);
    memory_trim(0);
    return false;
}

static void stop_warm(void)
{
    executor_stop(executor);
    registry_release(registry);
    memory_trim(0);
}

Test(memory_server, executor_and_warm_up)
{
    use_models(write_file("small.json", model_json), LISTING1_MODEL);
    heap_sweep(&(struct heap_attempt){"warm-up", start_warm, stop_warm, HEAP_STARTED_THREADS,
                                      .expected = true, .requests_min = 100});
    release_settings();
}
#    endif

/* ---- codecs ---- */

static const struct codec_form *form;
static struct live_body body;
static struct ppm_tensor tensor;
static struct codec_bytes bytes;

static bool decode(struct ppm_error *error)
{
    static const size_t axes[] = {1, 4, 10, 10};
    const struct codec_expectation expectation = {
        .layout = PPM_NCHW, .axes = axes, .axis_count = 4, .channels = 4, .model = "m"};
    return codec_decode(form, body.bytes, body.count, &expectation, &tensor, error) == PPM_OK;
}

static void free_tensor(void)
{
    ppm_tensor_free(&tensor);
}

static bool encode(struct ppm_error *error)
{
    if (!decode(error))
        return false;
    const bool is_encoded =
        codec_encode(form,
                     &(struct codec_answer){.tensor = &tensor, .model = "a model", .threads = 1},
                     &bytes, error) == PPM_OK;
    free_tensor();
    return is_encoded;
}

static void free_bytes(void)
{
    free(bytes.data);
}

Test(memory_server, codecs)
{
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    cr_assert_str_eq(x.shape, "1,4,10,10");
    for (size_t i = 0; (form = codec_forms[i]) && form->decode; i++) {
        body = live_make_body((enum live_form)i, &x, x.shape,
                              "\"model\": \"a name of more than 16 bytes\", ");
        heap_sweep(&(struct heap_attempt){form->name, decode, free_tensor, .expected = true,
                                          .requests_min = form->stream ? 10 : 1});
        heap_sweep(&(struct heap_attempt){form->name, encode, free_bytes, .expected = true,
                                          .requests_min = 2});
        free(body.bytes);
    }
    live_tensor_free(&x);
}

Test(memory_server, codecs_refuse)
{
    static char text[] = "{\"shape\": [1, \"four\", 10, 10], \"data\": [1, 2, 3], "
                         "\"model\": \"a name of more than 16 bytes\"}";
    form = &codec_json;
    body = (struct live_body){text, sizeof text - 1};
    heap_sweep(&(struct heap_attempt){"JSON", decode, free_tensor, .requests_min = 10});
}

#endif

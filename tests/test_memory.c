/* test_memory.c - every allocation of a load and of a run fails once: a clean error, no leak.
 *
 * The program's malloc is replaced here by one that counts and, while a test asks for it, refuses
 * the k-th request. The sanitizers bring a malloc of their own, and so leave these tests out. */
#include "tests/heap.h"
#include "tests/support.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>
#    include <dlfcn.h>
#    include <errno.h>
#    include <stdatomic.h>
#    include <stdlib.h>
#    include <string.h>

/* glibc's own, by the names under which it exports them beside those replaced here */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

enum { BLOCKS_MAX = 4096 };

/* What happens on the thread of the test alone. */
static _Thread_local struct {
    bool is_on, has_refused;
    long requests;  /* answered so far */
    long refuse_at; /* from 0 */
    size_t count;   /* of blocks given and not yet taken back */
    void *blocks[BLOCKS_MAX];
} watch;

/* Whether the function that asks is in the shared library of that name. */
static bool is_from(const char *name, const void *caller)
{
    Dl_info library;
    return dladdr(caller, &library) && library.dli_fname && strstr(library.dli_fname, name);
}

/* What all threads ask for while they are counted. */
static atomic_bool is_counted;
static atomic_size_t calls;

void heap_count(void)
{
    calls = 0;
    is_counted = true;
}

size_t heap_counted(void)
{
    is_counted = false;
    return calls;
}

/* OpenMP's own memory is not the program's concern: it ends the process when there is none. */
static bool is_watched(const void *caller)
{
    if ((!watch.is_on && !is_counted) || is_from("omp.so", caller))
        return false;
    calls += is_counted;
    return watch.is_on;
}

/* jansson is never refused: 2.14 overlooks that its text buffer could not grow, and reads on
 * behind it. What it was given must come back all the same. */
static bool is_refused(const void *caller)
{
    if (is_from("libjansson.so", caller) || watch.requests++ != watch.refuse_at)
        return false;
    watch.has_refused = true;
    errno = ENOMEM;
    return true;
}

static void *given(void *memory)
{
    if (memory && watch.count < BLOCKS_MAX)
        watch.blocks[watch.count++] = memory;
    return memory;
}

static void taken_back(const void *memory)
{
    for (size_t i = watch.count; i-- > 0;)
        if (watch.blocks[i] == memory) {
            watch.blocks[i] = watch.blocks[--watch.count];
            return;
        }
}

#    define CALLER __builtin_return_address(0)

/* The answer to a request from caller: what allocate gives, or NULL when it is its turn. */
#    define ANSWER(allocate)                                                                       \
        if (!is_watched(CALLER))                                                                   \
            return allocate;                                                                       \
        return is_refused(CALLER) ? NULL : given(allocate)

void *malloc(size_t bytes)
{
    ANSWER(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    ANSWER(__libc_calloc(count, bytes));
}

static void *allocate_aligned(size_t alignment, size_t bytes, const void *caller)
{
    if (!is_watched(caller))
        return __libc_memalign(alignment, bytes);
    return is_refused(caller) ? NULL : given(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **ret, size_t alignment, size_t bytes)
{
    void *memory = allocate_aligned(alignment, bytes, CALLER);
    if (!memory)
        return ENOMEM;
    *ret = memory;
    return 0;
}

void *realloc(void *old, size_t bytes)
{
    if (!is_watched(CALLER))
        return __libc_realloc(old, bytes);
    if (is_refused(CALLER))
        return NULL;
    taken_back(old);
    return given(__libc_realloc(old, bytes));
}

void free(void *memory)
{
    if (watch.is_on)
        taken_back(memory);
    __libc_free(memory);
}

static void watch_from(long refuse_at)
{
    watch.requests = 0;
    watch.refuse_at = refuse_at;
    watch.count = 0;
    watch.has_refused = false;
    watch.is_on = true;
}

TestSuite(memory, .init = support_open_folder, .fini = support_close_folder);

/* attempt() tells whether it succeeded, and holds no memory when it did not. */
static void refuse_every_request(const char *what, bool (*attempt)(struct ppm_error *error),
                                 void (*release)(void))
{
    long k = 0;
    for (bool is_done = false; !is_done; k++) {
        struct ppm_error error = {0};
        watch_from(k);
        is_done = attempt(&error);
        if (is_done)
            release();
        watch.is_on = false;
        if (watch.requests == 0)
            cr_skip_test("another malloc is in place"); /* valgrind's */
        cr_assert(is_done || watch.has_refused, "%s: %s", what, error.text);
        cr_assert(is_done == (error.status == PPM_OK), "%s, request %ld: %s", what, k, error.text);
        cr_assert(is_done || *error.text, "%s, request %ld: an error without text", what, k);
        cr_assert(watch.count == 0, "%s, request %ld: %zu blocks leak", what, k, watch.count);
        is_done = is_done && !watch.has_refused;
    }
    cr_expect(k > 5, "%s: %ld requests for memory, expected some more", what, k);
}

static const char *path;
static struct ppm_model *model;
static struct ppm_tensor x, y;

static bool load(struct ppm_error *error)
{
    model = ppm_model_load(path, NULL, error);
    return model != NULL;
}

static void unload(void)
{
    ppm_model_free(model);
}

static bool run(struct ppm_error *error)
{
    const struct ppm_run_options options = {.threads = 1};
    return ppm_run(model, &x, &options, &y, error) == PPM_OK;
}

static void drop_answer(void)
{
    ppm_tensor_free(&y);
}

Test(memory, loads_from_a_file)
{
    static const struct support_weights tensors[] = {
        {"branch.0.conv.weight", "F16", {1, 1, 2, 3}, NULL},
        {"branch.1.conv.weight", "F32", {1, 1, 2, 3}, NULL},
        {"head.0.batch_norm.running_mean", "F32", {8}, NULL},
        {"head.0.batch_norm.running_var", "BF16", {8}, NULL},
        {"head.0.prelu.weight", "F32", {1}, NULL},
    };
    support_write_safetensors("w.safetensors", tensors, COUNT(tensors));
    path = support_write_json(
        "m.json", "{'input': {'channels': 2}, 'bins': [1, 2],"
                  " 'branch': [{'conv': {'channels': 3, 'bias': false}}, 'relu'],"
                  " 'head': [{'batch_norm': {'scale': false, 'center': false}}, 'prelu'],"
                  " 'weights': {'file': 'w.safetensors', 'kernel_layout': 'HWIO'}}");
    refuse_every_request("load", load, unload);
}

Test(memory, loads_that_are_refused_anyway)
{
    path = support_write_json("m.json", "{'input': {'channels': 2}, 'bins': [1, 2],"
                                        " 'branch': ['conv'], 'head': [{'conv': {'kernel': 2}}]}");
    for (long k = 0; k == 0 || watch.has_refused; k++) {
        struct ppm_error error = {0};
        watch_from(k);
        const bool is_loaded = load(&error);
        watch.is_on = false;
        cr_assert(!is_loaded && error.status != PPM_OK && *error.text, "request %ld", k);
        cr_assert(watch.count == 0, "request %ld: %zu blocks leak", k, watch.count);
    }
}

Test(memory, runs)
{
    static const char *const forms[] = {
        "{'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv'], 'head': ['conv'],"
        " 'output': {'scale': 2, 'as': 'argmax'}, 'weights': {'random': 1}}",
        "{'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv'], 'cascade': true,"
        " 'weights': {'random': 1}}",
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        model = support_load_ok(forms[i]);
        x = support_tensor((struct ppm_shape){1, 2, 3, 4}, PPM_NHWC, NULL);
        refuse_every_request("run", run, drop_answer);
        ppm_tensor_free(&x);
        ppm_model_free(model);
    }
}

#endif

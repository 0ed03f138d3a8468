/* use.c MODEL MODEL: a plain C program around libppm. Prints nothing unless something is wrong. */
#include <jansson.h>
#include <ppm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS = 2, THREADS = 4, ROUNDS = 8, H = 40, W = 56 };

struct loaded {
    struct ppm_model *model;
    struct ppm_tensor x, y;
};

static struct loaded all[MODELS];
static int allocations;

static void check(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "use: %s\n", what);
    exit(1);
}

static void *counted_malloc(size_t bytes)
{
    allocations++;
    return malloc(bytes);
}

static bool refuse(void *context)
{
    (void)context;
    return true;
}

static void load(const char *path, struct loaded *ret)
{
    struct ppm_error error = {0};
    struct ppm_model_info info;
    ret->model = ppm_model_load(path, NULL, &error);
    check(ret->model != NULL, error.text);
    ppm_model_info(ret->model, &info);
    ret->x = (struct ppm_tensor){.shape = {1, info.inputs[0].channels, H, W}, .is_batch = true};
    check(ppm_tensor_allocate(&ret->x, &error) == PPM_OK, error.text);
    for (size_t i = 0; i < ret->x.shape.c * H * W; i++)
        ((float *)ret->x.data)[i] = (float)(i % 97) / 97;
}

static struct ppm_tensor answer(const struct loaded *loaded, int threads)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    const struct ppm_run_options options = {.threads = threads};
    check(ppm_run(loaded->model, &loaded->x, &options, &y, &error) == PPM_OK, error.text);
    return y;
}

/* Both models by turns, on this thread alone. */
static void *take_turns(void *context)
{
    (void)context;
    for (size_t round = 0; round < ROUNDS; round++) {
        const struct loaded *loaded = &all[round % MODELS];
        struct ppm_tensor y = answer(loaded, 1);
        const size_t bytes = 4 * y.shape.c * y.shape.h * y.shape.w;
        check(memcmp(y.data, loaded->y.data, bytes) == 0, "a thread's answer is another one");
        ppm_tensor_free(&y);
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, take_turns, NULL) == 0, "no thread");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void check_errors(void)
{
    struct ppm_error error = {0};
    check(!ppm_model_load("none.json", NULL, &error), "a file that is not there was loaded");
    check(error.status == PPM_BAD_CONFIG && strstr(error.text, "none.json"), error.text);

    struct ppm_tensor wrong = all[0].x, y = {0};
    wrong.shape.c++;
    error = (struct ppm_error){0};
    check(ppm_run(all[0].model, &wrong, NULL, &y, &error) == PPM_UNFIT, "a wrong x was taken");
    check(strstr(error.text, "channels") && !y.data, error.text);

    const struct ppm_run_options options = {.threads = 1, .is_cancelled = refuse};
    error = (struct ppm_error){0};
    check(ppm_run(all[0].model, &all[0].x, &options, &y, &error) == PPM_CANCELLED, "went on");
}

int main(int count, char **arguments)
{
    check(count == 1 + MODELS, "usage: use MODEL MODEL");
    json_set_alloc_funcs(counted_malloc, free);
    for (int i = 0; i < MODELS; i++) {
        load(arguments[1 + i], &all[i]);
        all[i].y = answer(&all[i], 2);
    }
    const int before = allocations;
    json_decref(json_object());
    check(allocations > before, "jansson has lost the program's allocator");
    check_errors();
    check_threads();
    for (int i = 0; i < MODELS; i++) {
        ppm_tensor_free(&all[i].x);
        ppm_tensor_free(&all[i].y);
        ppm_model_free(all[i].model);
    }
    return 0;
}

/* unload.c LIBRARY MODEL: a program that loads libppm for a while, twice, and outlives it. */
#include <dlfcn.h>
#include <ppm.h>
#include <stdio.h>
#include <time.h>

#define FUNCTION(name) name##_function *name = (name##_function *)(uintptr_t)dlsym(library, #name)
typedef struct ppm_model *ppm_model_load_function(const char *, const struct ppm_progress *,
                                                  struct ppm_error *);
typedef void ppm_model_free_function(struct ppm_model *);
typedef enum ppm_status ppm_run_function(const struct ppm_model *, const struct ppm_tensor *,
                                         const struct ppm_run_options *, struct ppm_tensor *,
                                         struct ppm_error *);
typedef void ppm_tensor_free_function(struct ppm_tensor *);

static int use(void *library, const char *path)
{
    FUNCTION(ppm_model_load);
    FUNCTION(ppm_model_free);
    FUNCTION(ppm_run);
    FUNCTION(ppm_tensor_free);
    static float values[3 * 64 * 64];
    const struct ppm_tensor x = {.shape = {1, 3, 64, 64}, .is_batch = true, .data = values};
    const struct ppm_run_options options = {.threads = 3};
    struct ppm_tensor y = {0};
    struct ppm_error error = {0};
    struct ppm_model *model = ppm_model_load(path, NULL, &error);
    if (!model || ppm_run(model, &x, &options, &y, &error) != PPM_OK)
        return fprintf(stderr, "unload: %s\n", error.text), 1;
    ppm_tensor_free(&y);
    ppm_model_free(model);
    return 0;
}

int main(int count, char **arguments)
{
    for (int i = 0; count == 3 && i < 2; i++) {
        void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (!library || use(library, arguments[2]) != 0 || dlclose(library) != 0)
            return fprintf(stderr, "unload: %s\n", dlerror()), 1;
        /* OpenMP's threads wake up, stop spinning and sleep. */
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return count == 3 ? 0 : 2;
}

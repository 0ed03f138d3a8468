/*
 * test_memory_growth.c - what admission charges for a run, compared with the memory that the
 * process is seen to take: at most 10 % more, and no less.
 */
#include "core/ppm.h"
#include "tests/heap.h"
#include "tests/support.h"

#if !defined MALLOC_IS_TAKEN && !defined HEAP_IS_CHECKED /* sanitizers keep what is freed */

#    include <criterion/criterion.h>
#    include <malloc.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>

TestSuite(memory_growth, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

/* A line of /proc/self/status in bytes: "VmHWM" is the most memory so far, "VmRSS" that of now. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    cr_assert(file != NULL);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            sscanf(line + strlen(key) + 1, "%zu", &kib);
    fclose(file);
    cr_assert(kib > 0);
    return kib << 10;
}

/* From here on, VmHWM is the most memory since then. False: the system does not allow it. */
static bool reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    const bool is_reset = file && fputs("5", file) >= 0;
    if (!file || fclose(file) != 0)
        return false;
    return is_reset;
}

static void run(const struct ppm_model *model, const struct ppm_tensor *x, int threads)
{
    const struct ppm_run_options options = {.threads = threads};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(model, x, &options, &y, &error), PPM_OK, "%s", error.text);
    ppm_tensor_free(&y);
}

/* The growth of the process while it computes; 0: it cannot be seen. */
static size_t growth_of(const struct ppm_model *model, const struct ppm_tensor *x, int threads)
{
    malloc_trim(0);
    if (getenv("EMULATOR") || !reset_peak())
        return 0;
    const size_t before = status_bytes("VmRSS");
    run(model, x, threads);
    return status_bytes("VmHWM") - before;
}

static void check(const struct ppm_model *model, struct ppm_shape shape, const char *what)
{
    const struct ppm_sizes sizes = {.inputs = {shape}, .count = 1};
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    mallopt(M_MMAP_THRESHOLD, 1 << 16); /* what is freed goes back to the system at once */
    for (int threads = 1; heap_is_ours() && threads <= 2; threads++) {
        struct ppm_error error = {0};
        struct ppm_costs costs;
        cr_assert_eq(ppm_model_costs(model, &sizes, PPM_NCHW, threads, &costs, &error), PPM_OK);
        run(model, &x, threads); /* threads take memory of their own, once */
        const size_t growth = growth_of(model, &x, threads);
        if (growth == 0)
            cr_skip_test("the peak of a process cannot be reset here");
        cr_expect(growth <= costs.working_bytes, "grew by %zu bytes, was told %zu: %s", growth,
                  costs.working_bytes, what);
        cr_expect(growth * 11 >= costs.working_bytes * 10,
                  "grew by %zu bytes only, was told %zu: %s", growth, costs.working_bytes, what);
    }
    ppm_tensor_free(&x);
}

#    define CONV(channels, kernel, stride, padding, weights)                                       \
        "{'conv': {'channels': " channels ", 'kernel': " kernel ", 'stride': " stride              \
        ", 'padding': " padding ", 'weights': '" weights "'}}"
#    define NETWORK(entries)                                                                       \
        "{'inputs': {'x': {'channels': 3}}, 'weights': {'random': 1}, 'network': [" entries "]}"

/* A stem, two residual blocks, a pyramid and a head. */
static const char residual[] = NETWORK(
    CONV("32", "7", "2", "3",
         "a") ", 'relu', {'max_pool': {'window': 3, 'stride': 2, 'padding': 1},"
              " 'name': 'p'}, " CONV("32", "3", "1", "1", "b") ", 'relu', " CONV(
                  "32", "3", "1", "1",
                  "c") ", {'affine': {'scale': 2}, 'name': 'q'}, {'add': ['p', 'q']}, {'relu': {}, "
                       "'name': 'r'}, " CONV("32", "3", "1", "1",
                                             "d") ", 'relu', {'conv': {'channels': 32, 'weights': "
                                                  "'e'}, 'name':"
                                                  " 's'}, {'add': ['r', 's']}, 'relu', {'pyramid': "
                                                  "{'bins': [1, 2, 3, 6], 'branch': [{'conv':"
                                                  " {'channels': 8}}]}}, " CONV(
                                                      "16", "3", "1", "1",
                                                      "f") ", 'relu', {'resize': {'like': 'x'}}");

/* What is made at the start is read at the end. */
static const char encoder[] =
    NETWORK("{'conv': {'channels': 24, 'kernel': 3, 'padding': 1, 'weights': 'a'}, 'name': "
            "'a'}, " CONV("48", "3", "2", "1", "b") ", {'relu6': {}, 'name': 'b'}, " CONV(
                "96", "3", "2", "1",
                "c") ", 'hardswish', {'resize': {'like': 'b'}, 'name': 'd'}, {'concat': ['b', "
                     "'d']}, " CONV("24", "3", "1", "1", "e") ", 'relu', {'resize': {'like': 'x'}, "
                                                              "'name': 'e'}, {'concat':"
                                                              " ['a', 'e']}, " CONV("12", "1", "1",
                                                                                    "0", "f"));

/* Steps that are no sections. */
static const char gates[] = NETWORK(
    "{'conv': {'channels': 64, 'weights': 'a'}, 'name': 'a'}, {'adaptive_avg_pool': {'bins': 1}},"
    " {'conv': {'channels': 64, 'weights': 'b'}}, {'sigmoid': {}, 'name': 'g'}, {'mul': ['a', "
    "'g']},"
    " {'group_norm': {'groups': 8, 'weights': 'n'}}, {'gelu': {}, 'name': 'm'}, {'channel_mean':"
    " {}, 'name': 'c'}, {'mul': ['m', 'c']}, {'avg_pool': {'window': 3, 'stride': 1, 'padding': "
    "1}}");

Test(memory_growth, networks)
{
    const char *const networks[] = {residual, encoder, gates};
    for (size_t i = 0; i < COUNT(networks); i++) {
        struct ppm_model *model = support_load_ok(networks[i]);
        check(model, (struct ppm_shape){1, 3, 383, 421}, networks[i]);
        check(model, (struct ppm_shape){3, 3, 233, 240}, networks[i]);
        ppm_model_free(model);
    }
}

Test(memory_growth, pyramids)
{
    static const char *const paths[] = {"bench/models/pspnet-1x1.json",
                                        "bench/models/pspnet-3x3.json",
                                        "bench/models/psp-2048.json"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct ppm_error error = {0};
        struct ppm_model *model = ppm_model_load(paths[i], NULL, &error);
        cr_assert(model != NULL, "%s", error.text);
        struct ppm_model_info info;
        ppm_model_info(model, &info);
        check(model, (struct ppm_shape){2, info.inputs[0].channels, 60, 60}, paths[i]);
        ppm_model_free(model);
    }
}

#endif

/* test_networks.c - random networks by the engine, against the literal graph. */
#include "core/ppm.h"
#include "tests/random_networks.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(networks, .init = support_open_folder, .fini = support_close_folder, .timeout = 600);

/* As many inputs as the network has, of its channels and the given size. */
struct inputs {
    struct ppm_tensor list[PPM_INPUTS_MAX];
    size_t count;
};

static struct inputs make_inputs(const struct ppm_model *model, size_t n, size_t h, size_t w)
{
    struct ppm_model_info info;
    struct inputs ret = {.count = 0};
    ppm_model_info(model, &info);
    for (size_t i = 0; i < info.input_count; i++)
        ret.list[ret.count++] =
            support_tensor((struct ppm_shape){n, info.inputs[i].channels, h, w}, PPM_NCHW, NULL);
    return ret;
}

static void free_inputs(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        ppm_tensor_free(&inputs->list[i]);
}

static enum ppm_status run(const struct ppm_model *model, const struct inputs *x, bool reference,
                           int threads, struct ppm_tensor *ret_y)
{
    const struct ppm_run_options options = {.threads = threads, .reference = reference};
    struct ppm_error error = {0};
    *ret_y = (struct ppm_tensor){0};
    ppm_run(model, x->list, &options, ret_y, &error);
    cr_expect(error.status == PPM_OK || error.status == PPM_UNFIT, "%s", error.text);
    return error.status;
}

static void check(const struct ppm_model *model, size_t n, size_t h, size_t w, uint64_t seed,
                  const char *text)
{
    struct inputs x = make_inputs(model, n, h, w), turned = {.count = x.count};
    struct ppm_tensor expected, y, threaded, y_turned;
    for (size_t i = 0; i < x.count; i++)
        turned.list[i] = support_other_layout(&x.list[i]);
    if (run(model, &x, true, 2, &expected) == PPM_OK) {
        run(model, &x, false, 1, &y);
        run(model, &x, false, 3, &threaded);
        run(model, &turned, false, 2, &y_turned);
        struct ppm_tensor back = support_other_layout(&y_turned);
        const double off = support_difference(&y, &expected);
        const double turned_off = support_difference(&back, &expected);
        cr_expect(off <= 1e-4, "seed %zu: off by %g on %zu x %zu x %zu: %s", (size_t)seed, off, n,
                  h, w, text);
        cr_expect(support_is_same(&y, &threaded), "seed %zu: depends on threads: %s", (size_t)seed,
                  text);
        cr_expect(turned_off <= 1e-4, "seed %zu: NHWC is off by %g: %s", (size_t)seed, turned_off,
                  text);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&y);
        ppm_tensor_free(&threaded);
        ppm_tensor_free(&y_turned);
        ppm_tensor_free(&back);
    }
    free_inputs(&x);
    free_inputs(&turned);
}

Test(networks, equal_the_literal_graph)
{
    static char text[NETWORK_BYTES];
    const char *from = getenv("PPM_TEST_SEED");
    const uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + 200; seed++) {
        random_network(seed, 3 + seed % 30, text);
        struct ppm_model *model = support_load_ok(text);
        check(model, 1, 17, 22, seed, text);
        check(model, 2, 32, 32, seed, text);
        ppm_model_free(model);
    }
}

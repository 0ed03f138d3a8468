/* test_memory.c - every allocation of a load and of a run fails: a clean error, no leak. */
#include "core/base/kernels.h"
#include "tests/heap_sweep.h"
#include "tests/support.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>

TestSuite(memory, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static const char *path;
static struct ppm_model *model;
static struct ppm_tensor x, y;

/* Operators of every family, an unused entry, and a pyramid that becomes several nodes. */
static const char network[] =
    "{'input': {'channels': 2}, 'network': [{'conv': {'channels': 4, 'kernel': 3, 'padding': 1}, "
    "'name': 'a'}, {'batch_norm': {}}, 'relu', {'max_pool': {'window': 2, 'ceil': true}}, "
    "{'resize': {'like': 'a'}, 'name': 'b'}, {'prelu': {'weights': 'p'}, 'name': 'none'}, "
    "{'conv': {'channels': 4, 'groups': 2, 'weights': 'c'}, 'from': 'b', 'name': 'd'}, {'add': "
    "['a', 'd']}, {'group_norm': {'groups': 2}}, {'pyramid': {'bins': [1, 2], 'branch': "
    "['conv']}}, "
    "{'pyramid': {'bins': [1], 'branch': ['conv', {'layer_norm': {}}], 'sum': true}}], "
    "'output': {'scale': 2, 'as': 'argmax'}, 'weights': {'random': 1}}";

static bool load(struct ppm_error *error)
{
    model = ppm_model_load(path, NULL, error);
    return model != NULL;
}

static void unload(void)
{
    ppm_model_free(model);
}

static struct ppm_stages stages;

static bool run(struct ppm_error *error)
{
    const struct ppm_run_options options = {.threads = 1, .stages = stages.count ? &stages : NULL};
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
    heap_sweep(&(struct heap_attempt){"load", load, unload, .expected = true, .requests_min = 60});
}

/* A load that also computes, twice. */
Test(memory, loads_with_bfloat16)
{
    struct ppm_error error = {0};
    if (!simd_select_bfloat16(core_simd()))
        ppm_isa_select("scalar", &error);
    path = support_write_json(
        "m.json", "{'input': {'channels': 3}, 'bins': [1, 2], 'branch': ['conv', 'relu'],"
                  " 'head': [{'conv': {'kernel': 3}}], 'output': {'as': 'argmax'},"
                  " 'weights': {'random': 1}, 'compute': 'bfloat16'}");
    heap_sweep(&(struct heap_attempt){"load", load, unload, .expected = true, .requests_min = 60});
}

Test(memory, loads_that_are_refused_anyway)
{
    path = support_write_json("m.json", "{'input': {'channels': 2}, 'bins': [1, 2],"
                                        " 'branch': ['conv'], 'head': [{'conv': {'kernel': 2}}]}");
    heap_sweep(&(struct heap_attempt){"load", load, unload, .requests_min = 20});
}

Test(memory, loads_of_networks)
{
    path = support_write_json("m.json", network);
    heap_sweep(&(struct heap_attempt){"load", load, unload, .expected = true, .requests_min = 150});
}

Test(memory, runs)
{
    static const char *const forms[] = {
        "{'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv'], 'head': ['conv'],"
        " 'output': {'scale': 2, 'as': 'argmax'}, 'weights': {'random': 1}}",
        "{'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv'], 'cascade': true,"
        " 'weights': {'random': 1}}",
        network,
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        model = support_load_ok(forms[i]);
        x = support_tensor((struct ppm_shape){1, 2, 3, 4}, PPM_NHWC, NULL);
        heap_sweep(
            &(struct heap_attempt){"run", run, drop_answer, .expected = true, .requests_min = 3});
        ppm_tensor_free(&x);
        ppm_model_free(model);
    }
}

Test(memory, runs_with_inner_results)
{
    static float room[1024];
    static const char *const forms[] = {
        "{'input': {'channels': 2}, 'bins': [1, 2], 'branch': ['conv'], 'head': ['conv'], "
        "'output': {'scale': 2}, 'weights': {'random': 1}}",
        network,
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct ppm_error error = {0};
        model = support_load_ok(forms[i]);
        x = support_tensor((struct ppm_shape){1, 2, 3, 4}, PPM_NHWC, NULL);
        cr_assert_eq(
            ppm_model_stages(model, SIZES_OF(x.shape), x.layout, x.is_batch, &stages, &error),
            PPM_OK, "%s", error.text);
        cr_assert_leq(stages.bytes, sizeof room);
        ppm_stages_place(&stages, room);
        heap_sweep(
            &(struct heap_attempt){"run", run, drop_answer, .expected = true, .requests_min = 10});
        ppm_tensor_free(&x);
        ppm_model_free(model);
    }
}

Test(memory, runs_with_entries)
{
    static float room[1024];
    struct ppm_error error = {0};
    model = support_load_ok(network);
    x = support_tensor((struct ppm_shape){1, 2, 3, 4}, PPM_NHWC, NULL);
    cr_assert_eq(ppm_model_entries(model, SIZES_OF(x.shape), x.layout, x.is_batch, "network.0",
                                   &stages, &error),
                 PPM_OK, "%s", error.text);
    cr_assert_leq(stages.bytes, sizeof room);
    ppm_stages_place(&stages, room);
    heap_sweep(
        &(struct heap_attempt){"run", run, drop_answer, .expected = true, .requests_min = 8});
    ppm_tensor_free(&x);
    ppm_model_free(model);
}

#endif

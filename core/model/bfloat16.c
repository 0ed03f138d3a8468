/* bfloat16.c - see bfloat16.h. */
#include "core/model/bfloat16.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/model/algorithms.h"
#include "core/model/panels.h"

#include <math.h>
#include <stdlib.h>

bool bfloat16_takes(const struct spec *spec, const struct layer *conv)
{
    return spec->compute == COMPUTE_BFLOAT16 && conv->kind == LAYER_CONV &&
           !conv_is_depthwise(conv) && !algorithm_fits(ALGORITHM_WINOGRAD, spec->is_exact, conv);
}

enum {
    TRIAL_STEPS = 512, /* of a tile's product; panels are in the second-level cache */
    TRIAL_TILES = 4,   /* timed at a time */
    TRIALS = 40,       /* of each kernel, alternating; the fastest counts */
};

/* The time of a full tile by one of the two kernels. */
struct trial {
    struct simd_gemm_run run;
    struct simd_gemm_tile tile;
    void (*kernel)(const struct simd_gemm_tile *tile);
    double fastest_s; /* for TRIAL_TILES */
};

static void time_trial(struct trial *trial)
{
    const double start_s = threads_now_s();
    for (size_t i = 0; i < TRIAL_TILES; i++)
        trial->kernel(&trial->tile);
    const double s = threads_now_s() - start_s;
    trial->fastest_s = s < trial->fastest_s ? s : trial->fastest_s;
}

/* Operands are ones: speed does not depend on them. */
enum ppm_status bfloat16_measure(const struct simd_ops *ops, double *ret_share,
                                 struct ppm_error *error)
{
    const size_t a = TRIAL_STEPS * ops->gemm_rows, b = TRIAL_STEPS * ops->gemm_columns;
    const size_t c = ops->gemm_rows * ops->gemm_columns;
    float *floats = core_allocate((a + b + c) * sizeof *floats, error);
    if (!floats)
        return error->status;
    for (size_t i = 0; i < a + b; i++)
        floats[i] = 1; /* the pair (0, 1) in bfloat16 */
    struct trial trials[2] = {
        {.run = {.words = SIMD_FLOAT32, .k = TRIAL_STEPS}, .kernel = ops->gemm_tile},
        {.run = {.words = SIMD_BFLOAT16, .k = TRIAL_STEPS},
         .kernel = simd_select_bfloat16(ops)->gemm_tile}};
    for (size_t i = 0; i < TRIALS; i++)
        for (size_t k = 0; k < 2; k++) {
            struct trial *trial = &trials[k];
            trial->run.a = trial->run.next_a = floats;
            trial->run.b = floats + a;
            trial->tile = (struct simd_gemm_tile){.runs = &trial->run,
                                                  .run_count = 1,
                                                  .c = floats + a + b,
                                                  .c_stride = ops->gemm_columns,
                                                  .rows = ops->gemm_rows,
                                                  .columns = ops->gemm_columns};
            trial->fastest_s = i == 0 ? INFINITY : trial->fastest_s;
            time_trial(trial);
        }
    free(floats);
    *ret_share = trials[1].fastest_s / trials[0].fastest_s;
    return PPM_OK;
}

enum ppm_status bfloat16_require(const char *path, const struct simd_ops *ops,
                                 struct ppm_error *error)
{
    if (simd_select_bfloat16(ops))
        return PPM_OK;
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "%s: compute: found \"bfloat16\", which the %s kernels in use do not have, "
                    "expected \"float32\", or a CPU with AVX512_BF16",
                    path, ops->name);
}

static enum ppm_status narrow(const struct spec *spec, struct layer *layer,
                              const struct ppm_progress *progress, struct ppm_error *error)
{
    if (error->status == PPM_OK && bfloat16_takes(spec, layer))
        conv_narrow(layer, progress, error);
    return error->status;
}

enum ppm_status bfloat16_narrow(struct ppm_model *model, const struct ppm_progress *progress,
                                struct ppm_error *error)
{
    struct spec *spec = &model->spec;
    for (size_t i = 0; i < spec->graph.count; i++) {
        struct layer *layer = &spec->graph.nodes[i].layer;
        for (size_t k = 0; layer->kind == LAYER_PYRAMID && k < layer->pyramid->branch_count; k++) {
            struct stack *stack = &layer->pyramid->branches[k].stack;
            for (size_t l = 0; l < stack->count; l++)
                narrow(spec, &stack->layers[l], progress, error);
        }
        narrow(spec, layer, progress, error);
    }
    return error->status;
}

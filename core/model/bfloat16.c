/* bfloat16.c - models that compute with bfloat16: what it takes here, and what it costs. */
#include "core/model/bfloat16.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/engine/engine.h"
#include "core/model/panels.h"

#include <math.h>
#include <stdlib.h>

bool bfloat16_takes(const struct spec *spec, const struct layer *conv)
{
    return spec->compute == COMPUTE_BFLOAT16 && conv->kind == LAYER_CONV &&
           !winograd_fits(spec, conv);
}

/* ---- how fast is it? ---- */

enum {
    TRIAL_STEPS = 512, /* of a tile's product; panels are in the second-level cache */
    TRIAL_TILES = 4,   /* timed at a time */
    TRIALS = 40,       /* in turns, of which the fastest counts: the others were disturbed */
};

/* What a tile of the largest size takes by one kernel and by the other. */
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
        floats[i] = 1; /* as a pair it is (0, 1) */
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

/* ---- how far off is it? ---- */

/* A load should not take much more memory than the model: outputs may be enlarged without bounds.
 */
static bool can_try(const struct ppm_model *model, struct ppm_shape shape)
{
    enum { WORKING_BYTES_MAX = 256 << 20 };
    struct ppm_costs costs;
    struct ppm_error unfit = {0};
    return ppm_model_costs(model, shape, PPM_NCHW, 1, &costs, &unfit) == PPM_OK &&
           costs.working_bytes <= WORKING_BYTES_MAX;
}

/* The shape of the x to try: square, of a size that most bins divide, so that models whose branches
 * have to agree in size take it too. Or what the model is to be warmed up for. n is 0 where there
 * is none. */
static struct ppm_shape shape_to_try(const struct ppm_model *model)
{
    static const size_t extents[] = {12, 24, 60, 120, 240};
    const struct spec *spec = &model->spec;
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        const struct ppm_shape shape = {1, spec->channels, extents[i], extents[i]};
        if (can_try(model, shape))
            return shape;
    }
    return spec->warm_up_count > 0 && can_try(model, spec->warm_up[0]) ? spec->warm_up[0]
                                                                       : (struct ppm_shape){0};
}

static void fill_random(float *x, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        x[i] = (float)(state >> 40) * 0x1p-23F - 1;
    }
}

/* INFINITY where values are not finite. */
static double difference(const struct ppm_tensor *y, const struct ppm_tensor *expected)
{
    const size_t count = y->shape.n * y->shape.c * y->shape.h * y->shape.w;
    double largest = 0, off = 0;
    if (y->dtype == PPM_INT32) {
        const int32_t *a = y->data, *b = expected->data;
        for (size_t i = 0; i < count; i++)
            off += a[i] != b[i];
        return off / (double)count;
    }
    const float *a = y->data, *b = expected->data;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        largest = fmax(largest, fabs((double)b[i]));
        off = fmax(off, fabs((double)a[i] - (double)b[i]));
    }
    return largest > 0 ? off / largest : off;
}

static enum ppm_status narrow_stack(const struct spec *spec, struct stack *stack,
                                    const struct ppm_progress *progress, struct ppm_error *error)
{
    for (size_t i = 0; i < stack->count && error->status == PPM_OK; i++)
        if (bfloat16_takes(spec, &stack->layers[i]))
            conv_narrow(&stack->layers[i], progress, error);
    return error->status;
}

static enum ppm_status narrow_model(struct ppm_model *model, const struct ppm_progress *progress,
                                    struct ppm_error *error)
{
    struct spec *spec = &model->spec;
    for (size_t i = 0; i < spec->branch_count; i++)
        if (narrow_stack(spec, &spec->branches[i].stack, progress, error) != PPM_OK)
            return error->status;
    return narrow_stack(spec, &spec->head, progress, error);
}

enum ppm_status model_to_bfloat16(struct ppm_model *model, const struct ppm_progress *progress,
                                  struct ppm_error *error)
{
    const struct ppm_run_options options = {.threads = 1,
                                            .is_cancelled =
                                                progress ? progress->is_cancelled : NULL,
                                            .cancel_context = progress ? progress->context : NULL};
    struct ppm_tensor x = {.shape = shape_to_try(model), .is_batch = true};
    struct ppm_tensor expected = {0}, y = {0};
    const bool is_tried = x.shape.n > 0;
    if (is_tried && ppm_tensor_allocate(&x, error) != PPM_OK)
        return error->status;
    if (is_tried)
        fill_random(x.data, x.shape.n * x.shape.c * x.shape.h * x.shape.w);
    if ((is_tried && ppm_run(model, &x, &options, &expected, error) != PPM_OK) ||
        narrow_model(model, progress, error) != PPM_OK ||
        (is_tried && ppm_run(model, &x, &options, &y, error) != PPM_OK))
        goto out;
    if (is_tried && isfinite(difference(&y, &expected)))
        model->compute_error = (struct ppm_compute_error){difference(&y, &expected), x.shape};
out:
    ppm_tensor_free(&x);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    return error->status;
}

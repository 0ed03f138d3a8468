/* reference_output.c - see reference_output.h. */
#include "core/reference/reference_output.h"
#include "core/base/memory.h"
#include "core/reference/reference_ops.h"

#include <stdlib.h>

static bool is_stored_apart(const struct geometry *g)
{
    return g->needs_resize && g->dtype == PPM_INT32;
}

size_t reference_output_bytes(const struct geometry *g, size_t channels)
{
    const size_t values =
        size_times(size_times(g->output.n, channels), size_times(g->output.h, g->output.w));
    return is_stored_apart(g) ? size_times(values, sizeof(float)) : 0;
}

/* Of 0 and 1: whether sigmoid(x) is above it, where x is above logit. */
struct threshold {
    bool is_given;
    double logit;
};

/* ---- y of the logits x, which have that shape; floats may already be in y ---- */

static void finish_values(const struct threshold *threshold, const float *x, struct ppm_shape shape,
                          const struct run *run, void *y)
{
    (void)threshold;
    if (x != y)
        run_copy(run, y, x, shape.n * shape.c * shape.h * shape.w);
}

static void finish_softmax(const struct threshold *threshold, const float *x,
                           struct ppm_shape shape, const struct run *run, void *y)
{
    finish_values(threshold, x, shape, run, y);
    reference_softmax_in_place(run, y, shape);
}

static void finish_argmax(const struct threshold *threshold, const float *x, struct ppm_shape shape,
                          const struct run *run, void *y)
{
    (void)threshold;
    reference_argmax(run, x, shape.n, shape.c, shape.h * shape.w, y);
}

static void finish_sigmoid(const struct threshold *threshold, const float *x,
                           struct ppm_shape shape, const struct run *run, void *y)
{
    const size_t pixels = shape.h * shape.w;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t plane = 0; plane < shape.n * shape.c; plane++)
        for (size_t i = 0; i < pixels && run_goes_on(run, &done, COLUMNS); i += COLUMNS) {
            const size_t at = plane * pixels + i, end = at + columns_from(i, pixels);
            if (!threshold->is_given)
                simd_scalar.activate[SIMD_SIGMOID](x + at, (float *)y + at, end - at, 0);
            for (size_t k = at; threshold->is_given && k < end; k++)
                ((int32_t *)y)[k] = (double)x[k] > threshold->logit;
        }
}

#define ROW(constant, name) [AS_##constant] = finish_##name,
static void (*const finish[OUTPUT_AS_COUNT])(const struct threshold *threshold, const float *x,
                                             struct ppm_shape shape, const struct run *run,
                                             void *y) = {OUTPUTS(ROW)};
#undef ROW

enum ppm_status reference_output(const struct spec *spec, const struct geometry *g, const float *x,
                                 size_t channels, const struct run *run, void *y,
                                 struct ppm_error *error)
{
    const struct ppm_shape shape = {g->output.n, channels, g->output.h, g->output.w};
    const struct threshold threshold = {g->has_threshold, spec->output.logit};
    float *apart = NULL;
    if (is_stored_apart(g) && !(apart = core_allocate(reference_output_bytes(g, channels), error)))
        return error->status;
    if (g->needs_resize) {
        float *resized = apart ? apart : y;
        const struct resize_axis down = resize_axis_of_output(spec, g, AXIS_H),
                                 right = resize_axis_of_output(spec, g, AXIS_W);
        reference_stretch_axes(run, x, shape.n, channels, &down, &right, resized,
                               channels * shape.h * shape.w);
        x = resized;
    }
    finish[g->as](&threshold, x, shape, run, y);
    free(apart);
    return PPM_OK;
}

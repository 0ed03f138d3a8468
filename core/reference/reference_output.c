/* reference_output.c - see reference_output.h. */
#include "core/reference/reference_output.h"
#include "core/base/memory.h"
#include "core/reference/reference_ops.h"

#include <stdlib.h>

static bool is_stored_apart(const struct spec *spec, const struct geometry *g)
{
    return g->needs_resize && output_dtype(&spec->output) == PPM_INT32;
}

size_t reference_output_bytes(const struct spec *spec, const struct geometry *g, size_t channels)
{
    const size_t values =
        size_times(size_times(g->output.n, channels), size_times(g->output.h, g->output.w));
    return is_stored_apart(spec, g) ? size_times(values, sizeof(float)) : 0;
}

/* ---- y of the logits x, which have that shape; floats may already be in y ---- */

static void finish_values(const struct output_spec *output, const float *x, struct ppm_shape shape,
                          const struct run *run, void *y)
{
    (void)output;
    if (x != y)
        run_copy(run, y, x, shape.n * shape.c * shape.h * shape.w);
}

static void finish_softmax(const struct output_spec *output, const float *x, struct ppm_shape shape,
                           const struct run *run, void *y)
{
    finish_values(output, x, shape, run, y);
    reference_softmax_in_place(run, y, shape);
}

static void finish_argmax(const struct output_spec *output, const float *x, struct ppm_shape shape,
                          const struct run *run, void *y)
{
    (void)output;
    reference_argmax(run, x, shape.n, shape.c, shape.h * shape.w, y);
}

static void finish_sigmoid(const struct output_spec *output, const float *x, struct ppm_shape shape,
                           const struct run *run, void *y)
{
    const size_t pixels = shape.h * shape.w;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t plane = 0; plane < shape.n * shape.c; plane++)
        for (size_t i = 0; i < pixels && run_goes_on(run, &done, COLUMNS); i += COLUMNS) {
            const size_t at = plane * pixels + i, end = at + columns_from(i, pixels);
            if (!output->has_threshold)
                simd_scalar.activate[SIMD_SIGMOID](x + at, (float *)y + at, end - at, 0);
            for (size_t k = at; output->has_threshold && k < end; k++)
                ((int32_t *)y)[k] = (double)x[k] > output->logit;
        }
}

#define ROW(constant, name) [AS_##constant] = finish_##name,
static void (*const finish[OUTPUT_AS_COUNT])(const struct output_spec *output, const float *x,
                                             struct ppm_shape shape, const struct run *run,
                                             void *y) = {OUTPUTS(ROW)};
#undef ROW

enum ppm_status reference_output(const struct spec *spec, const struct geometry *g, const float *x,
                                 size_t channels, const struct run *run, void *y,
                                 struct ppm_error *error)
{
    const struct ppm_shape shape = {g->output.n, channels, g->output.h, g->output.w};
    float *apart = NULL;
    if (is_stored_apart(spec, g) &&
        !(apart = core_allocate(reference_output_bytes(spec, g, channels), error)))
        return error->status;
    if (g->needs_resize) {
        float *resized = apart ? apart : y;
        reference_stretch(run, x, shape.n, channels, g->h, g->w, spec->output.resize, shape.h,
                          shape.w, resized, channels * shape.h * shape.w);
        x = resized;
    }
    finish[spec->output.as](&spec->output, x, shape, run, y);
    free(apart);
    return PPM_OK;
}

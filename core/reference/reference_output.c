/* reference_output.c - see reference_output.h. */
#include "core/reference/reference_output.h"
#include "core/base/memory.h"
#include "core/reference/reference_ops.h"

#include <stdlib.h>

static bool is_stored_apart(const struct spec *spec, const struct geometry *g)
{
    return g->needs_resize && spec->output.as == AS_ARGMAX;
}

size_t reference_output_bytes(const struct spec *spec, const struct geometry *g, size_t channels)
{
    const size_t values =
        size_times(size_times(g->output.n, channels), size_times(g->output.h, g->output.w));
    return is_stored_apart(spec, g) ? size_times(values, sizeof(float)) : 0;
}

static void decide(const struct output_spec *output, const float *values, struct ppm_shape shape,
                   const struct run *run, void *y)
{
    if (output->as == AS_ARGMAX) {
        reference_argmax(run, values, shape.n, shape.c, shape.h * shape.w, y);
        return;
    }
    if (values != y)
        run_copy(run, y, values, shape.n * shape.c * shape.h * shape.w);
    if (output->as == AS_SOFTMAX)
        reference_softmax_in_place(run, y, shape);
}

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
    decide(&spec->output, x, shape, run, y);
    free(apart);
    return PPM_OK;
}

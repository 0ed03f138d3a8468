/* reference_resize.c - maps stretched and shrunk. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"
#include "core/shape/resize_axis.h"

static void resize_row(const struct run *run, size_t *done, const float *above, const float *below,
                       double weight, const struct resize_axis *right, float *ret)
{
    for (size_t i = 0; i < right->out && run_goes_on(run, done, 1); i++) {
        struct resize_tap tap = resize_axis_tap(right, i);
        double top =
            (1 - tap.weight) * (double)above[tap.low] + tap.weight * (double)above[tap.high];
        double bottom =
            (1 - tap.weight) * (double)below[tap.low] + tap.weight * (double)below[tap.high];
        ret[i] = (float)((1 - weight) * top + weight * bottom);
    }
}

/* The nearest pixel as it is: what is not finite spreads no further. */
static void pick_row(const struct run *run, size_t *done, const float *x,
                     const struct resize_axis *right, float *ret)
{
    for (size_t i = 0; i < right->out && run_goes_on(run, done, 1); i++)
        ret[i] = x[resize_axis_tap(right, i).low];
}

void reference_stretch_axes(const struct run *run, const float *x, size_t batches, size_t channels,
                            const struct resize_axis *down, const struct resize_axis *right,
                            float *ret, size_t ret_stride)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t row = 0; row < down->out && run_goes_on(run, &done, 0); row++) {
                const float *plane = x + (n * channels + c) * down->in * right->in;
                const struct resize_tap tap = resize_axis_tap(down, row);
                const float *above = plane + tap.low * right->in;
                float *to = ret + n * ret_stride + (c * down->out + row) * right->out;
                if (down->mode == RESIZE_NEAREST)
                    pick_row(run, &done, above, right, to);
                else
                    resize_row(run, &done, above, plane + tap.high * right->in, tap.weight, right,
                               to);
            }
}

void reference_stretch(const struct run *run, const float *x, size_t batches, size_t channels,
                       size_t h, size_t w, enum resize mode, size_t out_h, size_t out_w, float *ret,
                       size_t ret_stride)
{
    const struct resize_axis down = {.mode = mode, .in = h, .out = out_h},
                             right = {.mode = mode, .in = w, .out = out_w};
    reference_stretch_axes(run, x, batches, channels, &down, &right, ret, ret_stride);
}

void reference_resize(const struct run *run, const struct layer *layer,
                      const struct reference_maps *maps)
{
    const struct ppm_shape in = maps->reads[0].shape, out = maps->shape;
    const struct resize_axis down = resize_axis_of(layer, in.h, out.h),
                             right = resize_axis_of(layer, in.w, out.w);
    reference_stretch_axes(run, maps->reads[0].values, in.n, in.c, &down, &right, maps->ret,
                           out.c * out.h * out.w);
}

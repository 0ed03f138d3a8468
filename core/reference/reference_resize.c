/* reference_resize.c - maps stretched and shrunk. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

static void resize_row(const struct run *run, size_t *done, const float *above, const float *below,
                       double weight, size_t w, enum resize mode, size_t out_w, float *ret)
{
    for (size_t i = 0; i < out_w && run_goes_on(run, done, 1); i++) {
        struct resize_tap tap = geometry_tap(mode, i, w, out_w);
        double top =
            (1 - tap.weight) * (double)above[tap.low] + tap.weight * (double)above[tap.high];
        double bottom =
            (1 - tap.weight) * (double)below[tap.low] + tap.weight * (double)below[tap.high];
        ret[i] = (float)((1 - weight) * top + weight * bottom);
    }
}

void reference_stretch(const struct run *run, const float *x, size_t batches, size_t channels,
                       size_t h, size_t w, enum resize mode, size_t out_h, size_t out_w, float *ret,
                       size_t ret_stride)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t row = 0; row < out_h && run_goes_on(run, &done, 0); row++) {
                const float *plane = x + (n * channels + c) * h * w;
                struct resize_tap tap = geometry_tap(mode, row, h, out_h);
                resize_row(run, &done, plane + tap.low * w, plane + tap.high * w, tap.weight, w,
                           mode, out_w, ret + n * ret_stride + (c * out_h + row) * out_w);
            }
}

/* reference_channels.c - operators over the channels of each pixel. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

#include <math.h>

void reference_softmax_in_place(const struct run *run, float *x, struct ppm_shape s)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < s.n; n++)
        for (size_t row = 0; row < s.h; row++)
            for (size_t column = 0; column < s.w && run_goes_on(run, &done, COLUMNS * s.c);
                 column += COLUMNS)
                simd_scalar.softmax(x + (n * s.c * s.h + row) * s.w + column, s.c, s.h * s.w,
                                    columns_from(column, s.w));
}

void reference_softmax(const struct run *run, const struct layer *layer,
                       const struct reference_maps *maps)
{
    const struct ppm_shape s = maps->shape;
    (void)layer;
    if (maps->ret != maps->reads[0].values)
        run_copy(run, maps->ret, maps->reads[0].values, s.n * s.c * s.h * s.w);
    reference_softmax_in_place(run, maps->ret, s);
}

/* ret[n][pixel] = sum of x[n][c][pixel] over c, divided by divisor */
static void sum_channels(const struct run *run, const struct reference_maps *maps, double divisor)
{
    const struct ppm_shape s = maps->reads[0].shape;
    const size_t pixels = s.h * s.w;
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < s.n; n++)
        for (size_t i = 0; i < pixels; i++) {
            const float *x = maps->reads[0].values + n * s.c * pixels + i;
            double sum = 0;
            for (size_t c = 0; c < s.c && run_goes_on(run, &done, 1); c++)
                sum += (double)x[c * pixels];
            maps->ret[n * pixels + i] = (float)(sum / divisor);
        }
}

void reference_channel_sum(const struct run *run, const struct layer *layer,
                           const struct reference_maps *maps)
{
    (void)layer;
    sum_channels(run, maps, 1);
}

void reference_channel_mean(const struct run *run, const struct layer *layer,
                            const struct reference_maps *maps)
{
    sum_channels(run, maps, (double)layer->in_channels);
}

void reference_argmax(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t pixels, int32_t *ret)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t i = 0; i < pixels; i++) {
            if (!run_goes_on(run, &done, channels))
                continue;
            const float *values = x + n * channels * pixels + i;
            size_t best = 0;
            for (size_t c = 1; c < channels && !isnan(values[best * pixels]); c++)
                if (values[c * pixels] > values[best * pixels] || isnan(values[c * pixels]))
                    best = c;
            ret[n * pixels + i] = (int32_t)best;
        }
}

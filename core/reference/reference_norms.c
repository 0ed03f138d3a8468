/* reference_norms.c - norms whose mean and variance are the map's own:
 *
 *     y = (x - mean) / sqrt(variance + eps) * scale[c] + shift[c]
 */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

#include <math.h>

/* A block of values that are normed together: runs of `length` values, `stride` apart. */
struct block {
    size_t runs, stride, length;
};

/* The norm's offset and factor: y = (x - mean) * factor, before scale and shift. */
struct moments {
    double mean, factor;
};

static struct moments moments_of(const struct run *run, size_t *done, const float *x,
                                 struct block block, double eps)
{
    const double count = (double)(block.runs * block.length);
    double sum = 0, squares = 0;
    for (size_t k = 0; k < block.runs && run_goes_on(run, done, block.length); k++)
        for (size_t i = 0; i < block.length; i++)
            sum += (double)x[k * block.stride + i];
    const double mean = sum / count;
    for (size_t k = 0; k < block.runs && run_goes_on(run, done, block.length); k++)
        for (size_t i = 0; i < block.length; i++) {
            const double from_mean = (double)x[k * block.stride + i] - mean;
            squares += from_mean * from_mean;
        }
    return (struct moments){.mean = mean, .factor = 1 / sqrt(squares / count + eps)};
}

static void apply(const struct layer *layer, size_t channel, struct moments m, const float *x,
                  size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = (float)(((double)x[i] - m.mean) * m.factor * layer->scale[channel] +
                         layer->shift[channel]);
}

/* The channels of a group and all their pixels have one mean and one variance. */
void reference_group_norm(const struct run *run, const struct layer *layer,
                          const struct reference_maps *maps)
{
    const struct ppm_shape s = maps->shape;
    const size_t pixels = s.h * s.w, channels = s.c / layer->groups;
    const struct block block = {.runs = s.h * channels, .stride = s.w, .length = s.w};
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t group = 0; group < s.n * layer->groups; group++) {
        const size_t at = group * channels * pixels, first = group % layer->groups * channels;
        const float *x = maps->reads[0].values + at;
        const struct moments m = moments_of(run, &done, x, block, layer->eps);
        for (size_t c = 0; c < channels && run_goes_on(run, &done, pixels); c++)
            apply(layer, first + c, m, x + c * pixels, pixels, maps->ret + at + c * pixels);
    }
}

/* The channels of each pixel have one mean and one variance. */
void reference_layer_norm(const struct run *run, const struct layer *layer,
                          const struct reference_maps *maps)
{
    const struct ppm_shape s = maps->shape;
    const size_t pixels = s.h * s.w;
    const struct block block = {.runs = s.c, .stride = pixels, .length = 1};
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < s.n; n++)
        for (size_t i = 0; i < pixels; i++) {
            const size_t at = n * s.c * pixels + i;
            const float *x = maps->reads[0].values + at;
            const struct moments m = moments_of(run, &done, x, block, layer->eps);
            for (size_t c = 0; c < s.c && run_goes_on(run, &done, 1); c++)
                apply(layer, c, m, x + c * pixels, 1, maps->ret + at + c * pixels);
        }
}

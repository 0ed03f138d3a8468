/* reference_pools.c - pooling: means and maxima over windows and bins. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"
#include "core/shape/window_axis.h"

#include <math.h>

void reference_pool(const struct run *run, const float *x, size_t planes, size_t h, size_t w,
                    enum pool pool, const struct branch_geometry *branch, float *ret)
{
    size_t done = 0;
    for (size_t plane = 0; plane < planes; plane++, x += h * w)
        for (size_t row = 0; row < branch->pooled_h; row++)
            for (size_t column = 0; column < branch->pooled_w; column++) {
                size_t top, bottom, left, right;
                double sum = 0;
                if (!run_goes_on(run, &done, 1))
                    return;
                geometry_bin(pool, branch, AXIS_H, h, row, &top, &bottom);
                geometry_bin(pool, branch, AXIS_W, w, column, &left, &right);
                for (size_t y = top; y < bottom && run_goes_on(run, &done, right - left); y++)
                    for (size_t i = left; i < right; i++)
                        sum += (double)x[y * w + i];
                *ret++ = (float)(sum / (double)((bottom - top) * (right - left)));
            }
}

/* What a pixel of the result is computed from: rows [top, bottom) and columns [left, right). */
struct bin {
    size_t top, bottom, left, right;
    size_t counted; /* what a sum is divided by to be the mean */
};

/* ret = f of the bin of each pixel, plane by plane. */
static void each_bin(const struct run *run, const struct layer *layer,
                     const struct reference_maps *maps,
                     struct bin (*bin_of)(const struct layer *layer, struct ppm_shape x,
                                          struct ppm_shape ret, size_t row, size_t column),
                     float (*f)(const struct run *run, size_t *done, const float *x, size_t w,
                                const struct bin *bin))
{
    const struct ppm_shape in = maps->reads[0].shape, out = maps->shape;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t plane = 0; plane < out.n * out.c; plane++) {
        const float *x = maps->reads[0].values + plane * in.h * in.w;
        float *ret = maps->ret + plane * out.h * out.w;
        for (size_t i = 0; i < out.h * out.w; i++) {
            const struct bin bin = bin_of(layer, in, out, i / out.w, i % out.w);
            if (!run_goes_on(run, &done, 1))
                break;
            ret[i] = f(run, &done, x, in.w, &bin);
        }
    }
}

/* As torch.max_pool2d: NaN is larger than all. */
static float max_of(const struct run *run, size_t *done, const float *x, size_t w,
                    const struct bin *bin)
{
    float max = -INFINITY;
    for (size_t y = bin->top; y < bin->bottom && run_goes_on(run, done, bin->right - bin->left);
         y++)
        for (size_t i = bin->left; i < bin->right; i++)
            if (x[y * w + i] > max || isnan(x[y * w + i]))
                max = x[y * w + i];
    return max;
}

static float mean_of(const struct run *run, size_t *done, const float *x, size_t w,
                     const struct bin *bin)
{
    double sum = 0;
    for (size_t y = bin->top; y < bin->bottom && run_goes_on(run, done, bin->right - bin->left);
         y++)
        for (size_t i = bin->left; i < bin->right; i++)
            sum += (double)x[y * w + i];
    return (float)(sum / (double)bin->counted);
}

/* The pixels [*ret_from, *ret_to) under window i of an axis, and those of its padding that count:
 * not what a last window reads past it. */
static size_t window_pixels(const struct layer *pool, enum axis axis, size_t extent, size_t i,
                            size_t *ret_from, size_t *ret_to)
{
    const struct window_axis on = window_axis_of(&pool->window, axis, extent);
    const size_t at = i * pool->window.stride[axis]; /* padding counted */
    const size_t to = at + pool->window.size[axis];
    *ret_from = at > on.before ? at - on.before : 0;
    *ret_to = size_min(to - on.before, extent);
    return pool->counts_padding ? size_min(to, on.before + extent + on.after) - at
                                : *ret_to - *ret_from;
}

static struct bin window_bin(const struct layer *pool, struct ppm_shape x, struct ppm_shape ret,
                             size_t row, size_t column)
{
    struct bin bin;
    (void)ret;
    const size_t h = window_pixels(pool, AXIS_H, x.h, row, &bin.top, &bin.bottom);
    const size_t w = window_pixels(pool, AXIS_W, x.w, column, &bin.left, &bin.right);
    bin.counted = h * w;
    return bin;
}

static struct bin adaptive_bin(const struct layer *pool, struct ppm_shape x, struct ppm_shape ret,
                               size_t row, size_t column)
{
    struct bin bin;
    (void)pool;
    geometry_adaptive_bin(row, ret.h, x.h, &bin.top, &bin.bottom);
    geometry_adaptive_bin(column, ret.w, x.w, &bin.left, &bin.right);
    bin.counted = (bin.bottom - bin.top) * (bin.right - bin.left);
    return bin;
}

void reference_max_pool(const struct run *run, const struct layer *layer,
                        const struct reference_maps *maps)
{
    each_bin(run, layer, maps, window_bin, max_of);
}

void reference_avg_pool(const struct run *run, const struct layer *layer,
                        const struct reference_maps *maps)
{
    each_bin(run, layer, maps, window_bin, mean_of);
}

void reference_adaptive_avg_pool(const struct run *run, const struct layer *layer,
                                 const struct reference_maps *maps)
{
    each_bin(run, layer, maps, adaptive_bin, mean_of);
}

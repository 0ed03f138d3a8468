/* reference_pointwise.c - operators on values one by one: norms, slopes, activations. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

/* ret = f(x), COLUMNS pixels of a channel at a time. */
static void each_plane(const struct run *run, const struct layer *layer,
                       const struct reference_maps *maps,
                       void (*f)(const struct layer *layer, size_t c, const float *x, size_t count,
                                 float *ret))
{
    const struct ppm_shape s = maps->shape;
    const float *x = maps->reads[0].values;
    const size_t pixels = s.h * s.w;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t plane = 0; plane < s.n * s.c; plane++)
        for (size_t at = 0; at < pixels && run_goes_on(run, &done, COLUMNS); at += COLUMNS)
            f(layer, plane % s.c, x + plane * pixels + at, columns_from(at, pixels),
              maps->ret + plane * pixels + at);
}

static void norm(const struct layer *layer, size_t c, const float *x, size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = (float)(layer->scale[c] * (double)x[i] + layer->shift[c]);
}

void reference_affine(const struct run *run, const struct layer *layer,
                      const struct reference_maps *maps)
{
    each_plane(run, layer, maps, norm);
}

void reference_batch_norm(const struct run *run, const struct layer *layer,
                          const struct reference_maps *maps)
{
    each_plane(run, layer, maps, norm);
}

static void leaky_relu(const struct layer *layer, size_t c, const float *x, size_t count,
                       float *ret)
{
    simd_scalar.activate[SIMD_LEAKY_RELU](x, ret, count, layer->slopes[c]);
}

void reference_prelu(const struct run *run, const struct layer *layer,
                     const struct reference_maps *maps)
{
    each_plane(run, layer, maps, leaky_relu);
}

static void activate(const struct layer *layer, size_t c, const float *x, size_t count, float *ret)
{
    (void)c;
    simd_scalar.activate[layer->activation](x, ret, count, layer->slope);
}

void reference_activation(const struct run *run, const struct layer *layer,
                          const struct reference_maps *maps)
{
    each_plane(run, layer, maps, activate);
}

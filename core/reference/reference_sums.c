/* reference_sums.c - operators over several maps: sums, products, concats, slices. */
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

/* Channel c of map n of a read. A read of one channel stands for all of them. */
static const float *plane_of(const struct reference_map *read, size_t n, size_t c)
{
    const struct ppm_shape s = read->shape;
    return read->values + (n * s.c + (s.c == 1 ? 0 : c)) * s.h * s.w;
}

/* ret = f(ret, x) for each pixel of a plane; x is a plane as large, or one value for all pixels. */
static void fold_plane(float *ret, size_t pixels, const float *x, bool is_one_value,
                       float (*f)(float a, float b))
{
    for (size_t i = 0; i < pixels; i++)
        ret[i] = f(ret[i], x[is_one_value ? 0 : i]);
}

static float first_of(float a, float b)
{
    (void)a;
    return b;
}

/* ret = f(f(x_0, x_1), x_2) and so on, each result rounded. */
static void fold_reads(const struct run *run, const struct reference_maps *maps,
                       float (*f)(float a, float b))
{
    const struct ppm_shape s = maps->shape;
    const size_t pixels = s.h * s.w;
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < s.n; n++)
        for (size_t c = 0; c < s.c; c++)
            for (size_t i = 0; i < maps->count && run_goes_on(run, &done, pixels); i++) {
                const struct reference_map *read = &maps->reads[i];
                fold_plane(maps->ret + (n * s.c + c) * pixels, pixels, plane_of(read, n, c),
                           read->shape.h * read->shape.w == 1, i == 0 ? first_of : f);
            }
}

static float sum_of(float a, float b)
{
    return a + b;
}

static float product_of(float a, float b)
{
    return a * b;
}

void reference_add(const struct run *run, const struct layer *layer,
                   const struct reference_maps *maps)
{
    (void)layer;
    fold_reads(run, maps, sum_of);
}

void reference_mul(const struct run *run, const struct layer *layer,
                   const struct reference_maps *maps)
{
    (void)layer;
    fold_reads(run, maps, product_of);
}

/* ret[n] = count channels of x[n] from channel `from` on, at channel `at`. */
static void copy_channels(const struct run *run, const struct reference_map *x, size_t from,
                          size_t count, const struct reference_maps *maps, size_t at)
{
    const struct ppm_shape s = x->shape;
    const size_t pixels = s.h * s.w;
    for (size_t n = 0; n < s.n; n++)
        run_copy(run, maps->ret + (n * maps->shape.c + at) * pixels,
                 x->values + (n * s.c + from) * pixels, count * pixels);
}

void reference_concat(const struct run *run, const struct layer *layer,
                      const struct reference_maps *maps)
{
    size_t at = 0;
    (void)layer;
    for (size_t i = 0; i < maps->count; i++) {
        const size_t channels = maps->reads[i].shape.c;
        copy_channels(run, &maps->reads[i], 0, channels, maps, at);
        at += channels;
    }
}

void reference_slice(const struct run *run, const struct layer *layer,
                     const struct reference_maps *maps)
{
    copy_channels(run, &maps->reads[0], layer->first_channel, layer->out_channels, maps, 0);
}

/* pooling.c - pooling as x arrives, before the run that takes the results. */
#include "core/engine.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_FLOATS = 16 }; /* a cache line */

size_t pooled_columns(const struct plan *plan, size_t n, size_t branch)
{
    const size_t width = plan->simd->gemm_columns;
    return (n * plan_points(&plan->g, branch) + width - 1) / width * width;
}

/* a * b + c, saturating */
static size_t multiply_add(size_t a, size_t b, size_t c)
{
    size_t ret;
    if (__builtin_mul_overflow(a, b, &ret) || __builtin_add_overflow(ret, c, &ret))
        return SIZE_MAX;
    return ret;
}

/* Of the plan: edges, of which there are not more than pixels, and the cells of each bin. */
static size_t axes_bytes_max(const struct spec *spec, const struct geometry *g)
{
    size_t bytes = (g->input.h + g->input.w + 2) * (sizeof(size_t) + sizeof(bool));
    for (size_t i = 0; i < spec->branch_count; i++)
        bytes = multiply_add(g->branches[i].pooled_h + g->branches[i].pooled_w,
                             sizeof(struct cell_range), bytes);
    return bytes;
}

size_t pooling_bytes(const struct ppm_model *model, const struct geometry *geometry)
{
    const struct spec *spec = &model->spec;
    const size_t width = model->simd->gemm_columns;
    const size_t plane = geometry->input.h * geometry->input.w;
    size_t floats = multiply_add(geometry->input.w, POOL_ROWS_TOGETHER + 1, plane + LINE_FLOATS);
    for (size_t i = 0; i < spec->branch_count; i++) {
        const struct branch_geometry *branch = &geometry->branches[i];
        const size_t points = multiply_add(branch->pooled_h, branch->pooled_w, 0);
        const size_t columns = multiply_add(points, geometry->input.n, width - 1);
        floats = multiply_add(columns, spec->channels, floats);
    }
    return multiply_add(floats, sizeof(float),
                        sizeof(struct ppm_pooling) + sizeof(struct plan) +
                            axes_bytes_max(spec, geometry));
}

/* Lays out what a plane is pooled with and the panels of all branches. */
static void lay_out(struct ppm_pooling *pooling, float *at)
{
    const struct plan *plan = pooling->plan;
    const size_t channels = plan->spec->channels;
    pooling->scratch = at;
    at += (pool_plane_floats(plan) + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        pooling->pooled[i] = (struct micro_panels){at, channels};
        at += pooled_columns(plan, pooling->shape.n, i) * channels;
    }
}

struct ppm_pooling *ppm_pooling_create(const struct ppm_model *model, struct ppm_shape shape,
                                       void *room, struct ppm_error *error)
{
    struct geometry geometry;
    if (geometry_of(&model->spec, shape, &geometry, error) != PPM_OK)
        return NULL;
    const size_t bytes = pooling_bytes(model, &geometry);
    if (bytes > PTRDIFF_MAX) { /* then none of the sums below overflows */
        ppm_fail(error, PPM_TOO_LARGE, "the means of all bins overflow memory");
        return NULL;
    }
    struct ppm_pooling *pooling = calloc(1, sizeof *pooling);
    if (!pooling) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    pooling->shape = shape;
    pooling->plan = plan_create_pooling(model, &geometry, error);
    if (pooling->plan && !room)
        room = pooling->memory = core_allocate(bytes, error);
    if (!pooling->plan || !room) {
        ppm_pooling_free(pooling);
        return NULL;
    }
    lay_out(pooling, room);
    return pooling;
}

void ppm_pooling_free(struct ppm_pooling *pooling)
{
    if (!pooling)
        return;
    plan_free(pooling->plan);
    free(pooling->memory);
    free(pooling);
}

void ppm_pooling_feed(struct ppm_pooling *pooling, const float *x, size_t count)
{
    const struct ppm_shape s = pooling->shape;
    const size_t all = s.n * s.c, whole = count / (s.h * s.w);
    const size_t planes = whole < all ? whole : all;
    if (planes <= pooling->planes_pooled)
        return;
    const unsigned denormals = simd_flush_denormals();
    for (; pooling->planes_pooled < planes; pooling->planes_pooled++)
        pool_plane(pooling->plan, x, pooling->planes_pooled, pooling->scratch, pooling->pooled);
    simd_restore_denormals(denormals);
}

bool pooling_fits(const struct ppm_pooling *pooling, const struct ppm_model *model,
                  const struct ppm_tensor *x)
{
    return pooling->plan->model_id == model->id && x->layout == PPM_NCHW &&
           memcmp(&pooling->shape, &x->shape, sizeof x->shape) == 0;
}

/* pooling.c - see pooling.h. */
#include "core/engine/pooling.h"
#include "core/engine/pool.h"

#include <stdlib.h>
#include <string.h>

static void place_panels(const struct pyramid_plan *plan, size_t n, struct micro_panels *panels,
                         struct room *room)
{
    const size_t channels = plan->pyramid->channels;
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        const size_t floats = size_times(pool_columns(plan, n, i), channels);
        panels[i] = (struct micro_panels){room_take(room, floats, sizeof(float)), channels};
    }
}

/* The tables and the scratch to pool a plane, and the panels of all branches. */
static void place(struct ppm_pooling *pooling, struct room *room)
{
    struct pyramid_plan *plan = &pooling->plan;
    pool_axis_place(&plan->pool_h, plan->pyramid, &plan->g, room);
    pool_axis_place(&plan->pool_w, plan->pyramid, &plan->g, room);
    pooling->scratch = room_take(room, pool_plane_floats(plan), sizeof(float));
    place_panels(plan, pooling->shape.n, pooling->pooled, room);
}

size_t pooling_bytes(const struct pyramid_plan *plan, size_t n)
{
    struct ppm_pooling pooling = {.plan = *plan, .shape.n = n};
    struct room room = {0};
    room_take(&room, 1, sizeof pooling);
    place(&pooling, &room);
    return room.bytes;
}

size_t pooled_bytes(const struct pyramid_plan *plan, size_t n)
{
    struct micro_panels panels[BRANCHES_MAX];
    struct room room = {0};
    place_panels(plan, n, panels, &room);
    return room.bytes;
}

struct ppm_pooling *ppm_pooling_create(const struct ppm_model *model, struct ppm_shape shape,
                                       void *room, struct ppm_error *error)
{
    const struct ppm_sizes sizes = {.inputs = {shape}, .count = 1};
    struct geometry geometry;
    if (model->spec.is_network) {
        ppm_fail(error, PPM_UNFIT, "found a network, expected a model whose input is pooled");
        return NULL;
    }
    if (geometry_of(&model->spec, &sizes, &geometry, error) != PPM_OK)
        return NULL;
    struct ppm_pooling pooling = {.model_id = model->id, .shape = shape};
    pyramid_plan_begin(&pooling.plan, model->spec.pyramid, model->simd, &geometry);
    const size_t bytes = pooling_bytes(&pooling.plan, shape.n);
    if (bytes > PTRDIFF_MAX) {
        ppm_fail(error, PPM_TOO_LARGE, "the means of all bins overflow memory");
        return NULL;
    }
    if (!room)
        room = pooling.memory = core_allocate(bytes, error);
    if (!room)
        return NULL;
    struct room places = {.base = room};
    struct ppm_pooling *ret = room_take(&places, 1, sizeof *ret);
    *ret = pooling;
    place(ret, &places);
    pool_axis_fill(&ret->plan.pool_h, ret->plan.pyramid, &geometry, NULL);
    pool_axis_fill(&ret->plan.pool_w, ret->plan.pyramid, &geometry, NULL);
    return ret;
}

void ppm_pooling_free(struct ppm_pooling *pooling)
{
    if (pooling)
        free(pooling->memory);
}

void ppm_pooling_feed(struct ppm_pooling *pooling, const float *x, size_t count)
{
    const struct ppm_shape s = pooling->shape;
    const size_t all = s.n * s.c, whole = count / (s.h * s.w);
    const size_t planes = size_min(whole, all);
    if (planes <= pooling->planes_pooled)
        return;
    const unsigned before = pooling->plan.simd->begin();
    for (; pooling->planes_pooled < planes; pooling->planes_pooled++)
        pool_plane(NULL, NULL, &pooling->plan, x, pooling->planes_pooled, pooling->scratch,
                   pooling->pooled);
    pooling->plan.simd->end(before);
}

bool pooling_fits(const struct ppm_pooling *pooling, const struct ppm_model *model,
                  const struct ppm_tensor *x)
{
    return pooling->model_id == model->id && x->layout == PPM_NCHW &&
           memcmp(&pooling->shape, &x->shape, sizeof x->shape) == 0;
}

/* reference_pyramid.c - see reference_pyramid.h. */
#include "core/reference/reference_pyramid.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

/* One run of it. */
struct pyramid_run {
    const struct run *run;
    const struct pyramid *pyramid;
    const struct geometry *geometry;
    float *pooled[BRANCHES_MAX];    /* [N, C, ph, pw] */
    float *branch[BRANCHES_MAX][2]; /* [N, widest of the stack, ph, pw] each */
    float *cascade;                 /* [N, C, H, W]: x between the rounds of a cascade */
};

/* Values of n maps, saturating. */
static size_t values_of(size_t n, size_t c, size_t h, size_t w)
{
    return size_times(size_times(n, c), size_times(h, w));
}

/* Places a run's maps in a room, or counts their bytes. */
static void place_maps(struct pyramid_run *p, struct room *room)
{
    const struct pyramid *pyramid = p->pyramid;
    const struct geometry *g = p->geometry;
    const size_t n = g->input.n;
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const size_t ph = g->branches[i].pooled_h, pw = g->branches[i].pooled_w;
        const size_t widest = stack_widest(&pyramid->branches[i].stack);
        p->pooled[i] = room_take(room, values_of(n, pyramid->channels, ph, pw), sizeof(float));
        for (size_t k = 0; k < 2; k++)
            p->branch[i][k] = room_take(room, values_of(n, widest, ph, pw), sizeof(float));
    }
    if (pyramid->is_cascade)
        p->cascade = room_take(room, values_of(n, pyramid->channels, g->h, g->w), sizeof(float));
}

size_t reference_pyramid_bytes(const struct pyramid *pyramid, const struct geometry *geometry)
{
    struct pyramid_run p = {.pyramid = pyramid, .geometry = geometry};
    struct room room = {0};
    place_maps(&p, &room);
    return room.bytes;
}

const float *reference_stack(const struct run *run, const struct stack *stack, const float *x,
                             size_t n, size_t h, size_t w, float *buffers[2])
{
    for (size_t i = 0; i < stack->count && !run_is_cancelled(run); i++) {
        const struct layer *layer = &stack->layers[i];
        const struct reference_map read = {{n, layer->in_channels, h, w}, x};
        const struct reference_maps maps = {.reads = &read,
                                            .count = 1,
                                            .shape = {n, layer->out_channels, h, w},
                                            .ret = x == buffers[0] ? buffers[1] : buffers[0]};
        reference_layer(run, layer, &maps);
        x = maps.ret;
    }
    return x;
}

static void pool_branch(struct pyramid_run *p, size_t i, const float *x)
{
    const struct geometry *g = p->geometry;
    reference_pool(p->run, x, g->input.n * p->pyramid->channels, g->input.h, g->input.w,
                   p->pyramid->pool, &g->branches[i], p->pooled[i]);
}

/* Runs a branch's layers on its grid, then upsamples the result to ret[n] at n * ret_stride. */
static void run_branch(struct pyramid_run *p, const struct run *run, size_t i, float *ret,
                       size_t ret_stride)
{
    const struct stack *stack = &p->pyramid->branches[i].stack;
    const struct branch_geometry *g = &p->geometry->branches[i];
    const size_t n = p->geometry->input.n;
    const float *result =
        reference_stack(run, stack, p->pooled[i], n, g->pooled_h, g->pooled_w, p->branch[i]);
    if (run_is_cancelled(run))
        return;
    reference_stretch(run, result, n, stack->out_channels, g->pooled_h, g->pooled_w,
                      p->pyramid->upsample, g->target_h, g->target_w, ret, ret_stride);
}

/* Listing 2 as printed: x = upsample(branch_i(pool_i(x))) for each i in turn. */
static const float *run_cascade(struct pyramid_run *p, const float *x)
{
    for (size_t i = 0; i < p->pyramid->branch_count && !run_is_cancelled(p->run); i++) {
        pool_branch(p, i, x);
        run_branch(p, p->run, i, p->cascade,
                   p->pyramid->channels * p->geometry->h * p->geometry->w);
        x = p->cascade;
    }
    return x;
}

static void copy_input(const struct pyramid_run *p, const struct run *run, const float *x,
                       float *ret, size_t ret_stride)
{
    const size_t map = p->pyramid->channels * p->geometry->h * p->geometry->w;
    for (size_t n = 0; n < p->geometry->input.n; n++)
        run_copy(run, ret + n * ret_stride, x + n * map, map);
}

void reference_pyramid(const struct run *run, const struct pyramid *pyramid,
                       const struct geometry *geometry, const float *x, float *ret, void *scratch,
                       struct ppm_stage_times *times)
{
    struct pyramid_run p = {.run = run, .pyramid = pyramid, .geometry = geometry};
    struct room room = {.base = scratch};
    const size_t pixels = geometry->h * geometry->w, stride = pyramid->concat_channels * pixels;
    struct run alone = *run;
    alone.threads = 1;
    place_maps(&p, &room);
    if (pyramid->is_cascade)
        x = run_cascade(&p, x);
    const double start_s = threads_now_s();
#pragma omp parallel for schedule(dynamic) num_threads(run->threads)
    for (size_t i = 0; i < pyramid->branch_count; i++)
        pool_branch(&p, i, x);
    const double pooled_s = threads_now_s();
    /* the parts in order, each computed by one thread */
#pragma omp parallel for schedule(dynamic) num_threads(run->threads)
    for (size_t i = 0; i < pyramid->part_count; i++) {
        const struct part *part = &pyramid->parts[i];
        float *place = ret + part->first * pixels;
        if (part->source == PART_BRANCH)
            run_branch(&p, &alone, part->branch, place, stride);
        else
            copy_input(&p, &alone, x, place, stride);
    }
    times->pool_ms += 1e3 * (pooled_s - start_s);
    times->branches_ms += 1e3 * (threads_now_s() - pooled_s);
}

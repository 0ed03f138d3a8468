/* upsample.c - see upsample.h. */
#include "core/engine/upsample.h"
#include "core/base/threads.h"

#include <math.h>

static float result_at(const struct section_state *state, size_t branch, size_t channel,
                       size_t column)
{
    const size_t width = state->simd->gemm_columns;
    const struct micro_panels *result = &state->results[branch];
    return result->data[(column / width * result->channels + channel) * width + column % width];
}

/* ret[count] = columns [left, left + count) of a grid row, upsampled along the row. Neighboring
 * pixels mostly read the same two columns of the grid, which are looked up when they change. */
static void stretch_row(const struct section_state *state, size_t branch, size_t n, size_t c,
                        size_t grid_row, size_t left, size_t count, float *ret)
{
    const struct branch_geometry *g = &state->pyramid->g.branches[branch];
    const double *sources = state->pyramid->columns_from[branch] + left;
    const size_t column = (n * g->pooled_h + grid_row) * g->pooled_w;
    for (size_t next = 0; next < count;) {
        const struct resize_tap at = geometry_tap_at(sources[next], g->pooled_w);
        const float low = result_at(state, branch, c, column + at.low);
        const float high = result_at(state, branch, c, column + at.high);
        const double first = (double)at.low, end = at.high > at.low ? first + 1 : INFINITY;
        for (; next < count && sources[next] < end; next++) {
            const float weight = (float)(sources[next] - first);
            ret[next] = (1 - weight) * low + weight * high;
        }
    }
}

/* expanded[n][c][grid row][W] = its grid rows, stretched */
static void stretch_channel(const struct section_state *state, size_t *done, size_t branch,
                            size_t n, size_t c)
{
    const struct branch_geometry *g = &state->pyramid->g.branches[branch];
    float *ret = state->expanded[branch] +
                 (n * state->results[branch].channels + c) * g->pooled_h * g->target_w;
    for (size_t row = 0; row < g->pooled_h; row++, ret += g->target_w)
        for (size_t left = 0; left < g->target_w; left += RUN_VALUES) {
            const size_t count = size_min(g->target_w - left, RUN_VALUES);
            if (!run_goes_on(state->run, done, count))
                return;
            stretch_row(state, branch, n, c, row, left, count, ret + left);
        }
}

void stage_upsample(const struct section_state *state)
{
    size_t done = 0;
    for (size_t i = 0; i < state->pyramid->pyramid->branch_count; i++) {
        if (state->pyramid->is_folded[i])
            continue;
        const size_t channels = state->results[i].channels, planes = state->n * channels;
        const size_t share = share_of_loop(planes);
#pragma omp for nowait
        for (size_t first = 0; first < planes; first += share) {
            const size_t end = size_min(first + share, planes);
            for (size_t plane = first; plane < end && run_goes_on(state->run, &done, 0); plane++)
                stretch_channel(state, &done, i, plane / channels, plane % channels);
        }
    }
#pragma omp barrier
}

/* For a branch that was planned to be folded and is not finite: nothing is stretched yet. */
static void stretch_and_blend(const struct section_state *state, size_t branch, size_t n, size_t c,
                              const struct resize_tap *down, size_t left, size_t count, float *ret)
{
    enum { COLUMNS = 64 };
    float above[COLUMNS], below[COLUMNS];
    for (size_t at = 0; at < count; at += COLUMNS) {
        const size_t some = size_min(count - at, COLUMNS);
        stretch_row(state, branch, n, c, down->low, left + at, some, above);
        stretch_row(state, branch, n, c, down->high, left + at, some, below);
        state->simd->lerp_rows(above, below, (float)down->weight, ret + at, some);
    }
}

void upsample_row(const struct section_state *state, size_t branch, size_t n, size_t c, size_t row,
                  size_t left, size_t count, float *ret)
{
    const struct pyramid_plan *plan = state->pyramid;
    const size_t w = plan->g.branches[branch].target_w, h = plan->g.branches[branch].pooled_h;
    const struct resize_tap down = plan_row_tap(plan, branch, row);
    if (!state->expanded[branch]) {
        stretch_and_blend(state, branch, n, c, &down, left, count, ret);
        return;
    }
    const float *stretched =
        state->expanded[branch] + (n * state->results[branch].channels + c) * h * w + left;
    plan->simd->lerp_rows(stretched + down.low * w, stretched + down.high * w, (float)down.weight,
                          ret, count);
}

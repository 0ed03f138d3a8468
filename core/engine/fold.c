/* fold.c - branches for the bottleneck: folded on their grids, or stretched for the literal way. */
#include "core/base/threads.h"
#include "core/engine/engine.h"

#include <math.h>
#include <string.h>

bool work_folds(const struct work *work, size_t n, size_t branch)
{
    return work->plan->is_folded[branch] && atomic_load(&work->is_finite[n]);
}

void work_found_not_finite(struct work *work, size_t n)
{
    atomic_store(&work->is_finite[n], false);
    atomic_store(&work->are_finite, false);
}

static float result_at(const struct work *work, size_t branch, size_t channel, size_t column)
{
    const size_t width = work->plan->simd->gemm_columns;
    const struct micro_panels *result = &work->results[branch];
    return result->data[(column / width * result->channels + channel) * width + column % width];
}

/* Of all maps, a channel of a branch's result. */
static void check_channel(struct work *work, size_t branch, size_t channel)
{
    size_t done = 0;
    const size_t points = plan_points(&work->plan->g, branch), columns = work->n * points;
    const size_t width = work->plan->simd->gemm_columns, channels = work->results[branch].channels;
    for (size_t first = 0; first < columns && run_goes_on(work->run, &done, width);
         first += width) {
        const float *x = work->results[branch].data + first * channels + channel * width;
        bool are_finite = true;
        for (size_t i = 0; i < width && first + i < columns; i++)
            are_finite &= isfinite(x[i]) != 0;
        for (size_t i = 0; !are_finite && i < width && first + i < columns; i++)
            if (!isfinite(x[i]))
                work_found_not_finite(work, (first + i) / points);
    }
}

/* Neighbouring pixels mostly lie between the same two columns of the grid, which are looked up when
 * that changes. */
void stretch_row(const struct work *work, size_t branch, size_t n, size_t c, size_t grid_row,
                 size_t left, size_t count, float *ret)
{
    const struct branch_geometry *g = &work->plan->g.branches[branch];
    const double *sources = work->plan->columns_from[branch] + left;
    const size_t column = (n * g->pooled_h + grid_row) * g->pooled_w;
    for (size_t next = 0; next < count;) {
        const struct resize_tap at = geometry_tap_at(sources[next], g->pooled_w);
        const float low = result_at(work, branch, c, column + at.low);
        const float high = result_at(work, branch, c, column + at.high);
        const double first = (double)at.low, end = at.high > at.low ? first + 1 : INFINITY;
        for (; next < count && sources[next] < end; next++) {
            const float weight = (float)(sources[next] - first);
            ret[next] = (1 - weight) * low + weight * high;
        }
    }
}

/* expanded[n][c][row of the grid][W] = the row stretched */
static void expand_channel(const struct work *work, size_t *done, size_t branch, size_t n, size_t c)
{
    const struct branch_geometry *g = &work->plan->g.branches[branch];
    float *ret = work->expanded[branch] +
                 (n * work->results[branch].channels + c) * g->pooled_h * g->target_w;
    for (size_t row = 0; row < g->pooled_h; row++, ret += g->target_w)
        for (size_t left = 0; left < g->target_w; left += RUN_VALUES) {
            const size_t ahead = g->target_w - left;
            const size_t count = ahead < RUN_VALUES ? ahead : RUN_VALUES;
            if (!run_goes_on(work->run, done, count))
                return;
            stretch_row(work, branch, n, c, row, left, count, ret + left);
        }
}

/* 0 * Inf is NaN: where a branch is not finite, only the literal way gives what the frameworks do.
 * Then branches that were to be folded are stretched as they are gathered. */
static void check_finite(struct work *work)
{
    for (size_t i = 0; i < work->spec->branch_count; i++) {
        const size_t channels = work->plan->is_folded[i] ? work->results[i].channels : 0;
#pragma omp for nowait
        for (size_t c = 0; c < channels; c++)
            check_channel(work, i, c);
    }
#pragma omp barrier
}

void stage_expand(struct work *work)
{
    size_t done = 0;
    if (work->plan->folded_steps > 0)
        check_finite(work);
    for (size_t i = 0; i < work->spec->branch_count; i++) {
        if (work->plan->is_folded[i])
            continue;
        const size_t channels = work->results[i].channels, planes = work->n * channels;
        const size_t share = share_of_loop(planes);
#pragma omp for nowait
        for (size_t first = 0; first < planes; first += share) {
            const size_t end = first + share < planes ? first + share : planes;
            for (size_t plane = first; plane < end && run_goes_on(work->run, &done, 0); plane++)
                expand_channel(work, &done, i, plane / channels, plane % channels);
        }
    }
#pragma omp barrier
}

/* Scatters a tile of columns of W_i b_i into folded[n][panel][grid_steps][rows], where the branch's
 * steps for this tap begin at first. */
static void scatter(const struct work *work, size_t branch, size_t panel, size_t rows, size_t first,
                    size_t column, size_t columns, const float *tile)
{
    const size_t points = plan_points(&work->plan->g, branch), steps = work->plan->grid_steps;
    const size_t width = work->plan->simd->gemm_columns;
    const size_t out_channels = work->spec->head.layers[0].out_channels;
    const size_t panel_at = panel * work->plan->simd->gemm_rows * steps;
    for (size_t j = 0; j < columns; j++) {
        const size_t n = (column + j) / points, point = (column + j) % points;
        float *ret = work->folded + n * out_channels * steps + panel_at + (first + point) * rows;
        for (size_t r = 0; r < rows; r++)
            ret[r] = tile[r * width + j];
    }
}

/* W_i b_i for one panel of the bottleneck, one branch, one tap, all columns. */
static void fold_branch(const struct work *work, size_t *done, size_t panel, size_t part,
                        size_t branch, size_t tap, size_t first)
{
    const struct layer *bottleneck = &work->spec->head.layers[0];
    const size_t width = work->plan->simd->gemm_columns, channels = work->results[branch].channels;
    const size_t columns = work->n * plan_points(&work->plan->g, branch);
    float product[SIMD_GEMM_ROWS_MAX * SIMD_GEMM_COLUMNS_MAX];
    struct simd_gemm_run run = {.a = conv_panel_at(bottleneck, panel, part, tap, 0),
                                .k = channels,
                                .words = conv_float32_words(bottleneck)};
    struct simd_gemm_tile tile = {.runs = &run,
                                  .run_count = 1,
                                  .c = product,
                                  .c_stride = width,
                                  .rows = conv_panel_rows(bottleneck, panel)};
    run.next_a = run.a + conv_words(bottleneck, channels) * tile.rows;
    for (size_t column = 0; column < columns && run_goes_on(work->run, done, channels * width);
         column += width) {
        tile.columns = columns - column < width ? columns - column : width;
        run.b = work->results[branch].data + column * channels;
        conv_multiply(bottleneck, &tile);
        scatter(work, branch, panel, tile.rows, first, column, tile.columns, product);
    }
}

static void share_columns(const struct work *work)
{
    const size_t floats = work->plan->folded_steps * work->plan->simd->gemm_columns;
#pragma omp for nowait
    for (size_t tile = 0; tile < work->plan->tile_count; tile++)
        plan_columns(work->plan, tile, work->columns + tile * floats);
}

void stage_fold(struct work *work)
{
    const struct spec *spec = work->spec;
    if (work->plan->folded_steps == 0)
        return;
    const size_t taps = spec->head.layers[0].kernel * spec->head.layers[0].kernel;
    const size_t panels = conv_panel_count(&spec->head.layers[0]);
    size_t done = 0;
    if (work->columns)
        share_columns(work);
#pragma omp for schedule(dynamic)
    for (size_t panel = 0; panel < panels; panel++) {
        size_t first = 0;
        for (size_t part = 0; part < spec->part_count; part++) {
            const size_t branch = plan_branch_of_part(spec, part);
            if (branch == BRANCHES_MAX || !work->plan->is_folded[branch])
                continue;
            for (size_t tap = 0; tap < taps; tap++) {
                fold_branch(work, &done, panel, part, branch, tap, first);
                first += plan_points(&work->plan->g, branch);
            }
        }
    }
}

const float *folded_panel(const struct work *work, size_t n, size_t panel)
{
    return work->folded +
           (n * work->spec->head.layers[0].out_channels + panel * work->plan->simd->gemm_rows) *
               work->plan->grid_steps;
}

void blend_row(const struct work *work, size_t n, size_t panel, size_t row, float *ret)
{
    const struct plan *plan = work->plan;
    const size_t rows = conv_panel_rows(&work->spec->head.layers[0], panel);
    const float *folded = folded_panel(work, n, panel);
    for (size_t i = 0; i < work->spec->branch_count; i++) {
        const size_t w = plan->g.branches[i].pooled_w * rows;
        if (!plan->is_folded[i])
            continue;
        const struct resize_tap tap = plan_row_tap(plan, i, row);
        work->plan->simd->lerp_rows(folded + tap.low * w, folded + tap.high * w, (float)tap.weight,
                                    ret, w);
        folded += plan_points(&plan->g, i) * rows;
        ret += w;
    }
}

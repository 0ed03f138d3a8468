/* pool.c - see pool.h. */
#include "core/engine/pool.h"
#include "core/base/team.h"
#include "core/engine/pooling.h"

enum {
    POOL_ROWS_TOGETHER = 8, /* sums that do not wait for each other */
    CHANNELS_TOGETHER = 64, /* from NHWC */
};

/* ret[row][cell] = sum of the cell's columns of rows [row][w] */
static void sum_columns(const struct run *run, size_t *done, const struct pool_axis *columns,
                        const float *rows, size_t count, size_t w, float *ret)
{
    for (size_t cell = 0; cell < columns->cell_count; cell++) {
        const size_t end = columns->edges[cell + 1];
        float sums[POOL_ROWS_TOGETHER] = {0};
        for (size_t i = columns->edges[cell], next; i < end; i = next) {
            next = size_min(end, i + RUN_VALUES / 8);
            if (!run_goes_on(run, done, POOL_ROWS_TOGETHER * (next - i)))
                return;
            for (; i < next; i++)
#pragma GCC unroll 8
                for (size_t row = 0; row < POOL_ROWS_TOGETHER; row++)
                    sums[row] += rows[row * w + i];
        }
        for (size_t row = 0; row < count; row++)
            ret[row * columns->cell_count + cell] = sums[row];
    }
}

/* ret[W] = the sum of `count` rows; if they are many and long, some columns at a time. */
static void sum_rows(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                     const float *rows, size_t count, float *ret)
{
    enum { VALUES = 8 * RUN_VALUES, COLUMNS_MIN = 64 };
    const size_t w = plan->g.input.w, together = size_max(VALUES / count, COLUMNS_MIN);
    for (size_t first = 0; first < w; first += together) {
        const size_t columns = size_min(w - first, together);
        if (!run_goes_on(run, done, count * columns))
            return;
        plan->simd->sum_rows(rows + first, w, count, columns, ret + first);
    }
}

/* NCHW: ret[row cell][column cell] = sum of the plane's pixels in the cell. sums is scratch:
 * [POOL_ROWS_TOGETHER][W]. */
static void sum_cells(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                      const float *plane, float *sums, float *ret)
{
    const size_t w = plan->g.input.w, count = plan->pool_h.cell_count;
    const uint32_t *edges = plan->pool_h.edges;
    for (size_t first = 0; first < count; first += POOL_ROWS_TOGETHER) {
        const size_t rows = size_min(count - first, POOL_ROWS_TOGETHER);
        for (size_t row = 0; row < rows; row++)
            sum_rows(run, done, plan, plane + edges[first + row] * w,
                     edges[first + row + 1] - edges[first + row], sums + row * w);
        sum_columns(run, done, &plan->pool_w, sums, rows, w, ret + first * plan->pool_w.cell_count);
    }
}

/* Stores the mean over each bin of channel c of map n in the micro-panels of every branch. sums is
 * scratch: [column cells]. */
static void store_bins(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                       size_t n, size_t c, const float *cells, float *sums,
                       const struct micro_panels *pooled)
{
    const struct pool_axis *rows = &plan->pool_h, *columns = &plan->pool_w;
    const size_t width = plan->simd->gemm_columns, channels = plan->pyramid->channels;
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        const size_t column = n * geometry_points(&plan->g, i);
        float *ret = pooled[i].data + (column / width * channels + c) * width;
        size_t lane = column % width;
        for (size_t k = 0; k < branch->pooled_h; k++) {
            const struct cell_range down = rows->bins[i][k];
            const size_t height = rows->edges[down.to] - rows->edges[down.from];
            if (!run_goes_on(run, done,
                             (down.to - down.from + 1) * columns->cell_count + branch->pooled_w))
                return;
            plan->simd->sum_rows(cells + down.from * columns->cell_count, columns->cell_count,
                                 down.to - down.from, columns->cell_count, sums);
            for (size_t l = 0; l < branch->pooled_w; l++) {
                const struct cell_range right = columns->bins[i][l];
                const size_t area =
                    height * (columns->edges[right.to] - columns->edges[right.from]);
                float sum = 0;
                for (size_t cell = right.from; cell < right.to; cell++)
                    sum += sums[cell];
                ret[lane] = sum / (float)area;
                if (++lane == width) {
                    lane = 0;
                    ret += channels * width;
                }
            }
        }
    }
}

/* ret[count] += pixels [left, right) of a row. */
static void add_pixels(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                       const float *row, size_t left, size_t right, size_t count, float *sums,
                       float *ret)
{
    for (size_t next; left < right; left = next) {
        next = size_min(right, left + RUN_VALUES);
        if (!run_goes_on(run, done, (next - left) * count))
            return;
        plan->simd->sum_rows(row + left * plan->pyramid->channels, plan->pyramid->channels,
                             next - left, count, sums);
        for (size_t c = 0; c < count; c++)
            ret[c] += sums[c];
    }
}

/* NHWC: the same for some channels at once; cells [cell][channels] */
static void sum_cells_nhwc(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                           const float *map, size_t first, size_t count, float *sums, float *cells)
{
    const size_t channels = plan->pyramid->channels, w = plan->g.input.w;
    const struct pool_axis *rows = &plan->pool_h, *columns = &plan->pool_w;
    for (size_t row = 0; row < rows->cell_count; row++)
        for (size_t cell = 0; cell < columns->cell_count; cell++) {
            float *ret = cells + (row * columns->cell_count + cell) * count;
            for (size_t c = 0; c < count; c++)
                ret[c] = 0;
            for (size_t y = rows->edges[row]; y < rows->edges[row + 1]; y++)
                add_pixels(run, done, plan, map + y * w * channels + first, columns->edges[cell],
                           columns->edges[cell + 1], count, sums, ret);
        }
}

static void pool_nhwc(const struct section_state *state, size_t *done, size_t n, size_t first,
                      float *scratch)
{
    const struct pyramid_plan *plan = state->pyramid;
    const size_t count = size_min(plan->pyramid->channels - first, CHANNELS_TOGETHER);
    const size_t cell_count = plan->pool_h.cell_count * plan->pool_w.cell_count;
    float *sums = scratch, *cells = sums + CHANNELS_TOGETHER;
    float *of_channel = cells + CHANNELS_TOGETHER * cell_count, *of_bins = of_channel + cell_count;
    sum_cells_nhwc(state->run, done, plan, map_at(section_pooled_map(state), n, 0), first, count,
                   sums, cells);
    for (size_t c = 0; c < count && run_goes_on(state->run, done, cell_count); c++) {
        for (size_t cell = 0; cell < cell_count; cell++)
            of_channel[cell] = cells[cell * count + c];
        store_bins(state->run, done, plan, n, first + c, of_channel, of_bins, state->pooled);
    }
}

size_t pool_columns(const struct pyramid_plan *plan, size_t n, size_t branch)
{
    const size_t width = plan->simd->gemm_columns;
    const size_t columns = size_times(n, geometry_points(&plan->g, branch));
    return size_plus(columns, width - 1) / width * width;
}

size_t pool_plane_floats(const struct pyramid_plan *plan)
{
    return size_plus(POOL_ROWS_TOGETHER * plan->g.input.w,
                     size_times(plan->pool_h.edges_max, plan->pool_w.edges_max));
}

size_t pool_scratch_floats(const struct pyramid_plan *plan, enum ppm_layout layout)
{
    const size_t cells = (plan->pool_h.edges_max - 1) * (plan->pool_w.edges_max - 1);
    if (layout == PPM_NCHW)
        return pool_plane_floats(plan);
    return size_plus(size_times(CHANNELS_TOGETHER + 1, cells),
                     CHANNELS_TOGETHER + plan->pool_w.edges_max);
}

void pool_plane(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                const float *x, size_t plane, float *scratch, const struct micro_panels *pooled)
{
    const size_t channels = plan->pyramid->channels, pixels = plan->g.input.h * plan->g.input.w;
    float *cells = scratch + POOL_ROWS_TOGETHER * plan->g.input.w;
    sum_cells(run, done, plan, x + plane * pixels, scratch, cells);
    store_bins(run, done, plan, plane / channels, plane % channels, cells,
               cells + plan->pool_h.cell_count * plan->pool_w.cell_count, pooled);
}

void stage_pool(const struct section_state *state)
{
    const struct map *x = section_pooled_map(state);
    const struct ppm_pooling *begun = state->of->pooling;
    const size_t channels = state->pyramid->pyramid->channels;
    size_t done = 0;
    float *scratch = state->cells + (size_t)omp_get_thread_num() * state->cell_floats;
    if (x->layout == PPM_NHWC) {
        const size_t blocks = size_div_up(channels, CHANNELS_TOGETHER);
        struct team_loop loop = team_begin(state->of->shares, state->n * blocks);
        for (size_t task; team_next(&loop, &task);)
            if (run_goes_on(state->run, &done, 0))
                pool_nhwc(state, &done, task / blocks, task % blocks * CHANNELS_TOGETHER, scratch);
        team_end(&loop);
        return;
    }
    const size_t first = begun ? begun->planes_pooled : 0;
    struct team_loop loop = team_begin(state->of->shares, state->n * channels - first);
    for (size_t task; team_next(&loop, &task);)
        if (run_goes_on(state->run, &done, 0))
            pool_plane(state->run, &done, state->pyramid, x->data, first + task, scratch,
                       state->pooled);
    team_end(&loop);
}

/* pool.c - the means of all bins of all branches in one read of x. */
#include "core/engine.h"
#include "core/threads.h"

/* NCHW: ret[row cell][column cell] = sum of the plane's pixels in the cell; sums: [W] */
static void sum_cells(const struct plan *plan, const float *plane, float *sums, float *ret)
{
    const size_t w = plan->g.input.w;
    const struct pool_axis *rows = &plan->rows, *columns = &plan->columns;
    for (size_t row = 0; row < rows->cell_count; row++) {
        core_simd()->sum_rows(plane + rows->edges[row] * w, w,
                              rows->edges[row + 1] - rows->edges[row], w, sums);
        for (size_t cell = 0; cell < columns->cell_count; cell++) {
            float sum = 0;
            for (size_t i = columns->edges[cell]; i < columns->edges[cell + 1]; i++)
                sum += sums[i];
            *ret++ = sum;
        }
    }
}

/* ret = mean of the cells of bin (k, l) of a branch */
static float mean_of_bin(const struct plan *plan, size_t branch, size_t k, size_t l,
                         const float *cells)
{
    const struct cell_range down = plan->rows.bins[branch][k];
    const struct cell_range right = plan->columns.bins[branch][l];
    const size_t area = (plan->rows.edges[down.to] - plan->rows.edges[down.from]) *
                        (plan->columns.edges[right.to] - plan->columns.edges[right.from]);
    double sum = 0;
    for (size_t row = down.from; row < down.to; row++)
        for (size_t column = right.from; column < right.to; column++)
            sum += (double)cells[row * plan->columns.cell_count + column];
    return (float)(sum / (double)area);
}

/* Puts channel c of map n into the micro-panels of every branch. */
static void store_bins(const struct work *work, size_t n, size_t c, const float *cells)
{
    const struct plan *plan = work->plan;
    const size_t width = core_simd()->gemm_columns;
    for (size_t i = 0; i < work->spec->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        size_t column = n * plan_points(&plan->g, i);
        for (size_t k = 0; k < branch->pooled_h; k++)
            for (size_t l = 0; l < branch->pooled_w; l++, column++)
                work->pooled[i]
                    .data[(column / width * work->spec->channels + c) * width + column % width] =
                    mean_of_bin(plan, i, k, l, cells);
    }
}

/* NHWC: the same for a run of channels at once; cells [cell][channels] */
static void sum_cells_nhwc(const struct plan *plan, const float *map, size_t first, size_t count,
                           float *sums, float *cells)
{
    const size_t channels = plan->g.input.c, w = plan->g.input.w;
    const struct pool_axis *rows = &plan->rows, *columns = &plan->columns;
    for (size_t row = 0; row < rows->cell_count; row++)
        for (size_t cell = 0; cell < columns->cell_count; cell++) {
            float *ret = cells + (row * columns->cell_count + cell) * count;
            for (size_t c = 0; c < count; c++)
                ret[c] = 0;
            for (size_t y = rows->edges[row]; y < rows->edges[row + 1]; y++) {
                core_simd()->sum_rows(map + (y * w + columns->edges[cell]) * channels + first,
                                      channels, columns->edges[cell + 1] - columns->edges[cell],
                                      count, sums);
                for (size_t c = 0; c < count; c++)
                    ret[c] += sums[c];
            }
        }
}

enum { CHANNELS_TOGETHER = 64 };

static void pool_nhwc(const struct work *work, size_t n, size_t first, float *scratch)
{
    const struct plan *plan = work->plan;
    const size_t left = work->spec->channels - first;
    const size_t count = left < CHANNELS_TOGETHER ? left : CHANNELS_TOGETHER;
    const size_t cell_count = plan->rows.cell_count * plan->columns.cell_count;
    float *sums = scratch, *cells = sums + CHANNELS_TOGETHER;
    float *of_channel = cells + CHANNELS_TOGETHER * cell_count;
    sum_cells_nhwc(plan, work->x + n * plan->g.input.h * plan->g.input.w * work->spec->channels,
                   first, count, sums, cells);
    for (size_t c = 0; c < count; c++) {
        for (size_t cell = 0; cell < cell_count; cell++)
            of_channel[cell] = cells[cell * count + c];
        store_bins(work, n, first + c, of_channel);
    }
}

size_t pool_scratch_floats(const struct plan *plan)
{
    const size_t cells = plan->rows.cell_count * plan->columns.cell_count;
    const size_t nchw = plan->g.input.w + cells;
    const size_t nhwc = CHANNELS_TOGETHER + (CHANNELS_TOGETHER + 1) * cells;
    return nchw > nhwc ? nchw : nhwc;
}

void stage_pool(struct work *work)
{
    const struct plan *plan = work->plan;
    const size_t channels = work->spec->channels, pixels = plan->g.input.h * plan->g.input.w;
    float *scratch = work->cells + (size_t)omp_get_thread_num() * work->cell_floats;
    if (work->x_layout == PPM_NHWC) {
#pragma omp for collapse(2) schedule(dynamic)
        for (size_t n = 0; n < work->n; n++)
            for (size_t first = 0; first < channels; first += CHANNELS_TOGETHER)
                pool_nhwc(work, n, first, scratch);
        return;
    }
#pragma omp for schedule(dynamic, 16)
    for (size_t plane = 0; plane < work->n * channels; plane++) {
        float *cells = scratch + plan->g.input.w;
        sum_cells(plan, work->x + plane * pixels, scratch, cells);
        store_bins(work, plane / channels, plane % channels, cells);
    }
}

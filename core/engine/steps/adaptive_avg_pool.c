/* adaptive_avg_pool.c - the mean of each cell of a grid over the map. */
#include "core/engine/steps/step_rows.h"
#include "core/shape/geometry.h"

/* Rows that are added up in float32, before they are in double. */
enum { ROWS_TOGETHER = 32 };

/* Of `rows` rows of w pixels, stride apart; column: room for one of them. */
static double sum_of(const struct step_run *step, size_t *done, const float *x, size_t stride,
                     size_t rows, size_t w, float *column)
{
    double sum = 0;
    for (size_t row = 0; row < rows; row += ROWS_TOGETHER) {
        const size_t some = size_min(rows - row, ROWS_TOGETHER);
        if (!run_goes_on(step->run, done, some * w))
            break;
        step->simd->sum_rows(x + row * stride, stride, some, w, column);
        for (size_t j = 0; j < w; j++)
            sum += (double)column[j];
    }
    return sum;
}

static void adaptive_avg_pool_run(const struct step_run *step, const struct unit *unit,
                                  size_t *done, float *column)
{
    const struct map *x = step_read(step, 0);
    const struct map *grid = &step->ret;
    const float *plane = map_at(x, unit->n, unit->channel);
    float *ret = map_at(grid, unit->n, unit->channel) + unit->first * grid->w;
    for (size_t i = 0; i < unit->count; i++)
        for (size_t j = 0; j < grid->w; j++) {
            size_t top, bottom, left, right;
            geometry_adaptive_bin(unit->first + i, grid->h, x->h, &top, &bottom);
            geometry_adaptive_bin(j, grid->w, x->w, &left, &right);
            const size_t rows = bottom - top, columns = right - left;
            const double sum =
                sum_of(step, done, plane + top * x->w + left, x->w, rows, columns, column);
            *ret++ = (float)(sum / (double)(rows * columns));
        }
}

const struct step_row adaptive_avg_pool_step = {BY_ROWS, adaptive_avg_pool_run};

/* winograd_seen.c - see winograd_seen.h. */
#include "core/plan/winograd_seen.h"
#include "core/shape/winograd_tiles.h"

enum { ON_AXIS = SIMD_WINOGRAD_INPUT };

/* The weight of grid line k at a pixel, along an axis. */
static float share_of(const struct resize_tap *tap, size_t k)
{
    return (float)((tap->low == k ? 1 - tap->weight : 0) + (tap->high == k ? tap->weight : 0));
}

/* ret[ON_AXIS][tiles] = the weights of grid line k at what tiles on an axis of `extent` pixels see,
 * transformed. from: where each pixel is taken from. */
static void transform_line(const double *from, size_t extent, size_t grid, size_t k, float *ret)
{
    const size_t tiles = winograd_tiles_on(extent);
    for (size_t tile = 0; tile < tiles; tile++) {
        float shares[ON_AXIS] = {
            0}; /* of pixels [SIMD_WINOGRAD_TILE * tile - 1, ...), none beyond the map */
        for (size_t j = tile == 0 ? 1 : 0; j < ON_AXIS && SIMD_WINOGRAD_TILE * tile + j <= extent;
             j++) {
            const struct resize_tap tap =
                geometry_tap_at(from[SIMD_WINOGRAD_TILE * tile + j - 1], grid);
            shares[j] = share_of(&tap, k);
        }
        for (size_t i = 0; i < ON_AXIS; i++) {
            float sum = 0;
            for (size_t j = 0; j < ON_AXIS; j++)
                sum += simd_winograd_input_matrix[i][j] * shares[j];
            ret[i * tiles + tile] = sum;
        }
    }
}

void winograd_place_seen(struct section_plan *plan, struct room *room)
{
    const size_t rows = ON_AXIS * winograd_tiles_on(plan->out.h),
                 columns = ON_AXIS * winograd_tiles_on(plan->out.w);
    for (size_t i = 0; i < plan->section->pyramid->branch_count; i++) {
        if (!plan->pyramid->is_folded[i])
            continue;
        const struct branch_geometry *branch = &plan->pyramid->g.branches[i];
        plan->pyramid->rows_seen[i] = room_take(room, branch->pooled_h, rows * sizeof(float));
        plan->pyramid->columns_seen[i] = room_take(room, branch->pooled_w, columns * sizeof(float));
    }
}

void winograd_fill_seen(struct section_plan *plan, const struct run *run)
{
    const size_t h = plan->out.h, w = plan->out.w;
    const size_t rows = ON_AXIS * winograd_tiles_on(h), columns = ON_AXIS * winograd_tiles_on(w);
    size_t done = 0;
    for (size_t i = 0; i < plan->section->pyramid->branch_count; i++) {
        if (!plan->pyramid->is_folded[i])
            continue;
        const size_t grid_h = plan->pyramid->g.branches[i].pooled_h,
                     grid_w = plan->pyramid->g.branches[i].pooled_w;
        for (size_t k = 0; k < grid_h && run_goes_on(run, &done, rows * ON_AXIS); k++)
            transform_line(plan->pyramid->rows_from[i], h, grid_h, k,
                           plan->pyramid->rows_seen[i] + k * rows);
        for (size_t k = 0; k < grid_w && run_goes_on(run, &done, columns * ON_AXIS); k++)
            transform_line(plan->pyramid->columns_from[i], w, grid_w, k,
                           plan->pyramid->columns_seen[i] + k * columns);
    }
}

/* plan_columns.c - see plan_columns.h. */
#include "core/plan/plan_columns.h"

#include <assert.h>
#include <string.h>

enum {
    SPAN_MAX = SIMD_GEMM_COLUMNS_MAX, /* a tile is no wider */
    BORDER_MAX = 1,                   /* of a 3x3 kernel */
    SEEN_MAX = SPAN_MAX + 2 * BORDER_MAX,
};

/* Neighboring pixels of a row of the map, which begin at a column of the tile. */
struct span {
    size_t row, left, count, column;
};

/* Columns [from, from + count) of the map as sums of a grid row: `near` of its column low plus
 * `far` of its column high. Neighbors mostly read the same two. */
struct sources {
    size_t from, count;
    uint32_t alike_until[SEEN_MAX];
    uint32_t low[SEEN_MAX], high[SEEN_MAX];
    double near[SEEN_MAX], far[SEEN_MAX];
};

/* For the columns that a kernel sees from a span. */
static void look_up(const struct section_plan *plan, size_t branch, const struct span *span,
                    size_t border, struct sources *ret)
{
    const size_t end = span->left + span->count + border;
    assert(span->count <= SPAN_MAX && border <= BORDER_MAX);
    ret->from = span->left > border ? span->left - border : 0;
    ret->count = size_min(end, plan->out.w) - ret->from;
    for (size_t i = 0; i < ret->count; i++) {
        const struct resize_tap tap = plan_column_tap(plan->pyramid, branch, ret->from + i);
        ret->low[i] = (uint32_t)tap.low;
        ret->high[i] = (uint32_t)tap.high;
        ret->near[i] = 1 - tap.weight;
        ret->far[i] = tap.weight;
    }
    for (size_t i = ret->count, until = i; i-- > 0;) {
        if (i + 1 < ret->count &&
            (ret->low[i] != ret->low[i + 1] || ret->high[i] != ret->high[i + 1]))
            until = i + 1;
        ret->alike_until[i] = (uint32_t)until;
    }
}

static void add(float *restrict to, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += x[i];
}

/* One row of a branch's upsampled map: for each tap along the row, adds to u [tap][point]
 * [gemm_columns] the weights of the grid's points at the pixels of a span. */
static void add_row(const struct section_plan *plan, size_t branch, const struct span *span,
                    const struct sources *sources, size_t row, float *u)
{
    const size_t kernel = section_conv(plan->section)->window.size[0], border = kernel / 2,
                 stride = plan->simd->gemm_columns;
    const struct resize_tap down = plan_row_tap(plan->pyramid, branch, row);
    const size_t row_floats = plan->pyramid->g.branches[branch].pooled_w * stride;
    float weights[4][SEEN_MAX] = {{0}};
    for (size_t i = 0; i < sources->count; i++) {
        weights[0][i] = (float)((1 - down.weight) * sources->near[i]);
        weights[1][i] = (float)((1 - down.weight) * sources->far[i]);
        weights[2][i] = (float)(down.weight * sources->near[i]);
        weights[3][i] = (float)(down.weight * sources->far[i]);
    }
    for (size_t tap = 0; tap < kernel;
         tap++, u += geometry_points(&plan->pyramid->g, branch) * stride) {
        /* pixel j of the span sees column left + j + tap - border */
        const size_t sees = span->left + tap;
        const size_t first = sources->from + border > sees ? sources->from + border - sees : 0;
        const size_t end = sources->from + border + sources->count - sees;
        for (size_t j = first, count; j < span->count && j < end; j += count) {
            const size_t i = sees + j - border - sources->from;
            const size_t left = size_min(span->count, end) - j;
            assert(i < sources->count);
            count = sources->alike_until[i] - i < left ? sources->alike_until[i] - i : left;
            float *above = u + down.low * row_floats + span->column + j;
            float *below = u + down.high * row_floats + span->column + j;
            add(above + sources->low[i] * stride, weights[0] + i, count);
            add(above + sources->high[i] * stride, weights[1] + i, count);
            add(below + sources->low[i] * stride, weights[2] + i, count);
            add(below + sources->high[i] * stride, weights[3] + i, count);
        }
    }
}

/* The same for all rows that the kernel sees from a span: u [tap][point][gemm_columns]. */
static void add_span(const struct section_plan *plan, size_t branch, const struct span *span,
                     float *u)
{
    const size_t kernel = section_conv(plan->section)->window.size[0], border = kernel / 2;
    const size_t row_floats =
        kernel * geometry_points(&plan->pyramid->g, branch) * plan->simd->gemm_columns;
    struct sources sources;
    look_up(plan, branch, span, border, &sources);
    for (size_t down = 0; down < kernel; down++)
        if (span->row + down >= border && span->row + down < plan->out.h + border)
            add_row(plan, branch, span, &sources, span->row + down - border, u + down * row_floats);
}

void plan_columns(const struct section_plan *plan, size_t tile, float *ret)
{
    const size_t taps = conv_taps(section_conv(plan->section));
    const size_t stride = plan->simd->gemm_columns;
    const struct tile_pixels pixels = tiles_at(&plan->tiles, tile);
    const size_t first_row = pixels.first / plan->out.w;
    memset(ret, 0, plan->pyramid->folded_steps * stride * sizeof *ret);
    for (size_t i = 0; i < plan->section->pyramid->branch_count; i++) {
        if (!plan->pyramid->is_folded[i])
            continue;
        struct span span = {.row = first_row, .left = pixels.first - first_row * plan->out.w};
        for (; span.column < pixels.columns; span.column += span.count, span.row++, span.left = 0) {
            span.count = size_min(plan->out.w - span.left, pixels.columns - span.column);
            add_span(plan, i, &span, ret);
        }
        ret += taps * geometry_points(&plan->pyramid->g, i) * stride;
    }
}

bool plan_shares_columns(const struct section_plan *plan)
{
    enum { SHARED_BYTES = 128 << 10 };
    if (!plan->pyramid || !plan->pyramid->takes_columns)
        return false;
    const size_t steps = plan->pyramid->folded_steps;
    return plan->tiles.count <= SHARED_BYTES / (steps * plan->simd->gemm_columns * sizeof(float));
}

/* Row-wise: u [width of the grid][gemm_columns], the weights along a row. */
static void add_row_columns(const struct section_plan *plan, size_t branch, size_t tile, float *u)
{
    const size_t stride = plan->simd->gemm_columns;
    const struct tile_pixels pixels = tiles_at(&plan->tiles, tile);
    for (size_t j = 0; j < pixels.columns; j++) {
        const struct resize_tap right = plan_column_tap(plan->pyramid, branch, pixels.first + j);
        u[right.low * stride + j] += (float)(1 - right.weight);
        u[right.high * stride + j] += (float)right.weight;
    }
}

void plan_place_along_columns(struct section_plan *plan, struct room *room)
{
    if (plan->tiles.in_row > 0)
        plan->pyramid->along_columns =
            room_take(room, size_times(plan->tiles.in_row, plan->pyramid->folded_steps),
                      plan->simd->gemm_columns * sizeof *plan->pyramid->along_columns);
}

/* For all tiles of a row and all folded branches. */
void plan_fill_along_columns(struct section_plan *plan, const struct run *run)
{
    size_t done = 0;
    const size_t tile_floats = plan->pyramid->folded_steps * plan->simd->gemm_columns;
    float *u = plan->pyramid->along_columns;
    for (size_t tile = 0; tile < plan->tiles.in_row && run_goes_on(run, &done, tile_floats);
         tile++) {
        memset(u, 0, tile_floats * sizeof *u);
        for (size_t i = 0; i < plan->section->pyramid->branch_count; i++) {
            if (!plan->pyramid->is_folded[i])
                continue;
            add_row_columns(plan, i, tile, u);
            u += plan->pyramid->g.branches[i].pooled_w * plan->simd->gemm_columns;
        }
    }
}

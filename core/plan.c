/* plan.c - see plan.h. */
#include "core/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MARKS_IN_WORD = 64, SPAN_MAX = 64 };

size_t plan_points(const struct geometry *g, size_t branch)
{
    return g->branches[branch].pooled_h * g->branches[branch].pooled_w;
}

struct plan_pixels plan_tile(const struct plan *plan, size_t tile)
{
    const size_t width = plan->simd->gemm_columns, w = plan->g.w;
    const size_t row = plan->is_row_wise ? tile / plan->row_tiles : 0;
    const size_t first = row * w + (tile - row * plan->row_tiles) * width;
    const size_t left = (plan->is_row_wise ? (row + 1) * w : plan->pixels) - first;
    return (struct plan_pixels){first, left < width ? left : width};
}

size_t plan_branch_of_part(const struct spec *spec, size_t part)
{
    if (spec->concat == CONCAT_INPUT_FIRST)
        return part == 0 ? BRANCHES_MAX : part - 1;
    return part < spec->branch_count ? part : BRANCHES_MAX;
}

bool plan_folds(const struct spec *spec, const struct geometry *g, size_t branch)
{
    const struct layer *bottleneck = spec->head.count ? &spec->head.layers[0] : NULL;
    const size_t channels = spec->branches[branch].stack.out_channels;
    const size_t points = plan_points(g, branch), pixels = g->h * g->w;
    if (!bottleneck || bottleneck->kind != LAYER_CONV)
        return false;
    /* points more steps for each pixel, and the branch times its weights, for channels steps */
    return points * pixels + channels * points < channels * pixels;
}

/* ---- pooling ---- */

static void bin_pixels(const struct spec *spec, const struct branch_geometry *branch, bool is_row,
                       size_t extent, size_t k, size_t *ret_from, size_t *ret_to)
{
    if (spec->pool == POOL_ADAPTIVE)
        geometry_adaptive_bin(k, is_row ? branch->pooled_h : branch->pooled_w, extent, ret_from,
                              ret_to);
    else
        geometry_window(k, is_row ? branch->window_h : branch->window_w,
                        is_row ? branch->pad_top : branch->pad_left, extent, ret_from, ret_to);
}

static size_t bins_on_axis(const struct branch_geometry *branch, bool is_row)
{
    return is_row ? branch->pooled_h : branch->pooled_w;
}

/* Edges of an axis that there can be, the ends included. */
static size_t count_edges(const struct plan *plan, bool is_row, size_t extent)
{
    size_t inner = 0;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const size_t bins = bins_on_axis(&plan->g.branches[i], is_row);
        if (plan->spec->pool != POOL_ADAPTIVE)
            inner += bins;
        else
            inner += extent % bins == 0 ? bins - 1 : 2 * (bins - 1);
    }
    return inner + 2 < extent + 1 ? inner + 2 : extent + 1;
}

static void place_axis(const struct plan *plan, bool is_row, size_t extent, struct pool_axis *axis,
                       struct room *room)
{
    axis->marks = room_take(room, extent / MARKS_IN_WORD + 1, sizeof *axis->marks);
    axis->edges = room_take(room, axis->edges_max, sizeof *axis->edges);
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        axis->bins[i] =
            room_take(room, bins_on_axis(&plan->g.branches[i], is_row), sizeof *axis->bins[i]);
}

void plan_place_axes(struct plan *plan, struct room *room)
{
    place_axis(plan, true, plan->g.input.h, &plan->rows, room);
    place_axis(plan, false, plan->g.input.w, &plan->columns, room);
}

/* Whether to stop, asked now and then while a table is filled. */
static bool stops(const struct run *run, size_t entry)
{
    enum { ENTRIES = 1 << 16 };
    return entry % ENTRIES == 0 && run && run_is_cancelled(run);
}

static void mark(struct pool_axis *axis, size_t pixel)
{
    axis->marks[pixel / MARKS_IN_WORD] |= (uint64_t)1 << pixel % MARKS_IN_WORD;
}

/* The pixels of each bin, for now, and a mark at both ends. */
static void fill_bins(const struct plan *plan, bool is_row, size_t extent, const struct run *run,
                      struct pool_axis *axis)
{
    memset(axis->marks, 0, (extent / MARKS_IN_WORD + 1) * sizeof *axis->marks);
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        for (size_t k = 0; k < bins_on_axis(&plan->g.branches[i], is_row) && !stops(run, k); k++) {
            size_t from, to;
            bin_pixels(plan->spec, &plan->g.branches[i], is_row, extent, k, &from, &to);
            axis->bins[i][k] = (struct cell_range){(uint32_t)from, (uint32_t)to};
            mark(axis, from);
            mark(axis, to);
        }
}

static void fill_edges(size_t extent, struct pool_axis *axis)
{
    size_t count = 0;
    for (size_t word = 0; word <= extent / MARKS_IN_WORD; word++)
        for (uint64_t marks = axis->marks[word]; marks; marks &= marks - 1)
            axis->edges[count++] =
                (uint32_t)(word * MARKS_IN_WORD + (size_t)__builtin_ctzll(marks));
    assert(count > 1 && count <= axis->edges_max);
    axis->cell_count = count - 1;
}

/* From pixels to cells: both ends of bins ascend, as edges do. */
static void count_cells(const struct plan *plan, bool is_row, const struct run *run,
                        struct pool_axis *axis)
{
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        uint32_t from = 0, to = 0;
        for (size_t k = 0; k < bins_on_axis(&plan->g.branches[i], is_row) && !stops(run, k); k++) {
            struct cell_range *bin = &axis->bins[i][k];
            while (axis->edges[from] < bin->from)
                from++;
            while (axis->edges[to] < bin->to)
                to++;
            *bin = (struct cell_range){from, to};
        }
    }
}

static void fill_axis(const struct plan *plan, bool is_row, size_t extent, const struct run *run,
                      struct pool_axis *axis)
{
    fill_bins(plan, is_row, extent, run, axis);
    if (run && run_is_cancelled(run))
        return;
    fill_edges(extent, axis);
    count_cells(plan, is_row, run, axis);
}

void plan_fill_axes(struct plan *plan, const struct run *run)
{
    fill_axis(plan, true, plan->g.input.h, run, &plan->rows);
    fill_axis(plan, false, plan->g.input.w, run, &plan->columns);
}

/* ---- interpolation ---- */

static void fill_sources(enum resize mode, size_t in, size_t out, const struct run *run,
                         double *ret)
{
    for (size_t i = 0; i < out && !stops(run, i); i++)
        ret[i] = geometry_source(mode, i, in, out);
}

static void fill_output(struct plan *plan, const struct run *run)
{
    const size_t in = plan->g.w, out = plan->g.output.w;
    assert(plan->output_low && plan->output_weight);
    for (size_t i = 0; i < out && !stops(run, i); i++) {
        const struct resize_tap tap = geometry_tap(plan->spec->output.resize, i, in, out);
        plan->output_low[i] = (uint32_t)tap.low;
        plan->output_weight[i] = (float)tap.weight;
    }
}

static size_t kernel_of(const struct plan *plan)
{
    return plan->spec->head.count > 0 ? plan->spec->head.layers[0].kernel : 1;
}

/* Pixels of a row that are neighbours in a tile, from its column on. */
struct span {
    size_t row, left, count, column;
};

/* What columns [from, from + count) take of a grid row: `near` of its column low, `far` of high.
 * Neighbours mostly take of the same two. */
struct takes {
    size_t from, count;
    uint32_t alike_until[SPAN_MAX + 2];
    uint32_t low[SPAN_MAX + 2], high[SPAN_MAX + 2];
    double near[SPAN_MAX + 2], far[SPAN_MAX + 2];
};

/* Of the columns that a kernel sees from a span. */
static void look_up(const struct plan *plan, size_t branch, const struct span *span, size_t border,
                    struct takes *ret)
{
    const size_t end = span->left + span->count + border;
    ret->from = span->left > border ? span->left - border : 0;
    ret->count = (end < plan->g.w ? end : plan->g.w) - ret->from;
    for (size_t i = 0; i < ret->count; i++) {
        const struct resize_tap tap = plan_column_tap(plan, branch, ret->from + i);
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

/* Adds to u [tap along the row][point][gemm_columns] what the pixels of a span take of one row of a
 * branch's upsampled map, by the taps of the kernel that see it. */
static void add_row(const struct plan *plan, size_t branch, const struct span *span,
                    const struct takes *takes, size_t row, float *u)
{
    const size_t kernel = kernel_of(plan), border = kernel / 2, stride = plan->simd->gemm_columns;
    const struct resize_tap down = plan_row_tap(plan, branch, row);
    const size_t row_floats = plan->g.branches[branch].pooled_w * stride;
    float weights[4][SPAN_MAX + 2] = {{0}};
    for (size_t i = 0; i < takes->count; i++) {
        weights[0][i] = (float)((1 - down.weight) * takes->near[i]);
        weights[1][i] = (float)((1 - down.weight) * takes->far[i]);
        weights[2][i] = (float)(down.weight * takes->near[i]);
        weights[3][i] = (float)(down.weight * takes->far[i]);
    }
    for (size_t tap = 0; tap < kernel; tap++, u += plan_points(&plan->g, branch) * stride) {
        /* the column that pixel j of the span sees is left + j + tap - border */
        const size_t sees = span->left + tap;
        const size_t first = takes->from + border > sees ? takes->from + border - sees : 0;
        const size_t end = takes->from + border + takes->count - sees;
        for (size_t j = first, count; j < span->count && j < end; j += count) {
            const size_t i = sees + j - border - takes->from;
            const size_t left = (span->count < end ? span->count : end) - j;
            count = takes->alike_until[i] - i < left ? takes->alike_until[i] - i : left;
            float *above = u + down.low * row_floats + span->column + j;
            float *below = u + down.high * row_floats + span->column + j;
            add(above + takes->low[i] * stride, weights[0] + i, count);
            add(above + takes->high[i] * stride, weights[1] + i, count);
            add(below + takes->low[i] * stride, weights[2] + i, count);
            add(below + takes->high[i] * stride, weights[3] + i, count);
        }
    }
}

/* The same of all rows that the kernel sees from a span: u [tap][point][gemm_columns]. */
static void add_span(const struct plan *plan, size_t branch, const struct span *span, float *u)
{
    const size_t kernel = kernel_of(plan), border = kernel / 2;
    const size_t row_floats = kernel * plan_points(&plan->g, branch) * plan->simd->gemm_columns;
    struct takes takes;
    look_up(plan, branch, span, border, &takes);
    for (size_t down = 0; down < kernel; down++)
        if (span->row + down >= border && span->row + down < plan->g.h + border)
            add_row(plan, branch, span, &takes, span->row + down - border, u + down * row_floats);
}

void plan_columns(const struct plan *plan, size_t tile, float *ret)
{
    const size_t taps = kernel_of(plan) * kernel_of(plan), stride = plan->simd->gemm_columns;
    const struct plan_pixels pixels = plan_tile(plan, tile);
    const size_t first_row = pixels.first / plan->g.w;
    memset(ret, 0, plan->folded_steps * stride * sizeof *ret);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        struct span span = {.row = first_row, .left = pixels.first - first_row * plan->g.w};
        for (; span.column < pixels.columns; span.column += span.count, span.row++, span.left = 0) {
            const size_t ahead = pixels.columns - span.column, in_row = plan->g.w - span.left;
            span.count = in_row < ahead ? in_row : ahead;
            add_span(plan, i, &span, ret);
        }
        ret += taps * plan_points(&plan->g, i) * stride;
    }
}

bool plan_shares_columns(const struct plan *plan)
{
    enum { SHARED_BYTES = 128 << 10 };
    const size_t tile_bytes = plan->folded_steps * plan->simd->gemm_columns * sizeof(float);
    return tile_bytes > 0 && !plan->is_row_wise && !plan->is_winograd &&
           plan->tile_count <= SHARED_BYTES / tile_bytes;
}

/* Row-wise: u [width of the grid][gemm_columns], the weights along any row. */
static void plan_row_columns(const struct plan *plan, size_t branch, size_t tile, float *u)
{
    const size_t stride = plan->simd->gemm_columns;
    const struct plan_pixels pixels = plan_tile(plan, tile);
    for (size_t j = 0; j < pixels.columns; j++) {
        const struct resize_tap right = plan_column_tap(plan, branch, pixels.first + j);
        u[right.low * stride + j] += (float)(1 - right.weight);
        u[right.high * stride + j] += (float)right.weight;
    }
}

/* The same for all tiles of a row and all folded branches. */
static void fill_along_columns(struct plan *plan, const struct run *run)
{
    const size_t tile_floats = plan->folded_steps * plan->simd->gemm_columns;
    float *u = plan->along_columns;
    for (size_t tile = 0; tile < plan->row_tiles && !stops(run, tile * tile_floats); tile++) {
        memset(u, 0, tile_floats * sizeof *u);
        for (size_t i = 0; i < plan->spec->branch_count; i++) {
            if (!plan->is_folded[i])
                continue;
            plan_row_columns(plan, i, tile, u);
            u += plan->g.branches[i].pooled_w * plan->simd->gemm_columns;
        }
    }
}

/* Steps of the bottleneck for each pixel, row-wise or not, and which branches are folded. */
static size_t count_steps(const struct spec *spec, const struct geometry *g, bool is_row_wise,
                          bool ret_is_folded[BRANCHES_MAX])
{
    size_t steps = spec->concat == CONCAT_BRANCHES ? 0 : spec->channels;
    for (size_t i = 0; i < spec->branch_count; i++) {
        const size_t channels = spec->branches[i].stack.out_channels;
        const size_t width = g->branches[i].pooled_w;
        ret_is_folded[i] = is_row_wise ? width < channels : plan_folds(spec, g, i);
        steps += !ret_is_folded[i] ? channels : is_row_wise ? width : plan_points(g, i);
    }
    return steps;
}

/* Row-wise fewer steps are left of the branches, but rows may not fill their tiles, and each row
 * blends each branch. The time of that, and of storing a tile, is given in steps. */
static void choose_tiles(struct plan *plan)
{
    enum { STORE_STEPS = 16, BLEND_STEPS = 1 };
    const struct spec *spec = plan->spec;
    const size_t width = plan->simd->gemm_columns;
    const size_t in_row = (plan->g.w + width - 1) / width;
    bool is_folded[BRANCHES_MAX];
    plan->tile_count = (plan->pixels + width - 1) / width;
    if (spec->head.count == 0 || spec->head.layers[0].kind != LAYER_CONV)
        return;
    plan->is_winograd = winograd_pays(spec, &spec->head.layers[0], plan->g.h, plan->g.w);
    const size_t steps = count_steps(spec, &plan->g, false, plan->is_folded);
    const size_t row_steps = count_steps(spec, &plan->g, true, is_folded);
    const size_t of_row = in_row * (row_steps + STORE_STEPS) + BLEND_STEPS * spec->branch_count;
    plan->is_row_wise = spec->head.layers[0].kernel == 1 &&
                        plan->g.h * of_row < plan->tile_count * (steps + STORE_STEPS);
    if (!plan->is_row_wise)
        return;
    plan->row_tiles = in_row;
    plan->tile_count = plan->g.h * in_row;
    memcpy(plan->is_folded, is_folded, sizeof is_folded);
}

static void count_folded(struct plan *plan)
{
    const size_t taps = kernel_of(plan) * kernel_of(plan);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        const size_t points = plan_points(&plan->g, i) * taps;
        plan->grid_steps += points;
        plan->folded_steps += plan->is_row_wise ? plan->g.branches[i].pooled_w : points;
    }
}

/* ---- the whole ---- */

void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry)
{
    *ret_plan = (struct plan){.model_id = model->id,
                              .spec = &model->spec,
                              .simd = model->simd,
                              .g = *geometry,
                              .pixels = geometry->h * geometry->w};
    ret_plan->g.input.n = ret_plan->g.output.n = 1;
    ret_plan->map_us = costs_map_us(&model->spec, &ret_plan->g);
    ret_plan->rows.edges_max = count_edges(ret_plan, true, geometry->input.h);
    ret_plan->columns.edges_max = count_edges(ret_plan, false, geometry->input.w);
    choose_tiles(ret_plan);
    count_folded(ret_plan);
}

static void place_tables(struct plan *plan, struct room *room)
{
    plan_place_axes(plan, room);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        plan->rows_from[i] = room_take(room, branch->target_h, sizeof *plan->rows_from[i]);
        plan->columns_from[i] = room_take(room, branch->target_w, sizeof *plan->columns_from[i]);
    }
    if (plan->g.needs_resize) {
        plan->output_low = room_take(room, plan->g.output.w, sizeof *plan->output_low);
        plan->output_weight = room_take(room, plan->g.output.w, sizeof *plan->output_weight);
    }
    if (plan->is_row_wise)
        plan->along_columns = room_take(room, size_times(plan->row_tiles, plan->folded_steps),
                                        plan->simd->gemm_columns * sizeof *plan->along_columns);
}

static void fill_tables(struct plan *plan, const struct run *run)
{
    plan_fill_axes(plan, run);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        fill_sources(plan->spec->upsample, branch->pooled_h, branch->target_h, run,
                     plan->rows_from[i]);
        fill_sources(plan->spec->upsample, branch->pooled_w, branch->target_w, run,
                     plan->columns_from[i]);
    }
    if (plan->g.needs_resize)
        fill_output(plan, run);
    if (plan->is_row_wise && !run_is_cancelled(run))
        fill_along_columns(plan, run);
}

size_t plan_bytes(const struct plan *plan)
{
    struct plan placed = *plan;
    struct room room = {0};
    room_take(&room, 1, sizeof(struct ppm_plan));
    place_tables(&placed, &room);
    return room.bytes;
}

struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error)
{
    struct plan plan;
    plan_begin(&plan, model, geometry);
    struct room room = {.base = core_allocate(plan_bytes(&plan), error)};
    if (!room.base)
        return NULL;
    struct ppm_plan *ret = room_take(&room, 1, sizeof *ret);
    *ret = (struct ppm_plan){.plan = plan};
    place_tables(&ret->plan, &room);
    fill_tables(&ret->plan, run);
    if (!run_is_cancelled(run))
        return ret;
    ppm_plan_free(ret);
    ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
    return NULL;
}

bool ppm_plan_fits(const struct ppm_plan *plan, const struct ppm_model *model,
                   struct ppm_shape shape)
{
    return plan->plan.model_id == model->id && plan->plan.g.input.h == shape.h &&
           plan->plan.g.input.w == shape.w;
}

void ppm_plan_free(struct ppm_plan *plan)
{
    free(plan);
}

/* plan.c - see plan.h. */
#include "core/plan.h"

#include <stdlib.h>
#include <string.h>

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

/* Which cell begins at that pixel: edges ascend and one of them is it. */
static size_t cell_at(const struct pool_axis *axis, size_t pixel)
{
    size_t low = 0, high = axis->cell_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (axis->edges[middle] < pixel)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void collect_edges(const struct plan *plan, bool is_row, size_t extent, bool *is_edge)
{
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        for (size_t k = 0; k < bins_on_axis(&plan->g.branches[i], is_row); k++) {
            size_t from, to;
            bin_pixels(plan->spec, &plan->g.branches[i], is_row, extent, k, &from, &to);
            is_edge[from] = is_edge[to] = true;
        }
}

static void plan_axis(const struct plan *plan, bool is_row, size_t extent, struct pool_axis *axis,
                      struct ppm_error *error)
{
    bool *is_edge = calloc(extent + 1, sizeof *is_edge);
    size_t count = 0;
    axis->edges = core_allocate((extent + 1) * sizeof *axis->edges, error);
    if (!is_edge || !axis->edges) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        free(is_edge);
        return;
    }
    collect_edges(plan, is_row, extent, is_edge);
    for (size_t pixel = 0; pixel <= extent; pixel++)
        if (is_edge[pixel])
            axis->edges[count++] = pixel;
    axis->cell_count = count - 1;
    free(is_edge);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const size_t bins = bins_on_axis(&plan->g.branches[i], is_row);
        if (!(axis->bins[i] = core_allocate(bins * sizeof *axis->bins[i], error)))
            return;
        for (size_t k = 0; k < bins; k++) {
            size_t from, to;
            bin_pixels(plan->spec, &plan->g.branches[i], is_row, extent, k, &from, &to);
            axis->bins[i][k] = (struct cell_range){cell_at(axis, from), cell_at(axis, to)};
        }
    }
}

/* ---- interpolation ---- */

static struct resize_tap *plan_taps(enum resize mode, size_t in, size_t out,
                                    struct ppm_error *error)
{
    struct resize_tap *taps = core_allocate(out * sizeof *taps, error);
    for (size_t i = 0; taps && i < out; i++)
        taps[i] = geometry_tap(mode, i, in, out);
    return taps;
}

static void plan_output(struct plan *plan, struct ppm_error *error)
{
    const size_t in = plan->g.w, out = plan->g.output.w;
    plan->output_low = core_allocate(out * sizeof *plan->output_low, error);
    plan->output_weight = core_allocate(out * sizeof *plan->output_weight, error);
    if (!plan->output_low || !plan->output_weight)
        return;
    for (size_t i = 0; i < out; i++) {
        const struct resize_tap tap = geometry_tap(plan->spec->output.resize, i, in, out);
        plan->output_low[i] = (uint32_t)tap.low;
        plan->output_weight[i] = (float)tap.weight;
    }
}

/* Adds to u [points][columns], column j, the weights with which pixel (row, column) of the
 * upsampled map takes from the branch's grid. */
static void add_weights(const struct plan *plan, size_t branch, size_t row, size_t column, float *u,
                        size_t stride)
{
    const struct resize_tap *down = &plan->row_taps[branch][row];
    const struct resize_tap *right = &plan->column_taps[branch][column];
    const size_t w = plan->g.branches[branch].pooled_w;
    u[(down->low * w + right->low) * stride] += (float)((1 - down->weight) * (1 - right->weight));
    u[(down->low * w + right->high) * stride] += (float)((1 - down->weight) * right->weight);
    u[(down->high * w + right->low) * stride] += (float)(down->weight * (1 - right->weight));
    u[(down->high * w + right->high) * stride] += (float)(down->weight * right->weight);
}

/* The columns of U for a branch and a tap, one tile: u [points][gemm_columns], zero before. */
static void plan_grid_columns(const struct plan *plan, size_t branch, size_t kernel, size_t tap,
                              size_t tile, float *u)
{
    const size_t down = kernel == 1 ? 1 : tap / 3, right = kernel == 1 ? 1 : tap % 3;
    const struct plan_pixels pixels = plan_tile(plan, tile);
    for (size_t j = 0; j < pixels.columns; j++) {
        const size_t row = (pixels.first + j) / plan->g.w + down;
        const size_t column = (pixels.first + j) % plan->g.w + right;
        if (row >= 1 && row <= plan->g.h && column >= 1 && column <= plan->g.w)
            add_weights(plan, branch, row - 1, column - 1, u + j, plan->simd->gemm_columns);
    }
}

/* Row-wise: u [width of the grid][gemm_columns], the weights along any row. */
static void plan_row_columns(const struct plan *plan, size_t branch, size_t tile, float *u)
{
    const size_t stride = plan->simd->gemm_columns;
    const struct plan_pixels pixels = plan_tile(plan, tile);
    for (size_t j = 0; j < pixels.columns; j++) {
        const struct resize_tap *right = &plan->column_taps[branch][pixels.first + j];
        u[right->low * stride + j] += (float)(1 - right->weight);
        u[right->high * stride + j] += (float)right->weight;
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

static void plan_folding(struct plan *plan, struct ppm_error *error)
{
    const struct spec *spec = plan->spec;
    const size_t columns = plan->simd->gemm_columns;
    const size_t kernel = spec->head.count ? spec->head.layers[0].kernel : 1;
    const size_t tiles = plan->is_row_wise ? plan->row_tiles : plan->tile_count;
    for (size_t i = 0; i < spec->branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        const size_t points = plan_points(&plan->g, i) * kernel * kernel;
        plan->grid_steps += points;
        plan->folded_steps += plan->is_row_wise ? plan->g.branches[i].pooled_w : points;
    }
    const size_t bytes = tiles * plan->folded_steps * columns * sizeof(float);
    if (bytes == 0)
        return;
    if (plan->is_winograd) {
        plan->winograd_inputs = winograd_plan_inputs(plan, error);
        return;
    }
    float *u = plan->interpolation = core_allocate(bytes, error);
    if (!u)
        return;
    memset(u, 0, bytes);
    for (size_t tile = 0; tile < tiles; tile++)
        for (size_t i = 0; i < spec->branch_count; i++) {
            if (plan->is_folded[i] && plan->is_row_wise) {
                plan_row_columns(plan, i, tile, u);
                u += plan->g.branches[i].pooled_w * columns;
            }
            for (size_t tap = 0; plan->is_folded[i] && !plan->is_row_wise && tap < kernel * kernel;
                 tap++) {
                plan_grid_columns(plan, i, kernel, tap, tile, u);
                u += plan_points(&plan->g, i) * columns;
            }
        }
}

/* At 100 GFLOP/s and 10 GB/s: the order of magnitude is all that matters. */
static double estimate_us(const struct ppm_model *model, const struct geometry *g)
{
    const struct ppm_shape map = {1, g->input.c, g->input.h, g->input.w};
    struct ppm_costs costs = {0};
    struct ppm_error ignored = {0};
    ppm_model_costs(model, map, &costs, &ignored);
    return (double)costs.flops_folded / 1e5 +
           (double)(costs.input_bytes + costs.output_bytes) / 1e4;
}

struct plan *plan_create_pooling(const struct ppm_model *model, const struct geometry *geometry,
                                 struct ppm_error *error)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    plan->model_id = model->id;
    plan->spec = &model->spec;
    plan->simd = model->simd;
    plan->g = *geometry;
    plan->g.input.n = plan->g.output.n = 1;
    plan_axis(plan, true, geometry->input.h, &plan->rows, error);
    if (error->status == PPM_OK)
        plan_axis(plan, false, geometry->input.w, &plan->columns, error);
    if (error->status == PPM_OK)
        return plan;
    plan_free(plan);
    return NULL;
}

struct plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                         struct ppm_error *error)
{
    struct plan *plan = plan_create_pooling(model, geometry, error);
    if (!plan)
        return NULL;
    plan->map_us = estimate_us(model, geometry);
    plan->pixels = geometry->h * geometry->w;
    choose_tiles(plan);
    for (size_t i = 0; i < plan->spec->branch_count && error->status == PPM_OK; i++) {
        const struct branch_geometry *branch = &geometry->branches[i];
        plan->row_taps[i] =
            plan_taps(plan->spec->upsample, branch->pooled_h, branch->target_h, error);
        plan->column_taps[i] =
            plan_taps(plan->spec->upsample, branch->pooled_w, branch->target_w, error);
    }
    if (error->status == PPM_OK && geometry->needs_resize)
        plan_output(plan, error);
    if (error->status == PPM_OK)
        plan_folding(plan, error);
    if (error->status == PPM_OK)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < BRANCHES_MAX; i++) {
        free(plan->rows.bins[i]);
        free(plan->columns.bins[i]);
        free(plan->row_taps[i]);
        free(plan->column_taps[i]);
    }
    free(plan->rows.edges);
    free(plan->columns.edges);
    free(plan->output_low);
    free(plan->output_weight);
    free(plan->interpolation);
    free(plan->winograd_inputs);
    free(plan);
}

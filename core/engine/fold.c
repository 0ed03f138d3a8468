/* fold.c - see fold.h. */
#include "core/engine/fold.h"
#include "core/base/threads.h"
#include "core/model/panels.h"
#include "core/plan/plan_columns.h"

#include <math.h>
#include <string.h>

/* A channel of a branch's result, of all maps. */
static void check_channel(const struct section_state *state, size_t branch, size_t channel)
{
    size_t done = 0;
    const size_t points = geometry_points(&state->pyramid->g, branch), columns = state->n * points;
    const size_t width = state->simd->gemm_columns, channels = state->results[branch].channels;
    for (size_t first = 0; first < columns && run_goes_on(state->run, &done, width);
         first += width) {
        const float *x = state->results[branch].data + first * channels + channel * width;
        bool are_finite = true;
        for (size_t i = 0; i < width && first + i < columns; i++)
            are_finite &= isfinite(x[i]) != 0;
        for (size_t i = 0; !are_finite && i < width && first + i < columns; i++)
            if (!isfinite(x[i]))
                state_found_not_finite(state, (first + i) / points);
    }
}

void stage_check_finite(const struct section_state *state)
{
    if (!section_folds(state->plan))
        return;
    for (size_t i = 0; i < state->pyramid->pyramid->branch_count; i++) {
        const size_t channels = state->pyramid->is_folded[i] ? state->results[i].channels : 0;
#pragma omp for nowait
        for (size_t c = 0; c < channels; c++)
            check_channel(state, i, c);
    }
#pragma omp barrier
}

/* Scatters a tile of columns of W_i b_i into folded[n][panel][grid_steps][rows]. The branch's steps
 * for this tap begin at first. */
static void scatter(const struct section_state *state, size_t branch, size_t panel, size_t rows,
                    size_t first, size_t column, size_t columns, const float *tile)
{
    const size_t points = geometry_points(&state->pyramid->g, branch),
                 steps = state->pyramid->grid_steps;
    const size_t width = state->simd->gemm_columns;
    const size_t out_channels = state->conv->out_channels;
    const size_t panel_at = panel * state->simd->gemm_rows * steps;
    for (size_t j = 0; j < columns; j++) {
        const size_t n = (column + j) / points, point = (column + j) % points;
        float *ret = state->folded + n * out_channels * steps + panel_at + (first + point) * rows;
        for (size_t r = 0; r < rows; r++)
            ret[r] = tile[r * width + j];
    }
}

/* W_i b_i for one panel of the conv, one tap, all columns. */
static void fold_tap(const struct section_state *state, size_t *done, size_t panel, size_t part,
                     size_t tap, size_t first)
{
    const struct layer *conv = state->conv;
    const size_t branch = conv->parts[part].branch, width = state->simd->gemm_columns;
    const size_t channels = state->results[branch].channels;
    const size_t columns = state->n * geometry_points(&state->pyramid->g, branch);
    float product[SIMD_GEMM_ROWS_MAX * SIMD_GEMM_COLUMNS_MAX];
    struct simd_gemm_run run = {.a = conv_panel_at(conv, panel, part, tap, 0),
                                .k = channels,
                                .words = conv_float32_words(conv)};
    struct simd_gemm_tile tile = {.runs = &run,
                                  .run_count = 1,
                                  .c = product,
                                  .c_stride = width,
                                  .rows = conv_panel_rows(conv, panel)};
    run.next_a = run.a + conv_words(conv, channels) * tile.rows;
    for (size_t column = 0; column < columns && run_goes_on(state->run, done, channels * width);
         column += width) {
        tile.columns = size_min(columns - column, width);
        run.b = state->results[branch].data + column * channels;
        conv_multiply(conv, &tile);
        scatter(state, branch, panel, tile.rows, first, column, tile.columns, product);
    }
}

/* All taps, if the branch is planned to be folded; moves *first past its steps. */
static void fold_part(const struct section_state *state, size_t *done, size_t panel, size_t part,
                      size_t *first)
{
    const size_t branch = state->plan->section->parts[part].branch;
    if (!state->pyramid->is_folded[branch])
        return;
    for (size_t tap = 0; tap < conv_taps(state->conv); tap++) {
        fold_tap(state, done, panel, part, tap, *first);
        *first += geometry_points(&state->pyramid->g, branch);
    }
}

static void share_columns(const struct section_state *state)
{
    const size_t floats = state->pyramid->folded_steps * state->simd->gemm_columns;
#pragma omp for nowait
    for (size_t tile = 0; tile < state->plan->tiles.count; tile++)
        plan_columns(state->plan, tile, state->columns + tile * floats);
}

void stage_fold(const struct section_state *state)
{
    const struct section *section = state->plan->section;
    if (!section_folds(state->plan))
        return;
    const size_t panels = conv_panel_count(section_conv(section));
    size_t done = 0;
    if (state->columns)
        share_columns(state);
#pragma omp for schedule(dynamic)
    for (size_t panel = 0; panel < panels; panel++) {
        size_t first = 0;
        for (size_t part = 0; part < section->part_count; part++)
            if (section->parts[part].source == PART_BRANCH)
                fold_part(state, &done, panel, part, &first);
    }
}

const float *folded_panel(const struct section_state *state, size_t n, size_t panel)
{
    return state->folded + (n * state->conv->out_channels + panel * state->simd->gemm_rows) *
                               state->pyramid->grid_steps;
}

void blend_row(const struct section_state *state, size_t n, size_t panel, size_t row, float *ret)
{
    const struct pyramid_plan *plan = state->pyramid;
    const size_t rows = conv_panel_rows(state->conv, panel);
    const float *folded = folded_panel(state, n, panel);
    for (size_t i = 0; i < state->pyramid->pyramid->branch_count; i++) {
        const size_t w = plan->g.branches[i].pooled_w * rows;
        if (!plan->is_folded[i])
            continue;
        const struct resize_tap tap = plan_row_tap(plan, i, row);
        state->simd->lerp_rows(folded + tap.low * w, folded + tap.high * w, (float)tap.weight, ret,
                               w);
        folded += geometry_points(&plan->g, i) * rows;
        ret += w;
    }
}

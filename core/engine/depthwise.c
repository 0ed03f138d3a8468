/*
 * depthwise.c - a depthwise conv: a window of weights slides over each channel.
 *
 * A thread takes some rows of results of a channel. What they see is copied to scratch with its
 * padding, so that the kernel has no edges.
 */
#include "core/engine/depthwise.h"
#include "core/base/team.h"
#include "core/engine/gather.h"
#include "core/model/panels.h"

#include <string.h>

enum { PLANE_BYTES = 24 << 10 }; /* most of a first-level cache */

/* What some rows of results of a channel see. */
struct rows {
    size_t n, channel; /* of the results */
    size_t first, count;
};

static size_t padded_width(const struct pass *pass)
{
    return pass->window.before[AXIS_W] + pass->in.w + pass->window.after[AXIS_W];
}

/* Rows of the plane that `count` rows of results see. */
static size_t rows_seen(const struct window *window, size_t count)
{
    return (count - 1) * window->stride[AXIS_H] +
           (window->size[AXIS_H] - 1) * window->dilation[AXIS_H] + 1;
}

/* Rows of results at a time: of each thread its own, unless most of what they see is seen twice. */
static size_t rows_together(const struct section_state *state, const struct pass *pass)
{
    const size_t rows = PLANE_BYTES / sizeof(float) / padded_width(pass);
    const size_t reach = rows_seen(&pass->window, 1), h = pass->ret.h;
    const size_t fit = rows > reach ? (rows - reach) / pass->window.stride[AXIS_H] + 1 : 1;
    const size_t share = size_max(2 * reach, size_div_up(h, (size_t)state->of->threads));
    return size_min(fit, size_min(h, share));
}

size_t depthwise_plan(const struct section_state *state, struct pass *pass)
{
    const size_t rows = rows_together(state, pass);
    return rows_seen(&pass->window, rows) * padded_width(pass) + rows * pass->ret.w;
}

/* plane[rows_seen][padded_width] = what the rows see, with zeros outside the map. */
static void fill_plane(const struct block *block, const struct rows *rows, float *plane)
{
    const struct pass *pass = block->pass;
    const size_t above = pass->window.before[AXIS_H], left = pass->window.before[AXIS_W];
    const size_t width = padded_width(pass), seen = rows_seen(&pass->window, rows->count);
    const size_t first = rows->first * pass->window.stride[AXIS_H]; /* in the padded map */
    const struct piece piece = {.first = rows->channel / (pass->ret_channels / pass->channels),
                                .count = 1};
    for (size_t i = 0; i < seen; i++, plane += width) {
        const bool is_inside = first + i >= above && first + i < above + pass->in.h;
        if (!is_inside) {
            memset(plane, 0, width * sizeof *plane);
            continue;
        }
        const struct span span = {.row = first + i - above, .count = pass->in.w, .step = 1};
        memset(plane, 0, left * sizeof *plane);
        gather_span(block, &piece, &span, width, plane + left);
        memset(plane + left + pass->in.w, 0, pass->window.after[AXIS_W] * sizeof *plane);
    }
}

static struct simd_depthwise kernel_of(const struct pass *pass, size_t channel)
{
    const struct layer *conv = pass->layers[0];
    const struct window *window = &pass->window;
    const size_t width = padded_width(pass);
    struct simd_depthwise kernel = {.weights = conv->panels + channel * conv_taps(conv),
                                    .kernel_h = window->size[AXIS_H],
                                    .kernel_w = window->size[AXIS_W],
                                    .window_down = window->stride[AXIS_H] * width,
                                    .window_right = window->stride[AXIS_W],
                                    .tap_down = window->dilation[AXIS_H] * width,
                                    .tap_right = window->dilation[AXIS_W],
                                    .scale = conv->scale32[channel],
                                    .shift = conv->shift32[channel]};
    fused_clamp(pass->residual ? NULL : pass_clamp(pass), &kernel.low, &kernel.high);
    return kernel;
}

/* x[count][w] = clamp(x + residual); NaN stays. */
static void add_residual(const struct pass *pass, const struct rows *rows, float *x)
{
    const struct map *from = pass->residual;
    const size_t stride = map_pixel_stride(from), w = pass->ret.w;
    const float *added = map_at(from, rows->n, rows->channel) + rows->first * w * stride;
    float low, high;
    fused_clamp(pass_clamp(pass), &low, &high);
    if (stride == 1)
        pass->layers[0]->simd->add(added, x, low, high, x, rows->count * w);
    for (size_t i = 0; stride > 1 && i < rows->count * w; i++) {
        const float sum = x[i] + added[i * stride];
        const float raised = sum < low ? low : sum;
        x[i] = raised > high ? high : raised;
    }
}

static void run_rows(const struct section_state *state, const struct pass *pass,
                     const struct rows *rows, float *scratch)
{
    const struct block block = {.state = state, .pass = pass, .n = rows->n};
    const struct simd_depthwise kernel = kernel_of(pass, rows->channel);
    const size_t w = pass->ret.w, pixel = map_pixel_stride(&pass->ret);
    const size_t plane = rows_seen(&pass->window, rows_together(state, pass)) * padded_width(pass);
    float *map = map_at(&pass->ret, rows->n, rows->channel) + rows->first * w * pixel;
    float *ret = pixel == 1 ? map : scratch + plane;
    fill_plane(&block, rows, scratch);
    state->simd->depthwise(&kernel, scratch, rows->count, w, ret, w);
    if (pass->residual)
        add_residual(pass, rows, ret);
    for (size_t i = 0; pixel > 1 && i < rows->count * w; i++)
        map[i * pixel] = ret[i];
}

bool depthwise_run(const struct section_state *state, const struct pass *pass)
{
    const size_t together = rows_together(state, pass), h = pass->ret.h;
    const size_t values = together * pass->ret.w * conv_taps(pass->layers[0]);
    float *scratch = state->blocks + (size_t)omp_get_thread_num() * state->block_floats;
    size_t done = 0;
    const size_t channels = pass->ret_channels, bands = size_div_up(h, together);
    struct team_loop loop = team_begin(state->of->shares, state->n * bands * channels);
    for (size_t task; team_next(&loop, &task);) {
        const size_t first = task / channels % bands * together;
        const struct rows rows = {.n = task / channels / bands,
                                  .channel = task % channels,
                                  .first = first,
                                  .count = size_min(h - first, together)};
        if (run_goes_on(state->run, &done, values))
            run_rows(state, pass, &rows, scratch);
    }
    team_end(&loop);
    return true;
}

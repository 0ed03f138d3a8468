/* pass.c - see pass.h. */
#include "core/engine/pass.h"
#include "core/model/panels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- sizes ---- */

bool pass_is_pointwise(const struct pass *pass)
{
    const struct window *window = &pass->window;
    bool is = true;
    for (size_t axis = 0; axis < WINDOW_AXES; axis++)
        is = is && window->size[axis] == 1 && window->stride[axis] == 1 && !window->before[axis] &&
             !window->after[axis];
    return is;
}

size_t pass_steps(const struct pass *pass)
{
    const struct layer *conv = pass->layers[0];
    return pass->takes_pairs ? conv_panel_words(conv) : conv->in_channels * conv_taps(conv);
}

size_t pass_steps_of(const struct pass *pass, size_t channels)
{
    return pass->takes_pairs ? conv_words(pass->layers[0], channels) : channels;
}

size_t pass_widest(const struct pass *pass)
{
    size_t widest = pass->fused > 0 ? 0 : pass->channels;
    for (size_t i = 0; i < pass->count; i++)
        widest = size_max(widest, pass->layers[i]->out_channels);
    return widest;
}

/* ---- layers ---- */

bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high)
{
    *ret_low = -INFINITY;
    *ret_high = INFINITY;
    if (!next || next->kind != LAYER_ACTIVATION)
        return false;
    *ret_low = simd_activations[next->activation].low;
    *ret_high = simd_activations[next->activation].high;
    return isfinite(*ret_low) || isfinite(*ret_high);
}

bool fuses_clamp(const struct layer *layer, const struct layer *next)
{
    float low, high;
    return layer->kind == LAYER_CONV && fused_clamp(next, &low, &high);
}

static void apply_batch_norm(const struct layer *norm, float *panel)
{
    const size_t width = norm->simd->gemm_columns;
    for (size_t c = 0; c < norm->out_channels; c++, panel += width)
        for (size_t j = 0; j < width; j++)
            panel[j] = panel[j] * norm->scale32[c] + norm->shift32[c];
}

static void apply_prelu(const struct layer *prelu, float *panel)
{
    const size_t width = prelu->simd->gemm_columns;
    for (size_t c = 0; c < prelu->out_channels; c++, panel += width)
        prelu->simd->activate[SIMD_LEAKY_RELU](panel, panel, width, prelu->slopes[c]);
}

static void apply_softmax(const struct layer *softmax, float *panel)
{
    const size_t width = softmax->simd->gemm_columns;
    softmax->simd->softmax(panel, softmax->out_channels, width, width);
}

static void apply_activation(const struct layer *layer, float *panel)
{
    const struct simd_ops *ops = layer->simd;
    ops->activate[layer->activation](panel, panel, layer->out_channels * ops->gemm_columns,
                                     layer->slope);
}

/* A conv is not pointwise: algorithms compute it. */
static void apply_conv(const struct layer *conv, float *panel)
{
    (void)conv;
    (void)panel;
    assert(false);
}

void apply_pointwise(const struct layer *layer, float *panel)
{
    static void (*const apply[])(const struct layer *layer, float *panel) = {
#define ROW(constant, name) [LAYER_##constant] = apply_##name,
        STACK_LAYERS(ROW) ROW(ACTIVATION, activation)};
    apply[layer->kind](layer, panel);
}

void run_conv_1x1(const struct run *of, const struct layer *conv, const struct layer *next,
                  const float *x, size_t columns, size_t from, size_t to, float *ret)
{
    const struct simd_ops *ops = conv->simd;
    const size_t width = ops->gemm_columns;
    struct simd_gemm_run run = {.k = conv->in_channels, .words = conv_float32_words(conv)};
    struct simd_gemm_tile tile = {.runs = &run, .run_count = 1, .c_stride = width};
    size_t done = 0;
    fused_clamp(next, &tile.low, &tile.high);
    for (size_t panel = from; panel < to; panel++) {
        const size_t row = panel * ops->gemm_rows;
        tile.rows = conv_panel_rows(conv, panel);
        run.a = conv_panel_at(conv, panel, 0, 0, 0);
        run.next_a = run.a + conv_words(conv, run.k) * tile.rows;
        tile.scale = conv->scale32 + row;
        tile.shift = conv->shift32 + row;
        for (size_t first = 0; first < columns && run_goes_on(of, &done, run.k * width);
             first += width) {
            run.b = x + first * conv->in_channels;
            tile.c = ret + first * conv->out_channels + row * width;
            tile.columns = size_min(columns - first, width);
            conv_multiply(conv, &tile);
        }
    }
}

/* The residual, unless the conv adds it. */
static void add_residual(const struct pass *pass, size_t layers_done,
                         const struct pixels_of *pixels, size_t width, float *x)
{
    const struct map *from = pass->residual;
    if (!pass_adds_at(pass, layers_done))
        return;
    const size_t stride = map_pixel_stride(from);
    for (size_t c = 0; c < pass->ret_channels; c++, x += width) {
        const float *pixel = map_at(from, pixels->n, c) + pixels->first * stride;
        for (size_t j = 0; stride == 1 && j < pixels->count; j++)
            x[j] += pixel[j];
        for (size_t j = 0; stride > 1 && j < pixels->count; j++)
            x[j] += pixel[j * stride];
    }
}

float *run_layers(const struct run *run, const struct pass *pass, const struct pixels_of *pixels,
                  float *x, float *other)
{
    const size_t width = pass->tiles.width;
    add_residual(pass, pass->fused, pixels, width, x);
    for (size_t i = pass->fused, done; i < pass->count; i = done) {
        const struct layer *layer = pass->layers[i];
        done = i + 1;
        if (layer->kind != LAYER_CONV) {
            apply_pointwise(layer, x);
        } else {
            const struct layer *next = done < pass->count ? pass->layers[done] : NULL;
            const bool is_clamp = fuses_clamp(layer, next) && !pass_adds_at(pass, done);
            run_conv_1x1(run, layer, is_clamp ? next : NULL, x, width, 0, conv_panel_count(layer),
                         other);
            float *result = other;
            other = x;
            x = result;
            done += is_clamp ? 1 : 0;
        }
        add_residual(pass, done, pixels, width, x);
    }
    return x;
}

void store_columns(const struct simd_ops *simd, const struct pass *pass,
                   const struct pixels_of *pixels, const float *x)
{
    const struct map *to = &pass->ret;
    const size_t width = simd->gemm_columns, stride = map_channel_stride(to);
    float *ret = map_at(to, pixels->n, 0) + pixels->first * map_pixel_stride(to);
    if (to->layout == PPM_NHWC) {
        simd->transpose(x, width, pass->ret_channels, pixels->count, ret, to->channels);
        return;
    }
    for (size_t c = 0; c < pass->ret_channels; c++)
        memcpy(ret + c * stride, x + c * width, pixels->count * sizeof *ret);
}

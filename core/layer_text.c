/* layer_text.c - see layer_text.h. */
#include "core/layer_text.h"
#include "core/model/pyramid.h"

#include <stdarg.h>
#include <stdio.h>

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text->line + text->at, text->bytes - text->at, format, arguments);
    va_end(arguments);
    text->at +=
        (size_t)length < text->bytes - text->at ? (size_t)length : text->bytes - text->at - 1;
}

/* ", stride 2", or ", stride 2x1" along h and w; nothing for the usual one. */
static void add_pair(struct text *text, const char *name, const size_t pair[WINDOW_AXES],
                     size_t usual_h, size_t usual_w)
{
    if (pair[AXIS_H] == usual_h && pair[AXIS_W] == usual_w)
        return;
    if (pair[AXIS_H] == pair[AXIS_W])
        text_add(text, ", %s %zu", name, pair[AXIS_H]);
    else
        text_add(text, ", %s %zux%zu", name, pair[AXIS_H], pair[AXIS_W]);
}

static bool is_padded(const struct window *window, const size_t pads[WINDOW_AXES])
{
    return window->before[AXIS_H] == pads[AXIS_H] && window->after[AXIS_H] == pads[AXIS_H] &&
           window->before[AXIS_W] == pads[AXIS_W] && window->after[AXIS_W] == pads[AXIS_W];
}

/* usual: padding of both edges along each axis, which is not told. */
static void add_padding(struct text *text, const struct window *window,
                        const size_t usual[WINDOW_AXES])
{
    if (window->is_same)
        text_add(text, ", padding same");
    else if (is_padded(window, usual))
        return;
    else if (is_padded(window, window->before))
        add_pair(text, "padding", window->before, usual[AXIS_H], usual[AXIS_W]);
    else
        text_add(text, ", padding [%zu, %zu, %zu, %zu]", window->before[AXIS_H],
                 window->before[AXIS_W], window->after[AXIS_H], window->after[AXIS_W]);
}

static void add_folded(struct text *text, const struct layer *layer)
{
    if (layer->norms_folded > 0)
        text_add(text, ", batch_norm folded");
}

static void text_conv(const struct layer *conv, struct text *text)
{
    const struct window *window = &conv->window;
    size_t usual[WINDOW_AXES];
    for (size_t axis = 0; axis < WINDOW_AXES; axis++)
        usual[axis] = (window->size[axis] - 1) / 2 * window->dilation[axis];
    text_add(text, "conv %zux%zu %zu -> %zu", window->size[AXIS_H], window->size[AXIS_W],
             conv->in_channels, conv->out_channels);
    add_pair(text, "stride", window->stride, 1, 1);
    add_padding(text, window, usual);
    add_pair(text, "dilation", window->dilation, 1, 1);
    if (conv->groups > 1)
        text_add(text, ", groups %zu", conv->groups);
    if (!conv->has_bias)
        text_add(text, ", no bias");
    add_folded(text, conv);
}

static void text_norm(const struct layer *norm, struct text *text)
{
    text_add(text, "%s %zu", layer_name(norm), norm->out_channels);
    if (norm->kind == LAYER_GROUP_NORM)
        text_add(text, ", groups %zu", norm->groups);
    add_folded(text, norm);
}

static void text_pool(const struct layer *pool, struct text *text)
{
    static const size_t usual[WINDOW_AXES];
    const struct window *window = &pool->window;
    text_add(text, "%s %zux%zu", layer_name(pool), window->size[AXIS_H], window->size[AXIS_W]);
    add_pair(text, "stride", window->stride, window->size[AXIS_H], window->size[AXIS_W]);
    add_padding(text, window, usual);
    if (window->is_ceil)
        text_add(text, ", ceil");
    if (pool->kind == LAYER_AVG_POOL && !window->is_same && !pool->counts_padding)
        text_add(text, ", padding not counted");
}

static void text_adaptive_avg_pool(const struct layer *pool, struct text *text)
{
    text_add(text, "adaptive_avg_pool %zux%zu", pool->grid[AXIS_H], pool->grid[AXIS_W]);
}

static void text_resize(const struct layer *layer, struct text *text)
{
    static const char *const modes[] = {
#define MODE(constant, name) #name,
        RESIZES(MODE)
#undef MODE
    };
    text_add(text, "resize %s", modes[layer->mode]);
    if (layer->target == RESIZE_BY)
        text_add(text, ", scale %g", (double)layer->times);
    if (layer->target == RESIZE_TO)
        text_add(text, ", size %zux%zu", layer->extent[AXIS_H], layer->extent[AXIS_W]);
}

static void text_affine(const struct layer *affine, struct text *text)
{
    text_add(text, "affine");
    if (affine->factor != 1)
        text_add(text, ", scale %g", affine->factor);
    if (affine->offset != 0)
        text_add(text, ", shift %g", affine->offset);
}

static void text_slice(const struct layer *slice, struct text *text)
{
    text_add(text, "slice %zu..%zu of %zu", slice->first_channel,
             slice->first_channel + slice->out_channels - 1, slice->in_channels);
}

static void text_pyramid(const struct layer *layer, struct text *text)
{
    const struct pyramid *pyramid = layer->pyramid;
    const bool has_bins = pyramid->branches[0].bin > 0;
    text_add(text, "pyramid, %s", has_bins ? "bins" : "windows");
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const struct branch *branch = &pyramid->branches[i];
        if (has_bins)
            text_add(text, " %zu", branch->bin);
        else
            text_add(text, " %zux%zu", branch->window_h, branch->window_w);
    }
}

/* Of other kinds, the name says it all. */
static void (*const texts[LAYER_KIND_COUNT])(const struct layer *layer, struct text *text) = {
    [LAYER_CONV] = text_conv,
    [LAYER_BATCH_NORM] = text_norm,
    [LAYER_GROUP_NORM] = text_norm,
    [LAYER_LAYER_NORM] = text_norm,
    [LAYER_MAX_POOL] = text_pool,
    [LAYER_AVG_POOL] = text_pool,
    [LAYER_ADAPTIVE_AVG_POOL] = text_adaptive_avg_pool,
    [LAYER_RESIZE] = text_resize,
    [LAYER_AFFINE] = text_affine,
    [LAYER_SLICE] = text_slice,
    [LAYER_PYRAMID] = text_pyramid,
};

void layer_text(const struct layer *layer, struct text *text)
{
    if (texts[layer->kind])
        texts[layer->kind](layer, text);
    else
        text_add(text, "%s", layer_name(layer));
}

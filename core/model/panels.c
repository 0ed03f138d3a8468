/* panels.c - see panels.h. */
#include "core/model/panels.h"
#include "core/base/cancel.h"
#include "core/base/memory.h"

#include <stdlib.h>
#include <string.h>

size_t conv_words(const struct layer *layer, size_t channels)
{
    return layer->bfloat16 ? size_div_up(channels, 2) : channels;
}

/* The first word of a part and a tap in a panel's column. */
static size_t word_of(const struct layer *layer, size_t part, size_t tap)
{
    const size_t taps = conv_taps(layer);
    size_t words = tap * conv_words(layer, layer->parts[part].channels);
    if (!layer->bfloat16)
        return words + layer->parts[part].first * taps;
    for (size_t i = 0; i < part; i++)
        words += conv_words(layer, layer->parts[i].channels) * taps;
    return words;
}

size_t conv_panel_words(const struct layer *layer)
{
    return layer->bfloat16 ? word_of(layer, layer->part_count - 1, conv_taps(layer))
                           : layer->in_channels / layer->groups * conv_taps(layer);
}

size_t conv_bytes(const struct layer *layer)
{
    return layer->out_channels * conv_panel_words(layer) * sizeof(float);
}

size_t conv_panel_count(const struct layer *layer)
{
    return size_div_up(layer->out_channels, layer->simd->gemm_rows);
}

size_t conv_panel_rows(const struct layer *layer, size_t index)
{
    const size_t rows = layer->simd->gemm_rows;
    return size_min(rows, layer->out_channels - index * rows);
}

static float *panel_of(const struct layer *layer, size_t index)
{
    return layer->panels + index * layer->simd->gemm_rows * conv_panel_words(layer);
}

const float *conv_panel_at(const struct layer *layer, size_t index, size_t part, size_t tap,
                           size_t first)
{
    return panel_of(layer, index) +
           (word_of(layer, part, tap) + conv_words(layer, first)) * conv_panel_rows(layer, index);
}

float conv_weight(const struct layer *layer, const float *words, size_t rows, size_t i)
{
    uint32_t bits;
    float weight;
    if (!layer->bfloat16)
        return words[i * rows];
    memcpy(&bits, &words[i / 2 * rows], sizeof bits);
    bits = i % 2 ? bits & 0xffff0000u : bits << 16;
    memcpy(&weight, &bits, sizeof weight);
    return weight;
}

void conv_multiply(const struct layer *layer, const struct simd_gemm_tile *tile)
{
    if (layer->bfloat16)
        layer->bfloat16->gemm_tile(tile);
    else
        layer->simd->gemm_tile(tile);
}

enum simd_words conv_float32_words(const struct layer *layer)
{
    return layer->bfloat16 ? SIMD_BFLOAT16_WEIGHTS : SIMD_FLOAT32;
}

struct layer conv_group(const struct layer *layer, size_t index)
{
    struct layer group = *layer;
    group.groups = 1;
    group.in_channels = layer->in_channels / layer->groups;
    group.out_channels = layer->out_channels / layer->groups;
    const size_t first = index * group.out_channels;
    group.panels += first * conv_panel_words(layer);
    if (layer->scale) {
        group.scale += first;
        group.shift += first;
    }
    if (layer->scale32) {
        group.scale32 += first;
        group.shift32 += first;
    }
    return group;
}

const float *conv_row(const struct layer *layer, size_t channel, size_t part, size_t tap,
                      size_t *ret_rows)
{
    const size_t taps = conv_taps(layer), outs = layer->out_channels / layer->groups;
    *ret_rows = 1;
    if (conv_is_depthwise(layer))
        return layer->panels + channel * taps + tap;
    const struct layer group = conv_group(layer, channel / outs);
    const size_t panel = channel % outs / layer->simd->gemm_rows;
    *ret_rows = conv_panel_rows(&group, panel);
    return conv_panel_at(&group, panel, part, tap, 0) + channel % outs % layer->simd->gemm_rows;
}

static void pack_panel(struct layer *layer, size_t index, const float *weights)
{
    const size_t rows = conv_panel_rows(layer, index), taps = conv_taps(layer);
    const size_t steps = conv_panel_words(layer);
    const float *from = weights + index * layer->simd->gemm_rows * steps;
    float *to = panel_of(layer, index);
    for (size_t part = 0; part < layer->part_count; part++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < layer->parts[part].channels; i++)
                for (size_t r = 0; r < rows; r++)
                    *to++ = from[r * steps + (layer->parts[part].first + i) * taps + tap];
}

enum ppm_status conv_pack(struct layer *layer, const float *weights,
                          const struct ppm_progress *progress, struct ppm_error *error)
{
    if (!(layer->panels = core_allocate(conv_bytes(layer), error)))
        return error->status;
    if (conv_is_depthwise(layer)) {
        memcpy(layer->panels, weights, conv_bytes(layer));
        return PPM_OK;
    }
    for (size_t g = 0; g < layer->groups; g++) {
        struct layer group = conv_group(layer, g);
        for (size_t index = 0; index < conv_panel_count(&group); index++) {
            if (load_check(progress, error) != PPM_OK)
                return error->status;
            pack_panel(&group, index, weights);
        }
        weights += group.out_channels * conv_panel_words(&group);
    }
    return PPM_OK;
}

static void narrow_panel(const struct layer *wide, size_t index, const struct layer *narrow)
{
    const size_t rows = conv_panel_rows(wide, index), taps = conv_taps(wide);
    const float *from = panel_of(wide, index);
    float *to = panel_of(narrow, index);
    for (size_t part = 0; part < wide->part_count; part++)
        for (size_t tap = 0; tap < taps; tap++) {
            const size_t channels = wide->parts[part].channels;
            narrow->bfloat16->pack_pairs(from, channels, rows, to);
            from += channels * rows;
            to += conv_words(narrow, channels) * rows;
        }
}

enum ppm_status conv_narrow(struct layer *layer, const struct ppm_progress *progress,
                            struct ppm_error *error)
{
    struct layer narrow = *layer;
    narrow.bfloat16 = simd_select_bfloat16(layer->simd);
    narrow.panels = core_allocate(conv_bytes(&narrow), error);
    if (!narrow.panels)
        return error->status;
    for (size_t g = 0; g < layer->groups; g++) {
        const struct layer wide_group = conv_group(layer, g), group = conv_group(&narrow, g);
        for (size_t index = 0; index < conv_panel_count(&group); index++) {
            if (load_check(progress, error) != PPM_OK) {
                free(narrow.panels);
                return error->status;
            }
            narrow_panel(&wide_group, index, &group);
        }
    }
    free(layer->panels);
    *layer = narrow;
    return PPM_OK;
}

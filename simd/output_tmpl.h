/* output_tmpl.h - stretched rows, and argmax over channels. */
#ifndef PPM_SIMD_OUTPUT_TMPL_H
#define PPM_SIMD_OUTPUT_TMPL_H

#include "simd/lanes.h"

/* Where LANES results read, counted from the first one's column. */
struct stretch {
    size_t width; /* of the rows, from there on */
    size_t lanes; /* how many of the results are wanted */
    const float *weight;
    uint32_t low[LANES], high[LANES];
};

ALWAYS_INLINE struct stretch stretch_at(const bool interpolates, const struct simd_taps *taps,
                                        size_t first)
{
    const size_t left = taps->count - first, from = taps->low[first];
    struct stretch s = {.width = taps->width - from,
                        .lanes = left < LANES ? left : LANES,
                        .weight = interpolates ? taps->weight + first : NULL};
    for (size_t i = 0; i < LANES; i++) {
        const uint32_t low = taps->low[first + (i < s.lanes ? i : s.lanes - 1)];
        s.low[i] = low - (uint32_t)from;
        s.high[i] = s.low[i] + (interpolates && s.low[i] + 1 < s.width ? 1 : 0);
    }
    return s;
}

/* All results read one vector of columns; always so when rows get longer. */
ALWAYS_INLINE void stretch_window(const bool interpolates, const struct stretch *s, const float *x,
                                  size_t stride, size_t rows, float *ret, size_t ret_stride)
{
    const vec_places low = vec_load_places(s->low), high = vec_load_places(s->high);
    const vec right = interpolates ? load_lanes(s->weight, s->lanes) : vec_set(0);
    const vec left = vec_sub(vec_set(1), right);
    const size_t columns = s->width < LANES ? s->width : LANES;
    for (size_t row = 0; row < rows; row++, x += stride, ret += ret_stride) {
        const vec window = load_lanes(x, columns);
        vec value = vec_pick(window, low);
        if (interpolates)
            value = vec_fma(right, vec_pick(window, high), vec_mul(left, value));
        store_lanes(ret, value, s->lanes);
    }
}

ALWAYS_INLINE void stretch_apart(const bool interpolates, const struct stretch *s, const float *x,
                                 size_t stride, size_t rows, float *ret, size_t ret_stride)
{
    const vec right = interpolates ? load_lanes(s->weight, s->lanes) : vec_set(0);
    const vec left = vec_sub(vec_set(1), right);
    for (size_t row = 0; row < rows; row++, x += stride, ret += ret_stride) {
        float low[LANES], high[LANES];
        for (size_t i = 0; i < LANES; i++) {
            low[i] = x[s->low[i]];
            high[i] = x[s->high[i]];
        }
        vec value = vec_load(low);
        if (interpolates)
            value = vec_fma(right, vec_load(high), vec_mul(left, value));
        store_lanes(ret, value, s->lanes);
    }
}

ALWAYS_INLINE void stretch_by(const bool interpolates, const float *x, size_t stride, size_t rows,
                              const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    for (size_t first = 0; first < taps->count; first += LANES) {
        const struct stretch s = stretch_at(interpolates, taps, first);
        const float *from = x + taps->low[first];
        if (s.high[LANES - 1] < LANES)
            stretch_window(interpolates, &s, from, stride, rows, ret + first, ret_stride);
        else
            stretch_apart(interpolates, &s, from, stride, rows, ret + first, ret_stride);
    }
}

static void stretch_rows(const float *x, size_t stride, size_t rows, const struct simd_taps *taps,
                         float *ret, size_t ret_stride)
{
    if (taps->weight)
        stretch_by(true, x, stride, rows, taps, ret, ret_stride);
    else
        stretch_by(false, x, stride, rows, taps, ret, ret_stride);
}

ALWAYS_INLINE void store_labels(int32_t *ret, vec labels, size_t lanes)
{
    int32_t all[LANES];
    if (lanes == LANES) {
        vec_store_int(ret, labels);
        return;
    }
    vec_store_int(all, labels);
    for (size_t i = 0; i < lanes; i++)
        ret[i] = all[i];
}

/* Several vectors of pixels are independent, so that none waits for another; the last has `last`
 * lanes. Labels are floats until they are stored: every channel's number is exact. */
ALWAYS_INLINE void argmax_columns(const size_t vectors, size_t last, const float *x,
                                  size_t channels, size_t stride, int32_t *ret)
{
    vec best[4], labels[4], label = vec_set(0);
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) {
        best[j] = load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES);
        labels[j] = label;
    }
    for (size_t c = 1; c < channels; c++) {
        x += stride;
        label = vec_add(label, vec_set(1));
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const vec value = load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES);
            const vec_mask exceeds = vec_exceeds(value, best[j]);
            best[j] = vec_blend(exceeds, value, best[j]);
            labels[j] = vec_blend(exceeds, label, labels[j]);
        }
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        store_labels(ret + j * LANES, labels[j], j + 1 == vectors ? last : LANES);
}

static void argmax(const float *x, size_t channels, size_t stride, size_t count, int32_t *ret)
{
    for (; count >= 4 * LANES; count -= 4 * LANES, x += 4 * LANES, ret += 4 * LANES)
        argmax_columns(4, LANES, x, channels, stride, ret);
    for (; count > LANES; count -= LANES, x += LANES, ret += LANES)
        argmax_columns(1, LANES, x, channels, stride, ret);
    if (count > 0)
        argmax_columns(1, count, x, channels, stride, ret);
}

#endif

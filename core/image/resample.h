/*
 * resample.h - pixels resized as Pillow's Image.resize(size, BILINEAR) does it, to the byte.
 *
 * Along each axis a result is a weighted mean under a triangle as wide as two of its own pixels, or
 * as two of the source's where it grows. Weights are rounded to multiples of 2^-22, sums to a byte:
 * rows first (across), columns of that next (down).
 */
#ifndef PPM_CORE_IMAGE_RESAMPLE_H
#define PPM_CORE_IMAGE_RESAMPLE_H

#include "core/base/cancel.h"
#include "core/base/memory.h"

/* An axis of `in` pixels becomes one of `out`. */
struct resample_axis {
    size_t in, out;
    size_t taps;      /* the most that a result reads */
    uint32_t *first;  /* [out]: the first pixel that it reads */
    uint32_t *count;  /* [out]: and how many */
    int32_t *weights; /* [out][taps] */
};

/* Without its tables. Both sides are at most 2^16. */
struct resample_axis resample_axis_of(size_t in, size_t out);

/* Its tables in room: only counted without a base. */
void resample_axis_place(struct resample_axis *axis, struct room *room);
void resample_axis_fill(struct resample_axis *axis, const struct run *run);

/* ret[axis->out][3] = the row pixels[axis->in][3]. */
void resample_across(const struct resample_axis *axis, const uint8_t *pixels, uint8_t *ret);

/* ret[bytes] = row i of axis->out, of rows[axis->in][bytes]. */
void resample_down(const struct resample_axis *axis, size_t i, const uint8_t *rows, size_t bytes,
                   uint8_t *ret);

#endif

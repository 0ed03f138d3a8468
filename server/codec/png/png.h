/*
 * png.h - a map of labels as a PNG with a palette, by libpng.
 */
#ifndef PPM_SERVER_CODEC_PNG_PNG_H
#define PPM_SERVER_CODEC_PNG_PNG_H

#include "server/codec/form.h"

/* For answers alone: one map of labels, int32 [1, 1, H, W], as a PNG of 8 bits a pixel with the
 * answer's palette. Uses up the labels' data. PPM_UNFIT for any other tensor, and for a label
 * without a color; PPM_TOO_LARGE beyond 2^31 - 1 rows or columns; PPM_NO_MEMORY. Any thread. */
extern const struct codec_form codec_png;

#endif

/*
 * axes.h - shapes and sizes as text.
 */
#ifndef PPM_SERVER_CODEC_AXES_H
#define PPM_SERVER_CODEC_AXES_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>

enum { CODEC_AXES_TEXT_BYTES = 4 * 22 + 3 };

/* Reads the decimal digits at [*at, end), at least one, and moves *at past them. Returns false
 * without moving when there is none or the value does not fit. */
bool codec_read_size(const char **at, const char *end, size_t *ret_value);

/* Parses a comma-separated shape such as "1,4,30,30" (spaces around numbers allowed) into axes.
 * PPM_MALFORMED, with the offending text, for anything but 3 or 4 positive decimal integers. */
enum ppm_status codec_parse_shape(const char *text, size_t ret_axes[4], size_t *ret_count,
                                  struct ppm_error *error);

/* Parses the shapes of a model's inputs in layout: "1,4,30,30" of the only one, or of each by name,
 * "c2=1,256,64,64;c5=1,2048,16,16". PPM_MALFORMED as above, for a name that the model does not have
 * or that is there twice, and for a missing one. */
enum ppm_status codec_parse_shapes(const char *text, const struct ppm_input_info *inputs,
                                   size_t count, enum ppm_layout layout,
                                   struct ppm_sizes *ret_sizes, struct ppm_error *error);

/* Parses "480,640": H and W in pixels (spaces around numbers allowed). PPM_MALFORMED, with the
 * text, for anything but two positive decimal integers. */
enum ppm_status codec_parse_size(const char *text, size_t *ret_h, size_t *ret_w,
                                 struct ppm_error *error);

/* "[1, 4, 30, 30]". Returns ret_text. */
const char *codec_axes_text(const size_t *axes, size_t axis_count,
                            char ret_text[CODEC_AXES_TEXT_BYTES]);

#endif

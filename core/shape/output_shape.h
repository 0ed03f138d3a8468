/* output_shape.h - the H and W of y. */
#ifndef PPM_CORE_SHAPE_OUTPUT_SHAPE_H
#define PPM_CORE_SHAPE_OUTPUT_SHAPE_H

#include "core/model/output.h"

/* *ret_shape = that of y for logits [n, output->channels or more, h, w]: what the request asks for,
 * else the model's own size. PPM_TOO_LARGE if a side is larger than OUTPUT_EXTENT_MAX where the
 * request names it, or y overflows memory. */
enum ppm_status output_shape_of(const struct output_spec *output, const struct ppm_sizes *sizes,
                                size_t n, size_t h, size_t w, struct ppm_shape *ret_shape,
                                struct ppm_error *error);

/* Whether y leaves out what the first input has at its right and bottom. */
bool output_is_cut(const struct ppm_sizes *sizes);

#endif

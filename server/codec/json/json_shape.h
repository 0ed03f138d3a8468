/*
 * json_shape.h - the shape of an array of numbers, and the one that is next to it.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_SHAPE_H
#define PPM_SERVER_CODEC_JSON_JSON_SHAPE_H

#include "server/codec/json/json_array.h"
#include "server/codec/json/json_find.h"

/* The product of the extents of a "shape" before the data; 0: there is none, or it is not plain. */
size_t codec_json_shape_count(const struct codec_json_frame *frame, const char *body);

/* Checks an array that was read, flat or nested, against axes with count numbers in all.
 * PPM_MALFORMED says what it has. */
enum ppm_status codec_json_check_shape(const struct codec_json_array *array, const size_t *axes,
                                       size_t axis_count, size_t count, struct ppm_error *error);

/* The shape of tensor is the array's nesting, where none is told. PPM_MALFORMED unless that is 3 or
 * 4 deep. */
enum ppm_status codec_json_take_shape(const struct codec_json_array *array, enum ppm_layout layout,
                                      struct ppm_tensor *tensor, struct ppm_error *error);

#endif

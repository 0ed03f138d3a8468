/*
 * expectation.h - the tensor that a request promises before its body, and whether the body agrees.
 */
#ifndef PPM_SERVER_CODEC_EXPECTATION_H
#define PPM_SERVER_CODEC_EXPECTATION_H

#include "core/ppm.h"
#include "server/codec/cancel.h"
#include "server/codec/dtype.h"

#include <stdbool.h>
#include <stddef.h>

struct codec_expectation {
    enum ppm_layout layout;  /* of the request's query, or the model's default */
    bool layout_is_explicit; /* the query said so; a JSON body's own "layout" must then agree */
    const size_t *axes;     /* the shape in the query or header, or NULL; a body's own must agree */
    size_t axis_count;      /* 3 or 4 */
    enum codec_dtype dtype; /* of a raw body's elements; the query's, or float32 */
    bool dtype_is_explicit; /* the query said so; a .npy body's own must then agree */
    const char *input;      /* the name of one of several inputs; NULL: there is one */
    size_t channels;        /* C that the model takes for it */
    const char *model;      /* its name, for the sentences */
    const struct codec_cancel *cancel; /* or NULL; outlives the call. JSON: its reader's own */
};

/* PPM_UNFIT unless tensor has the expected channels, with a hint when only the layout is wrong. */
enum ppm_status codec_check_channels(const struct ppm_tensor *tensor,
                                     const struct codec_expectation *expectation,
                                     struct ppm_error *error);

/* PPM_MALFORMED unless the axes in a body are those in the request's head, if it has any. */
enum ppm_status codec_check_axes(const size_t *axes, size_t axis_count,
                                 const struct codec_expectation *expectation,
                                 struct ppm_error *error);

/* *ret_tensor = *tensor if it has the expected channels; else frees it, unless room, which is the
 * caller's, is its data. */
enum ppm_status codec_take_fitting(struct ppm_tensor *tensor, const void *room,
                                   const struct codec_expectation *expectation,
                                   struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* Sets the data of *tensor, whose shape is set, to room; where that is NULL, to new memory. */
enum ppm_status codec_make_room(struct ppm_tensor *tensor, void *room, struct ppm_error *error);

#endif

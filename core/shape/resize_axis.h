/* resize_axis.h - which pixels a resized axis reads, where it was asked for by a scale. */
#ifndef PPM_CORE_SHAPE_RESIZE_AXIS_H
#define PPM_CORE_SHAPE_RESIZE_AXIS_H

#include "core/shape/geometry.h"

/* An axis of in pixels becomes one of out. */
struct resize_axis {
    enum resize mode;
    size_t in, out;
    double scale; /* out = floor(in * scale); 0: out was given */
    /* The pixels of `out` are those of the first `covered` ones of a longer axis, `whole` pixels,
     * that in is stretched to; 0: out is the axis that in is stretched to. */
    size_t covered, whole;
};

/* floor(in * scale), as F.interpolate has it; SIZE_MAX if that is too large to count. */
size_t resize_axis_scaled(size_t in, double scale);

/* Of the output stage. */
struct resize_axis resize_axis_of_output(const struct spec *spec, const struct geometry *geometry,
                                         enum axis axis);

/* The axis of a resize layer. */
struct resize_axis resize_axis_of(const struct layer *resize, size_t in, size_t out);

/* Where output pixel i reads: as geometry_source and geometry_tap, but with a scale half_pixel,
 * asymmetric and nearest step by 1 / scale pixels, as PyTorch does, instead of by in / out. */
double resize_axis_source(const struct resize_axis *axis, size_t i);
struct resize_tap resize_axis_tap(const struct resize_axis *axis, size_t i);

#endif

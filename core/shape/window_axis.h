/* window_axis.h - the outputs of a window along one axis of a map. */
#ifndef PPM_CORE_SHAPE_WINDOW_AXIS_H
#define PPM_CORE_SHAPE_WINDOW_AXIS_H

#include "core/model/window.h"

struct window_axis {
    size_t outputs;       /* 0: the window is larger than the padded axis */
    size_t before, after; /* padding, in pixels */
};

/* For an axis of extent pixels. With reach = (size - 1) * dilation + 1, as torch.nn has it,
 *
 *     outputs = floor((before + extent + after - reach) / stride) + 1
 *
 * or ceil instead of floor, without a last window that would begin past the last pixel. "Same"
 * padding is TensorFlow's: outputs = ceil(extent / stride), and as much padding as they read, the
 * odd pixel of it after the map. */
struct window_axis window_axis_of(const struct window *window, enum axis axis, size_t extent);

/* The taps [*ret_from, *ret_to) of output i that read pixels of the axis, not padding. */
void window_axis_taps(const struct window *window, enum axis axis, size_t extent,
                      const struct window_axis *on, size_t i, size_t *ret_from, size_t *ret_to);

#endif

/* window.h - the window that a conv or a pool slides over a map, along both axes. */
#ifndef PPM_CORE_MODEL_WINDOW_H
#define PPM_CORE_MODEL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

enum { WINDOW_AXES = 2 };
enum axis { AXIS_H, AXIS_W };

/* Along axis a, output i reads x[i * stride[a] - before[a] + k * dilation[a]] for k < size[a]. */
struct window {
    size_t size[WINDOW_AXES]; /* of the kernel: taps */
    size_t stride[WINDOW_AXES];
    size_t dilation[WINDOW_AXES];
    size_t before[WINDOW_AXES], after[WINDOW_AXES]; /* padding: top and left, bottom and right */
    bool is_same; /* padding as TensorFlow's "SAME": from the map's size; before and after are 0 */
    bool is_ceil; /* pools: a last window may begin before the edge and end after it */
};

#endif

/* window_row.h - the pixels under the windows of a row of results: for pools. */
#ifndef PPM_CORE_ENGINE_STEPS_WINDOW_ROW_H
#define PPM_CORE_ENGINE_STEPS_WINDOW_ROW_H

#include "core/engine/steps/step_run.h"
#include "core/shape/window_axis.h"

/* Rows of a plane of w pixels, under all windows of a row of results. */
struct window_row {
    const float *x; /* count of them, stride elements apart */
    size_t count, stride, w;
    struct window_axis right; /* along the row */
};

struct window_row window_row_of(const struct step_run *step, const struct unit *unit, size_t i);

/* padded = these rows folded into one by a kernel, with its padding: all that the windows of a row
 * of results read. */
void window_row_fold(const struct step_run *step, const struct window_row *row,
                     void (*kernel)(const float *x, size_t stride, size_t rows, size_t columns,
                                    float *ret),
                     float padding, float *padded);

#endif

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
 * of results read. False: the run is abandoned. */
bool window_row_fold(const struct step_run *step, const struct window_row *row,
                     void (*kernel)(const float *x, size_t stride, size_t rows, size_t columns,
                                    float *ret),
                     float padding, size_t *done, float *padded);

/* ret = each window of that row, folded into a value by a kernel. False: the run is abandoned. */
bool window_row_slide(const struct step_run *step,
                      void (*kernel)(const float *x, size_t window, size_t step, size_t count,
                                     float *ret),
                      const float *padded, size_t *done, float *ret);

#endif

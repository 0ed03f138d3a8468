/* fold.h - folded branches: multiplied by the conv's weights on their grids. */
#ifndef PPM_CORE_ENGINE_FOLD_H
#define PPM_CORE_ENGINE_FOLD_H

#include "core/engine/section_state.h"

/* Notes the maps for which a branch that is planned to be folded is not finite. 0 * Inf is NaN:
 * such a map gets what the frameworks compute in the literal form only. */
void stage_check_finite(const struct section_state *state);

/* Folds the branches that are planned to be. */
void stage_fold(const struct section_state *state);

/* The folded branches' columns for a panel of the conv: [grid_steps][rows]. */
const float *folded_panel(const struct section_state *state, size_t n, size_t panel);

/* Row-wise: ret[folded_steps][rows] = the columns of each grid's rows above and below an output
 * row, blended by their distance. */
void blend_row(const struct section_state *state, size_t n, size_t panel, size_t row, float *ret);

#endif

/*
 * average.h - the average of tiles, and the answer from it.
 *
 * Tiles come row by row, so only a band of the image is kept: the rows of the current tiles. What
 * no later tile reaches is divided by the number of its tiles, and becomes rows of the answer.
 */
#ifndef PPM_CORE_IMAGE_AVERAGE_H
#define PPM_CORE_IMAGE_AVERAGE_H

#include "core/image/fit.h"

/* Takes its arrays out of room; without a base they are only counted. */
void average_place(struct fit *fit, struct room *room);

/* Before the first tile. */
void average_begin(const struct fit *fit, const struct run *run);

/* Adds fit->tile_y, of tile k of row i. */
void average_add(const struct fit *fit, size_t i, size_t k, const struct run *run);

/* After the last tile of row i: y gets the rows of the answer that are complete. *next, 0 at first,
 * is the first one that is not. */
void average_finish_row(const struct fit *fit, size_t i, const struct run *run,
                        const struct ppm_tensor *y, size_t *next);

#endif

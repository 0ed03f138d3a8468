/*
 * folding.h - what it saves to fold a branch into the conv that follows the concat.
 *
 * A convolution and an upsampling commute: instead of a branch's channels, stretched, the conv can
 * read the points of its grid, once the branch has been multiplied by the conv's weights.
 */
#ifndef PPM_CORE_SHAPE_FOLDING_H
#define PPM_CORE_SHAPE_FOLDING_H

#include "core/shape/geometry.h"

/* Multiply-adds that folding the branch into a conv saves, for each map and each output channel and
 * tap of the conv. 0: it saves none. */
uint64_t folding_saves(const struct pyramid *pyramid, const struct geometry *geometry,
                       size_t branch);

#endif

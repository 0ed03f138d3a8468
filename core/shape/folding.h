/*
 * folding.h - what it saves to fold a branch into the conv that follows the concat.
 *
 * A convolution and an upsampling commute: instead of a branch's channels, stretched, the conv can
 * read the points of its grid, once the branch has been multiplied by the conv's weights.
 */
#ifndef PPM_CORE_SHAPE_FOLDING_H
#define PPM_CORE_SHAPE_FOLDING_H

#include "core/shape/geometry.h"

/* Multiply-adds that folding the branch saves, for each map and each output channel and tap of the
 * bottleneck. 0: it saves none, or the head does not begin with a conv. */
uint64_t folding_saves(const struct spec *spec, const struct geometry *geometry, size_t branch);

#endif

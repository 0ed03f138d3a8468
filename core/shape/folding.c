/* folding.c - see folding.h. */
#include "core/shape/folding.h"

uint64_t folding_saves(const struct pyramid *pyramid, const struct geometry *geometry,
                       size_t branch)
{
    const uint64_t pixels = (uint64_t)geometry->h * geometry->w;
    const uint64_t points = geometry_points(geometry, branch);
    const uint64_t channels = pyramid->branches[branch].stack.out_channels;
    const uint64_t literal = channels * pixels, folded = points * pixels + channels * points;
    return literal > folded ? literal - folded : 0;
}

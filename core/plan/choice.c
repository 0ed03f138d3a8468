/* choice.c - see choice.h. */
#include "core/plan/choice.h"
#include "core/shape/winograd_tiles.h"

/* Costs are multiply-adds for each pair of an input and an output channel. All count whole tiles of
 * 4 x 4 pixels. */
static uint64_t whole_pixels(size_t h, size_t w)
{
    return (uint64_t)winograd_tiles(h, w) * SIMD_WINOGRAD_TILE * SIMD_WINOGRAD_TILE;
}

static uint64_t direct_cost(const struct layer *conv, size_t h, size_t w)
{
    return conv_taps(conv) * whole_pixels(h, w);
}

static uint64_t winograd_cost(const struct layer *conv, size_t h, size_t w)
{
    enum { TRANSFORM_COST = 1280 }; /* of the weights: it pays from 12 tiles on, as measured */
    (void)conv;
    return (uint64_t)winograd_tiles(h, w) * SIMD_WINOGRAD_PLACES + TRANSFORM_COST;
}

static const struct choice {
    uint64_t (*cost)(const struct layer *conv, size_t h, size_t w);
    const char *note;
} choices[] = {
    [ALGORITHM_PRODUCT] = {direct_cost, NULL},
    [ALGORITHM_TAPS] = {direct_cost, NULL},
    [ALGORITHM_WINOGRAD] = {winograd_cost, "Winograd F(4x4, 3x3)"},
};
_Static_assert(sizeof choices / sizeof *choices == ALGORITHM_COUNT, "each algorithm has a row");

enum algorithm choose_algorithm(const struct spec *spec, const struct layer *conv, size_t h,
                                size_t w)
{
    enum algorithm best = ALGORITHM_COUNT;
    uint64_t best_cost = UINT64_MAX;
    for (enum algorithm i = 0; i < ALGORITHM_COUNT; i++) {
        if (!algorithm_fits(i, spec, conv))
            continue;
        const uint64_t cost = choices[i].cost(conv, h, w);
        if (cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

const char *algorithm_note(enum algorithm algorithm)
{
    return choices[algorithm].note;
}

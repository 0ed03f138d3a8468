/* choice.c - see choice.h. */
#include "core/plan/choice.h"
#include "core/plan/plan_columns.h"
#include "core/plan/winograd_seen.h"
#include "core/shape/winograd_tiles.h"

/* All costs count whole tiles of 4 x 4 pixels. */
static uint64_t whole_pixels(struct map_size size)
{
    return (uint64_t)winograd_tiles(size.h, size.w) * SIMD_WINOGRAD_TILE * SIMD_WINOGRAD_TILE;
}

static uint64_t direct_cost(const struct layer *conv, struct map_size out)
{
    return conv_taps(conv) * whole_pixels(out);
}

static uint64_t winograd_cost(const struct layer *conv, struct map_size out)
{
    enum { TRANSFORM_COST = 1280 }; /* of the weights: it pays from 12 tiles on, as measured */
    const uint64_t tiles = (uint64_t)winograd_phases(&conv->window) *
                           winograd_phase_tiles(&conv->window, out.h, out.w);
    return tiles * SIMD_WINOGRAD_PLACES + TRANSFORM_COST;
}

static void place_nothing(struct section_plan *plan, struct room *room)
{
    (void)plan, (void)room;
}

static void fill_nothing(struct section_plan *plan, const struct run *run)
{
    (void)plan, (void)run;
}

static const struct choice product_choice = {.cost = direct_cost,
                                             .takes_rows = true,
                                             .takes_columns = true,
                                             .place_tables = plan_place_along_columns,
                                             .fill_tables = plan_fill_along_columns};
static const struct choice taps_choice = {.cost = direct_cost,
                                          .takes_columns = true,
                                          .place_tables = place_nothing,
                                          .fill_tables = fill_nothing};
static const struct choice winograd_choice = {.cost = winograd_cost,
                                              .note = "Winograd F(4x4, 3x3)",
                                              .place_tables = winograd_place_seen,
                                              .fill_tables = winograd_fill_seen};

static const struct choice depthwise_choice = {.cost = direct_cost,
                                               .note = "depthwise",
                                               .place_tables = place_nothing,
                                               .fill_tables = fill_nothing};
static const struct choice grouped_choice = {
    .cost = direct_cost, .place_tables = place_nothing, .fill_tables = fill_nothing};

const struct choice *choice_of(enum algorithm algorithm)
{
    static const struct choice *const choices[] = {
#define ROW(constant, name) [ALGORITHM_##constant] = &name##_choice,
        ALGORITHMS(ROW)
#undef ROW
    };
    return choices[algorithm];
}

enum algorithm choose_algorithm(bool is_exact, const struct layer *conv, struct map_size out)
{
    enum algorithm best = ALGORITHM_COUNT;
    uint64_t best_cost = UINT64_MAX;
    for (enum algorithm i = 0; i < ALGORITHM_COUNT; i++) {
        const uint64_t cost =
            algorithm_fits(i, is_exact, conv) ? choice_of(i)->cost(conv, out) : UINT64_MAX;
        if (cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

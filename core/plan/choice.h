/* choice.h - which algorithm computes a convolution on a map, and what a plan keeps for it. */
#ifndef PPM_CORE_PLAN_CHOICE_H
#define PPM_CORE_PLAN_CHOICE_H

#include "core/plan/plan.h"

struct choice {
    /* Multiply-adds for each pair of an input and an output channel. */
    uint64_t (*cost)(const struct layer *conv, size_t h, size_t w);
    const char *note; /* how describe shows it; NULL: not at all */

    /* For a bottleneck: whether its tiles may end with their row, whether it reads folded branches
     * by columns of U for each tile, and the tables that it reads otherwise. */
    bool takes_rows, takes_columns;
    void (*place_tables)(struct plan *plan, struct room *room);
    void (*fill_tables)(struct plan *plan, const struct run *run);
};

/* The cheapest of those that fit: it depends on the model and the map's size alone. */
enum algorithm choose_algorithm(const struct spec *spec, const struct layer *conv, size_t h,
                                size_t w);
const struct choice *choice_of(enum algorithm algorithm);

#endif

/* choice.h - which algorithm computes a convolution on a map, and what a plan keeps for it. */
#ifndef PPM_CORE_PLAN_CHOICE_H
#define PPM_CORE_PLAN_CHOICE_H

#include "core/plan/section_plan.h"

struct choice {
    /* Multiply-adds for each pair of an input and an output channel. */
    uint64_t (*cost)(const struct layer *conv, struct map_size out);
    const char *note; /* how describe shows it; NULL: not at all */

    /* For a conv that reads a pyramid: whether its tiles may end with their row, whether it reads
     * folded branches by columns of U for each tile, and the tables that it reads otherwise. */
    bool takes_rows, takes_columns;
    void (*place_tables)(struct section_plan *plan, struct room *room);
    void (*fill_tables)(struct section_plan *plan, const struct run *run);
};

/* The cheapest of those that fit a conv that makes a map of that size. It depends on nothing else,
 * but for is_exact, the model's. */
enum algorithm choose_algorithm(bool is_exact, const struct layer *conv, struct map_size out);
const struct choice *choice_of(enum algorithm algorithm);

#endif

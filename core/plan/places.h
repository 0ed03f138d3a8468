/* places.h - where the values of a network are: in one arena, or in place of another. */
#ifndef PPM_CORE_PLAN_PLACES_H
#define PPM_CORE_PLAN_PLACES_H

#include "core/base/memory.h"
#include "core/model/program.h"
#include "core/plan/arena.h"

/* Of a batch of n, a value that has bytes for each map is at offset * n. */
struct places {
    size_t *offsets; /* [nodes]; SIZE_MAX: not in the arena */
    size_t bytes;    /* of the arena for each map; a multiple of ARENA_LINE */
    size_t *last_reads;
    size_t *roots; /* [nodes]: the value whose place it has */
    struct arena_item *items;
};

/* The arrays, for the nodes of a graph. */
void places_take(struct places *places, size_t nodes, struct room *room);

/* Where the values are, for the shapes of a batch of one. Inputs are not in the arena, nor is the
 * output unless it is stored. A step that changes each value by itself has its result in place of
 * what it reads first, if nothing else needs that. */
void places_find(struct places *places, const struct graph *graph, const struct program *program,
                 const struct ppm_shape *shapes, bool stores_output);

#endif

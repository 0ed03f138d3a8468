/*
 * arena.h - the places of maps in one block of memory, where those share a place that are never
 * needed at the same time.
 *
 * Greedy by size: the largest map first, each into the smallest gap that it fits, between those
 * that live when it does. Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference", 2020; XNNPACK's memory planner does the same.
 */
#ifndef PPM_CORE_PLAN_ARENA_H
#define PPM_CORE_PLAN_ARENA_H

#include <stddef.h>

enum { ARENA_LINE = 64 }; /* offsets are whole cache lines */

struct arena_item {
    size_t value;       /* the caller's name for it */
    size_t bytes;       /* above 0 */
    size_t first, last; /* steps: from the one that writes it to the last that reads it */
    size_t offset;      /* set */
};

/* Sets each offset so that no two items overlap that live in one step. Sorts the items by offset.
 * Returns the bytes of the whole, saturating. O(count^2) at worst. */
size_t arena_place(struct arena_item *items, size_t count);

#endif

/* arena.c - see arena.h. */
#include "core/plan/arena.h"
#include "core/base/size.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The largest first. All else is to make the order one and the same everywhere. */
static int by_size(const void *a, const void *b)
{
    const struct arena_item *left = a, *right = b;
    if (left->bytes != right->bytes)
        return left->bytes > right->bytes ? -1 : 1;
    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->value < right->value ? -1 : left->value > right->value;
}

static bool live_together(const struct arena_item *a, const struct arena_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static size_t lines_of(size_t bytes)
{
    return bytes > SIZE_MAX - ARENA_LINE ? SIZE_MAX : size_round_up(bytes, ARENA_LINE);
}

/* The smallest gap that holds an item, between those of the placed that live when it does, which go
 * by offset; or after them. */
static size_t find_gap(const struct arena_item *placed, size_t count, const struct arena_item *item)
{
    const size_t bytes = lines_of(item->bytes);
    size_t end = 0, best = SIZE_MAX, best_bytes = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!live_together(&placed[i], item))
            continue;
        const size_t offset = placed[i].offset;
        if (offset > end && offset - end >= bytes && offset - end < best_bytes) {
            best = end;
            best_bytes = offset - end;
        }
        end = size_max(end, size_plus(offset, lines_of(placed[i].bytes)));
    }
    return best_bytes < SIZE_MAX ? best : end;
}

/* Moves the item after the placed to its place among them. */
static void insert(struct arena_item *placed, size_t count)
{
    const struct arena_item item = placed[count];
    size_t at = count;
    while (at > 0 && placed[at - 1].offset > item.offset)
        at--;
    memmove(&placed[at + 1], &placed[at], (count - at) * sizeof *placed);
    placed[at] = item;
}

size_t arena_place(struct arena_item *items, size_t count)
{
    size_t bytes = 0;
    if (count > 0)
        qsort(items, count, sizeof *items, by_size);
    for (size_t i = 0; i < count; i++) {
        items[i].offset = find_gap(items, i, &items[i]);
        bytes = size_max(bytes, size_plus(items[i].offset, lines_of(items[i].bytes)));
        insert(items, i);
    }
    return bytes;
}

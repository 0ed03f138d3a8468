/* team.c - see team.h. */
#include "core/base/team.h"
#include "core/base/size.h"

enum { FRONT_SHIFT = 32 };

/* Takes one of the `size` turns of a range, the first or the last that is left. */
static bool take_turn(atomic_uint_least64_t *taken, size_t size, bool is_own, size_t *ret_turn)
{
    uint_least64_t old = atomic_load_explicit(taken, memory_order_relaxed);
    size_t front, back;
    do {
        front = old >> FRONT_SHIFT;
        back = (uint32_t)old;
        if (front + back >= size)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        taken, &old, old + (is_own ? (uint_least64_t)1 << FRONT_SHIFT : 1), memory_order_relaxed,
        memory_order_relaxed));
    *ret_turn = is_own ? front : size - 1 - back;
    return true;
}

bool team_take(struct team_loop *loop)
{
    const size_t turns = size_div_up(loop->count, loop->together), threads = loop->threads;
    for (; loop->other < threads; loop->other++) {
        const size_t range = (loop->thread + loop->other) % threads;
        const size_t first = turns * range / threads, end = turns * (range + 1) / threads;
        size_t turn;
        if (take_turn(&loop->shares[range].taken[loop->in_use], end - first, loop->other == 0,
                      &turn)) {
            loop->at = (first + turn) * loop->together;
            loop->end = size_min(loop->at + loop->together, loop->count);
            return true;
        }
    }
    return false;
}

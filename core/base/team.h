/*
 * team.h - loops whose tasks the threads of an OpenMP team share.
 *
 * Each thread begins with its own range of consecutive tasks, the same part of every loop: loops
 * over the rows of maps find in a thread's caches what the loop before them wrote. Cores may be far
 * apart, and even two that share a cache slow each other down where they write to neighboring
 * lines. A thread whose range is finished takes tasks from the ends of the others' (after
 * XNNPACK's pthreadpool), so that a thread that is late, or slow, holds nobody up.
 *
 *     struct team_loop loop = team_begin(shares, count);
 *     for (size_t task; team_next(&loop, &task);)
 *         ...
 *     team_end(&loop);
 */
#ifndef PPM_CORE_BASE_TEAM_H
#define PPM_CORE_BASE_TEAM_H

#include "core/base/threads.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What others see of a thread. A team has one for each thread, all zeros before its first loop. */
struct team_share {
    /* Taken from its range: from the front, by the thread itself (upper 32 bits), and from the end,
     * by others. Loops use them in turn: while one is in use, the thread clears the next. */
    _Alignas(64) atomic_uint_least64_t taken[2];
    unsigned loops; /* begun; only the thread itself reads it */
};

/* A thread's view of a loop. */
struct team_loop {
    struct team_share *shares;
    size_t count, together; /* tasks, and how many are taken at a time */
    size_t at, end;         /* of those taken */
    size_t thread, threads;
    size_t other; /* whose range it takes from: `thread` + other, modulo threads */
    unsigned in_use;
};

/* Called by every thread of a team with the same count, in the same order of loops. Outside of a
 * parallel region the caller is a team of one. */
static inline struct team_loop team_begin(struct team_share *shares, size_t count)
{
    struct team_loop loop = {.shares = shares,
                             .count = count,
                             .together = share_of_loop(count),
                             .thread = (size_t)omp_get_thread_num(),
                             .threads = (size_t)omp_get_num_threads()};
    struct team_share *own = &shares[loop.thread];
    loop.in_use = own->loops++ % 2;
    atomic_store_explicit(&own->taken[1 - loop.in_use], 0, memory_order_relaxed);
    return loop;
}

/* Takes more tasks into [at, end). */
bool team_take(struct team_loop *loop);

/* The next task of this thread, below count; each task goes to one thread. False: none is left. */
static inline bool team_next(struct team_loop *loop, size_t *ret_task)
{
    if (loop->at == loop->end && !team_take(loop))
        return false;
    *ret_task = loop->at++;
    return true;
}

/* Waits until all threads have finished their tasks. */
static inline void team_end(struct team_loop *loop)
{
    if (loop->threads > 1) {
#pragma omp barrier
    }
}

#endif

/* run.h - what all parts of a computation know of the request that it is for, and how they ask
 * whether anyone still waits for it. */
#ifndef PPM_CORE_BASE_RUN_H
#define PPM_CORE_BASE_RUN_H

#include "core/ppm.h"

#include <stdatomic.h>

struct run {
    int threads;
    bool (*is_cancelled)(void *context);
    void *cancel_context;
    atomic_bool *is_abandoned; /* set once is_cancelled has said so: it is not asked again */
    const struct ppm_pooling *pooling; /* the engine's: begun before the run; NULL: not */
    void *scratch;                     /* the engine's, or NULL: it is allocated for the run */
    size_t scratch_bytes;
    float
        *head; /* room for the head's result, NCHW, if an output stage follows; NULL: not wanted */
};

bool run_is_cancelled(const struct run *run);

/* A thread works on as many values at most before it asks again: tens of microseconds, or where
 * each takes an exponential function in double precision, a millisecond. */
enum { RUN_VALUES = 1 << 15 };

/* Before work on `values` more: whether to go on with it. *done, 0 at first, counts what the thread
 * has worked on since it asked. What is left out then is never read. run may be NULL: nobody can
 * cancel. */
static inline bool run_goes_on(const struct run *run, size_t *done, size_t values)
{
    if (!run)
        return true;
    *done += values;
    if (*done < RUN_VALUES)
        return !atomic_load_explicit(run->is_abandoned, memory_order_relaxed);
    *done = 0;
    return !run_is_cancelled(run);
}

/* Turns of a loop that a thread takes at a time: one, unless they are so many that handing them out
 * would take long, of a run that is abandoned too. */
static inline size_t share_of_loop(size_t turns)
{
    enum { SHARES = 1 << 14 };
    return 1 + turns / SHARES;
}

/* memcpy of so many values. */
void run_copy(const struct run *run, void *to, const void *from, size_t count);

#endif

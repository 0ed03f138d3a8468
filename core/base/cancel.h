/* cancel.h - loads and runs that may be abandoned. */
#ifndef PPM_CORE_BASE_CANCEL_H
#define PPM_CORE_BASE_CANCEL_H

#include "core/ppm.h"

#include <stdatomic.h>

/* PPM_CANCELLED if progress, which may be NULL, says so. */
enum ppm_status load_check(const struct ppm_progress *progress, struct ppm_error *error);

/* What every part of a computation knows about the request it serves. */
struct run {
    int threads;
    bool (*is_cancelled)(void *context);
    void *cancel_context;
    atomic_bool *is_abandoned;         /* set once is_cancelled returned true; not asked again */
    const struct ppm_pooling *pooling; /* the engine's, begun before the run; NULL: none */
    void *scratch;                     /* the engine's; NULL: allocated for the run */
    size_t scratch_bytes;
    double *step_ms; /* [steps + 1] times, the output stage's last; NULL: not wanted */
    float *head;     /* room for the head's result, NCHW; NULL: not wanted, or no output stage */
    /* [nodes] of a network: room for the map that a pyramid reads, NCHW; NULL: none is wanted */
    float *const *pyramid_inputs;
};

bool run_is_cancelled(const struct run *run);

/* The most values a thread works on before it asks again: tens of microseconds, or a millisecond
 * if each value takes an exponential in double precision. */
enum { RUN_VALUES = 1 << 15 };

/* Whether to go on with the next `values` values. *done, 0 at first, counts the values since the
 * thread last asked. Results that are left out are never read. run may be NULL: never cancelled. */
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

/* memcpy of count 32-bit values, which may be abandoned. */
void run_copy(const struct run *run, void *to, const void *from, size_t count);

#endif

/* threads.h - OpenMP: the only includer of <omp.h>. */
#ifndef PPM_CORE_BASE_THREADS_H
#define PPM_CORE_BASE_THREADS_H

#include <omp.h>
#include <stddef.h>

/* Seconds of wall-clock time, for differences. */
static inline double threads_now_s(void)
{
    return omp_get_wtime();
}

/* Iterations of a loop that a thread takes at a time: one, or more if there are so many that
 * scheduling them takes long, even in an abandoned run. */
static inline size_t share_of_loop(size_t iterations)
{
    enum { SHARES = 1 << 14 };
    return 1 + iterations / SHARES;
}

#endif

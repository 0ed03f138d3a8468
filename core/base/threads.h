/* threads.h - the only includer of <omp.h>. */
#ifndef PPM_CORE_BASE_THREADS_H
#define PPM_CORE_BASE_THREADS_H

#include <omp.h>

/* Seconds of wall-clock time, for differences. */
static inline double threads_now_s(void)
{
    return omp_get_wtime();
}

#endif

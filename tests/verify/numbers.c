/*
 * numbers.c - numbers.h compared with the C library over a large sample of all float32.
 *
 *     numbers [COUNT [SEED]]    100 million from seed 1; on all cores
 *
 * Exit status 1, and a line that says which, if one is read or written differently.
 */
#include "core/ppm.h"
#include "tests/number_checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 256 };

struct sweep {
    uint64_t count, seed; /* of each thread; its own is seed + index */
    uint32_t bits[THREADS_MAX];
    bool has_failed[THREADS_MAX];
    char complaint[THREADS_MAX][NUMBER_COMPLAINT_BYTES];
};

static void work(void *context, int index)
{
    struct sweep *sweep = context;
    sweep->has_failed[index] = !number_check_sample(sweep->count, sweep->seed + (uint64_t)index,
                                                    &sweep->bits[index], sweep->complaint[index]);
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    char complaint[NUMBER_COMPLAINT_BYTES];
    const uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000000;
    int threads = ppm_default_threads(), failed = !number_check_hard(complaint);
    struct timespec begun, ended;
    if (failed)
        printf("%s\n", complaint);
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    sweep.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    sweep.count = (count + (uint64_t)threads - 1) / (uint64_t)threads;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    ppm_on_threads(threads, work, &sweep);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    for (int i = 0; i < threads; i++) {
        failed |= sweep.has_failed[i];
        if (sweep.has_failed[i])
            printf("0x%08" PRIx32 ", seed %" PRIu64 ": %s\n", sweep.bits[i],
                   sweep.seed + (uint64_t)i, sweep.complaint[i]);
    }
    printf("%" PRIu64 " float32 from seed %" PRIu64 " on %d threads in %lld s: %s\n",
           sweep.count * (uint64_t)threads, sweep.seed, threads,
           (long long)(ended.tv_sec - begun.tv_sec),
           failed ? "not all are as the C library says" : "all are as the C library says");
    return failed;
}

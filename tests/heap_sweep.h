/* heap_sweep.h - something attempted again and again, each time with another of its requests for
 * memory refused. */
#ifndef PPM_TESTS_HEAP_SWEEP_H
#define PPM_TESTS_HEAP_SWEEP_H

#include "core/ppm.h"
#include "tests/heap.h"

struct heap_attempt {
    const char *what;
    bool (*attempt)(struct ppm_error *error); /* whether it succeeded */
    void (*release)(void);                    /* of what then is held */
    enum heap_threads threads;
    bool expected;     /* what it comes to with memory enough */
    long requests_min; /* how many there are at least */
};

/* Refuses the k-th request, for every k, alone and then with all that follow it. The test fails
 * unless the attempt succeeds all the same, or fails with a status and a sentence, and holds no
 * memory in the end. */
void heap_sweep(const struct heap_attempt *attempt);

#endif

/* heap_sweep.h - attempts something repeatedly, each time with a different allocation failing. */
#ifndef PPM_TESTS_HEAP_SWEEP_H
#define PPM_TESTS_HEAP_SWEEP_H

#include "core/ppm.h"
#include "tests/heap.h"

struct heap_attempt {
    const char *what;
    bool (*attempt)(struct ppm_error *error); /* whether it succeeded */
    void (*release)(void);                    /* frees what a successful attempt holds */
    enum heap_threads threads;
    bool expected;     /* the result with enough memory */
    long requests_min; /* of allocations */
};

/* Makes the k-th allocation fail, for every k, alone and then with all that follow. The test fails
 * unless the attempt still succeeds, or fails with a status and a sentence, and leaves no memory
 * allocated. */
void heap_sweep(const struct heap_attempt *attempt);

#endif

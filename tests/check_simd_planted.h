/* check_simd_planted.h - faults planted in kernels, each for a checker to find. */
#ifndef PPM_TESTS_CHECK_SIMD_PLANTED_H
#define PPM_TESTS_CHECK_SIMD_PLANTED_H

#include "tests/check_simd.h"

struct plant {
    const char *fault;
    checker *run;
    struct simd_ops kernels; /* that replace the honest ones */
};

#define PLANT(run, member, fault)                                                                  \
    {                                                                                              \
#        fault, run,                                                                               \
        {                                                                                          \
            .member = fault                                                                        \
        }                                                                                          \
    }

extern const struct simd_ops *check_honest; /* the table that faults replace kernels of */
extern volatile float check_sink;           /* takes what a fault reads beyond its arguments */

/* A failure of the test for each that is not found. */
void check_plants(const struct plant *plants, size_t count);

#endif

/*
 * check_simd.h - the kernels of a table against the specification, in the manner of dav1d's
 * checkasm.
 *
 * A checker calls one kernel many times, over sizes, strides, alignments and kinds of numbers, and
 * counts faults instead of failing the test, so that a test can show that it finds planted ones. A
 * kernel's arguments are between inaccessible pages, or between canaries; a signal there is a fault
 * like any other.
 *
 * Sizes, places and numbers are random, from the seed in the environment's PPM_TEST_SEED (default
 * 1), which a failure names: PPM_TEST_SEED=7 make test
 */
#ifndef PPM_TESTS_CHECK_SIMD_H
#define PPM_TESTS_CHECK_SIMD_H

#include "simd/simd.h"

#include <setjmp.h>

enum { CHECK_SLOTS = 13, CHECK_SIZES = 16 };

struct check {
    const struct simd_ops *ops;
    const struct simd_bfloat16 *bfloat16; /* and these; NULL: none */
    uint64_t state;                       /* of the random numbers; starts as the seed */
    size_t calls, faults;
    char first[240]; /* fault, as text */
};

typedef void checker(struct check *check);

/* Each starts a check by itself. */
checker check_gemm_tile;                                  /* check_simd_gemm.c */
checker check_bfloat16_tile, check_pack_pairs;            /* check_simd_bfloat16.c */
checker check_sum_rows, check_lerp_rows, check_transpose; /* check_simd_rows.c */
checker check_pick_rows, check_max_rows, check_sum_windows, check_max_windows;
checker check_add, check_mul, check_affine;           /* check_simd_elementwise.c */
checker check_moments, check_layer_norm;              /* check_simd_norms.c */
checker check_depthwise;                              /* check_simd_depthwise.c */
checker check_winograd_input, check_winograd_weights; /* check_simd_winograd.c */
checker check_winograd_output;
checker check_stretch_rows, check_argmax;        /* check_simd_output.c */
checker check_from_float16, check_from_bfloat16; /* check_simd_halves.c */
checker check_to_float16, check_to_bfloat16;
checker check_activations, check_softmax; /* check_simd_activations.c */

/* $PPM_TEST_SEED, or 1 */
uint64_t check_seed(void);

/* Runs checker over these kernels, from that seed. */
struct check check_run(checker *run, const struct simd_ops *ops,
                       const struct simd_bfloat16 *bfloat16, uint64_t seed);

/* Counts a fault, and keeps the text of the first. */
void check_fault(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls a kernel; a fault when it touches a page that it must not. */
#define CHECK_CALL(check, call)                                                                    \
    do {                                                                                           \
        (check)->calls++;                                                                          \
        if (sigsetjmp(check_way_back, 1) == 0)                                                     \
            call;                                                                                  \
        else                                                                                       \
            check_fault(check, "touches memory before or after its arguments");                    \
    } while (0)
extern sigjmp_buf check_way_back;

/* ---- numbers ---- */

enum check_data {
    CHECK_INTEGERS, /* in -4 .. 4: sums of products are exact in any order */
    CHECK_SIGNED,   /* in [-2, 2) */
    CHECK_MIXED,    /* of many magnitudes: zeros, subnormals, up to 1000 */
    CHECK_SPECIAL,  /* mixed, and NaN and Inf now and then */
    CHECK_DATA_COUNT
};

/* A number below count. */
size_t check_pick(struct check *check, size_t count);
float check_float(struct check *check, enum check_data data);

/* The sizes at which kernels for that many lanes change their way; returns how many. */
size_t check_sizes(size_t lanes, size_t ret[CHECK_SIZES]);

/* ---- memory ---- */

/* Room for that many bytes in slot, with canaries inside and around: right before an inaccessible
 * page, right after one, or anywhere between. Valid until the slot is used again. */
void *check_place(struct check *check, size_t slot, size_t bytes);
float *check_place_floats(struct check *check, size_t slot, size_t count);
float *check_place_data(struct check *check, size_t slot, size_t count, enum check_data data);

/* Whether nothing was written to *element since check_place. */
bool check_is_canary(const float *element);

/* A fault when something was written around what is in slot. */
void check_margins(struct check *check, size_t slot);

/* An address that faults when it is read. */
const float *check_forbidden(void);

/* ---- comparisons ---- */

/* NaN where NaN is expected, the same Inf, or no further away than tolerance. */
bool check_is_near(float found, double expected, double tolerance);

#endif

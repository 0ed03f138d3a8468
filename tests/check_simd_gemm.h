/* check_simd_gemm.h - what the checks of register tiles share: products drawn at random and
 * compared with their formula, whatever their words are. */
#ifndef PPM_TESTS_CHECK_SIMD_GEMM_H
#define PPM_TESTS_CHECK_SIMD_GEMM_H

#include "tests/check_simd.h"

/* Where what belongs to a run is placed. */
struct check_slots {
    size_t a, b, packed;
};

struct check_gemm {
    void (*multiply)(const struct check *check, const struct simd_gemm_tile *tile);

    /* Gives a run, whose k is set, a and b, packed or not, and its words. */
    void (*place)(struct check *check, struct simd_gemm_run *run, const struct check_slots *at,
                  size_t rows, size_t columns, enum check_data data);

    /* The factors of step i, as they count. */
    float (*weight)(const struct simd_gemm_run *run, size_t rows, size_t i, size_t r);
    float (*column)(const struct check *check, const struct simd_gemm_run *run, size_t i, size_t j);

    /* Faults where a run did not pack what it should, for the tile's columns. */
    void (*compare_packed)(struct check *check, const struct simd_gemm_run *run, size_t columns);
    bool may_flush; /* take subnormal numbers as zero */
};

/* Tiles of every size. */
void check_products(struct check *check, const struct check_gemm *gemm);

/* These functions for SIMD_FLOAT32: weights and columns unconverted. */
void check_place_float32(struct check *check, struct simd_gemm_run *run,
                         const struct check_slots *at, size_t rows, size_t columns,
                         enum check_data data);
float check_float32_weight(const struct simd_gemm_run *run, size_t rows, size_t i, size_t r);
float check_float32_column(const struct check *check, const struct simd_gemm_run *run, size_t i,
                           size_t j);
void check_float32_packed(struct check *check, const struct simd_gemm_run *run, size_t columns);

#endif

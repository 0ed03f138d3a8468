/* scalar_bfloat16.c - products of bfloat16 in plain C: the specification. */
#include "simd/simd.h"

#include <string.h>

enum { GEMM_ROWS = 4, GEMM_COLUMNS = 8 }; /* as in scalar.c */

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float pair_of(float lower, float upper)
{
    const float both[2] = {lower, upper};
    uint16_t halves[2];
    simd_scalar.float32_to_bfloat16(both, halves, 2);
    return float_from_bits((uint32_t)halves[1] << 16 | halves[0]);
}

static float lower_of(float word)
{
    return float_from_bits(bits_of_float(word) << 16);
}

static float upper_of(float word)
{
    return float_from_bits(bits_of_float(word) & 0xffff0000u);
}

/* b of a run, packed now if it was not. */
static const float *packed_columns(const struct simd_gemm_run *run, size_t columns)
{
    for (size_t i = 0; run->ret_packed && i < run->k; i += 2)
        for (size_t j = 0; j < GEMM_COLUMNS; j++) {
            const float *b = run->b + i * run->b_stride + j;
            run->ret_packed[i / 2 * GEMM_COLUMNS + j] =
                j < columns ? pair_of(b[0], i + 1 < run->k ? b[run->b_stride] : 0) : 0;
        }
    return run->ret_packed ? run->ret_packed : run->b;
}

/* Step i of a run of pairs: weights[r] and column[j]. */
static void take_step(const struct simd_gemm_run *run, const float *b, size_t i, size_t rows,
                      float weights[GEMM_ROWS], float column[GEMM_COLUMNS])
{
    float (*const half)(float) = i % 2 ? upper_of : lower_of;
    for (size_t r = 0; r < rows; r++)
        weights[r] = half(run->a[i / 2 * rows + r]);
    for (size_t j = 0; j < GEMM_COLUMNS; j++)
        column[j] = run->words == SIMD_BFLOAT16 ? half(b[i / 2 * GEMM_COLUMNS + j])
                                                : b[i * GEMM_COLUMNS + j];
}

static void add_pairs(const struct simd_gemm_run *run, const struct simd_gemm_tile *tile,
                      float sums[GEMM_ROWS][GEMM_COLUMNS])
{
    const float *b = packed_columns(run, tile->columns);
    float weights[GEMM_ROWS], column[GEMM_COLUMNS];
    for (size_t i = 0; i < run->k; i++) {
        take_step(run, b, i, tile->rows, weights, column);
        for (size_t r = 0; r < tile->rows; r++)
            for (size_t j = 0; j < tile->columns; j++)
                sums[r][j] += weights[r] * column[j];
    }
}

/* Runs of float32 and the epilogue are left to scalar.c. */
static void gemm_tile(const struct simd_gemm_tile *tile)
{
    float sums[GEMM_ROWS][GEMM_COLUMNS] = {{0}};
    struct simd_gemm_tile sum = {.run_count = 1,
                                 .c = sums[0],
                                 .c_stride = GEMM_COLUMNS,
                                 .rows = tile->rows,
                                 .columns = tile->columns,
                                 .accumulates = true};
    struct simd_gemm_tile end = *tile;
    for (size_t n = 0; n < tile->run_count; n++) {
        sum.runs = &tile->runs[n];
        if (sum.runs->words == SIMD_FLOAT32)
            simd_scalar.gemm_tile(&sum);
        else
            add_pairs(sum.runs, tile, sums);
    }
    for (size_t r = 0; tile->accumulates && r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            sums[r][j] = tile->c[r * tile->c_stride + j] + sums[r][j];
    end.run_count = 0;
    end.accumulates = true;
    end.c = sums[0];
    end.c_stride = GEMM_COLUMNS;
    simd_scalar.gemm_tile(&end);
    for (size_t r = 0; r < tile->rows; r++)
        memcpy(tile->c + r * tile->c_stride, sums[r], tile->columns * sizeof **sums);
}

static void pack_pairs(const float *x, size_t k, size_t columns, float *ret)
{
    for (size_t i = 0; i < k; i += 2, x += 2 * columns, ret += columns)
        for (size_t j = 0; j < columns; j++)
            ret[j] = pair_of(x[j], i + 1 < k ? x[columns + j] : 0);
}

const struct simd_bfloat16 simd_scalar_bfloat16 = {
    .gemm_tile = gemm_tile,
    .pack_pairs = pack_pairs,
};

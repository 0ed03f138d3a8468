/* scalar_winograd.c - the transforms of Winograd's F(4x4, 3x3) as matrices, by Cook and Toom's
 * construction with the points 0, +-3/4, +-3/2 and infinity. They round a quarter as much as
 * 0, +-1, +-2, and B^T and A^T are exact. */
#include "simd/scalar.h"

#include <math.h>
#include <string.h>

enum { TILE = SIMD_WINOGRAD_TILE, INPUT = SIMD_WINOGRAD_INPUT, TAPS = 3 };

const float simd_winograd_input_matrix[INPUT][INPUT] = {
    {81.F / 64, 0, -45.F / 16, 0, 1, 0},       {0, -27.F / 16, -9.F / 4, 3.F / 4, 1, 0},
    {0, 27.F / 16, -9.F / 4, -3.F / 4, 1, 0},  {0, -27.F / 32, -9.F / 16, 3.F / 2, 1, 0},
    {0, 27.F / 32, -9.F / 16, -3.F / 2, 1, 0}, {0, 81.F / 64, 0, -45.F / 16, 0, 1},
};
static const float weights_matrix[INPUT][TAPS] = {
    {64.F / 81, 0, 0},
    {-128.F / 243, -32.F / 81, -8.F / 27},
    {-128.F / 243, 32.F / 81, -8.F / 27},
    {32.F / 243, 16.F / 81, 8.F / 27},
    {32.F / 243, -16.F / 81, 8.F / 27},
    {0, 0, 1},
};
static const float output_matrix[TILE][INPUT] = {
    {1, 1, 1, 1, 1, 0},
    {0, 3.F / 4, -3.F / 4, 3.F / 2, -3.F / 2, 0},
    {0, 9.F / 16, 9.F / 16, 9.F / 4, 9.F / 4, 0},
    {0, 27.F / 64, -27.F / 64, 27.F / 8, -27.F / 8, 1},
};

/* ret [rows][rows] = matrix x matrix^T, with matrix [rows][columns] and x [columns][columns] */
static void transform(const float *matrix, size_t rows, size_t columns, const float *x, float *ret)
{
    float half[INPUT][INPUT];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            half[i][j] = 0;
            for (size_t k = 0; k < columns; k++)
                half[i][j] += matrix[i * columns + k] * x[k * columns + j];
        }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            ret[i * rows + j] = 0;
            for (size_t k = 0; k < columns; k++)
                ret[i * rows + j] += half[i][k] * matrix[j * columns + k];
        }
}

void scalar_winograd_input(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride)
{
    for (size_t t = 0; t < count; t++) {
        float d[INPUT * INPUT], result[SIMD_WINOGRAD_PLACES];
        for (size_t i = 0; i < INPUT; i++)
            memcpy(d + i * INPUT, x + i * stride + TILE * t, INPUT * sizeof *d);
        transform(simd_winograd_input_matrix[0], INPUT, INPUT, d, result);
        for (size_t p = 0; p < SIMD_WINOGRAD_PLACES; p++)
            ret[p * ret_stride + t] = result[p];
    }
}

void scalar_winograd_weights(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride)
{
    for (size_t k = 0; k < count; k++) {
        float g[TAPS * TAPS], result[SIMD_WINOGRAD_PLACES];
        for (size_t tap = 0; tap < TAPS * TAPS; tap++)
            g[tap] = x[tap * stride + k];
        transform(weights_matrix[0], INPUT, TAPS, g, result);
        for (size_t p = 0; p < SIMD_WINOGRAD_PLACES; p++)
            ret[p * ret_stride + k] = result[p];
    }
}

static float epilogue(float sum, const struct simd_winograd_sums *from)
{
    const float value = sum * from->scale + from->shift;
    return value < from->low ? from->low : value > from->high ? from->high : value;
}

bool scalar_winograd_output(const struct simd_winograd_sums *from, float *ret, size_t ret_stride)
{
    bool are_finite = true;
    for (size_t t = 0; t < from->count; t++) {
        float m[SIMD_WINOGRAD_PLACES], y[TILE * TILE];
        for (size_t p = 0; p < SIMD_WINOGRAD_PLACES; p++)
            m[p] = from->sums[p * from->stride + t];
        transform(output_matrix[0], TILE, INPUT, m, y);
        for (size_t i = 0; i < TILE * TILE; i++) {
            are_finite = are_finite && isfinite(y[i]);
            ret[i / TILE * ret_stride + TILE * t + i % TILE] = epilogue(y[i], from);
        }
    }
    return are_finite;
}

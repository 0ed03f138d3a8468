/*
 * simd.h - the door of simd/: kernels as tables of typed function pointers, one per instruction
 * set.
 *
 * The scalar table is the specification: plain C, every kernel present, results in the last bit
 * those of the formula evaluated in double precision and rounded once. Other tables are held
 * against it by the tests.
 *
 * Contracts shared by all kernels: they read and write exactly the elements named, need no
 * alignment, allow ret == x, keep no state, and may run on any thread. NaN and Inf behave as in the
 * formula.
 */
#ifndef PPM_SIMD_SIMD_H
#define PPM_SIMD_SIMD_H

#include <stddef.h>
#include <stdint.h>

/* y = f(x, slope); names and formulas are PyTorch's (torch.nn). */
enum simd_activation {
    SIMD_RELU,       /* max(x, 0) */
    SIMD_RELU6,      /* min(max(x, 0), 6) */
    SIMD_LEAKY_RELU, /* x < 0 ? slope * x : x; also PReLU, a channel at a time */
    SIMD_ELU,        /* x < 0 ? exp(x) - 1 : x */
    SIMD_SIGMOID,    /* 1 / (1 + exp(-x)) */
    SIMD_TANH,       /* tanh(x) */
    SIMD_SILU,       /* x / (1 + exp(-x)) */
    SIMD_GELU,       /* x / 2 * (1 + erf(x / sqrt(2))) */
    SIMD_HARDSWISH,  /* x * min(max(x + 3, 0), 6) / 6 */
    SIMD_ACTIVATION_COUNT
};

struct simd_ops {
    const char *name; /* "scalar"; what PPM_ISA selects it by */

    /* ret[i] = f(x[i], slope) for i < count; slope is read by SIMD_LEAKY_RELU alone. */
    void (*activate[SIMD_ACTIVATION_COUNT])(const float *x, float *ret, size_t count, float slope);

    /* Softmax over channels, in place, for count neighbouring pixels p:
     *   m = max_c x[c*stride + p];  e_c = exp(x[c*stride + p] - m);  x[c*stride + p] = e_c / sum e
     * stride >= count is the distance between channels, in elements. */
    void (*softmax)(float *x, size_t channels, size_t stride, size_t count);

    /* ret[i] = the float32 that equals half[i]; NaN payloads keep their sign and top bits. */
    void (*float16_to_float32)(const uint16_t *half, float *ret, size_t count);
    void (*bfloat16_to_float32)(const uint16_t *half, float *ret, size_t count);
};

extern const struct simd_ops simd_scalar;

/* The table named name, or the best that this CPU runs when name is NULL.
 * NULL when this build has none of that name or this CPU cannot run it. */
const struct simd_ops *simd_select(const char *name);

/* The names that simd_select takes on this machine, best first, separated by ", ". */
const char *simd_names(void);

#endif

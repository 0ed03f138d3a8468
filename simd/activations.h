/*
 * activations.h - the list of activations. The enum, the kernel tables, the names in a model's JSON
 * and the tests are all made from it.
 *
 * X(CONSTANT, name, low, high): SIMD_CONSTANT is computed by act_name (simd/activations_tmpl.h) and
 * formula_name (simd/scalar_activations.c). An activation that only clamps x to [low, high] can run
 * in a tile's epilogue; the others have no bounds. Names and formulas are those of torch.nn.
 */
#ifndef PPM_SIMD_ACTIVATIONS_H
#define PPM_SIMD_ACTIVATIONS_H

#define SIMD_ACTIVATIONS(X)                                                                        \
    X(RELU, relu, 0, INFINITY)                       /* max(x, 0) */                               \
    X(RELU6, relu6, 0, 6)                            /* min(max(x, 0), 6) */                       \
    X(LEAKY_RELU, leaky_relu, -INFINITY, INFINITY)   /* x < 0 ? slope * x : x; also PReLU */       \
    X(ELU, elu, -INFINITY, INFINITY)                 /* x < 0 ? exp(x) - 1 : x */                  \
    X(SIGMOID, sigmoid, -INFINITY, INFINITY)         /* 1 / (1 + exp(-x)) */                       \
    X(TANH, tanh, -INFINITY, INFINITY)               /* tanh(x) */                                 \
    X(SILU, silu, -INFINITY, INFINITY)               /* x / (1 + exp(-x)) */                       \
    X(GELU, gelu, -INFINITY, INFINITY)               /* x / 2 * (1 + erf(x / sqrt(2))) */          \
    X(HARDSWISH, hardswish, -INFINITY, INFINITY)     /* x * min(max(x + 3, 0), 6) / 6 */           \
    X(HARDSIGMOID, hardsigmoid, -INFINITY, INFINITY) /* min(max(x + 3, 0), 6) / 6 */               \
    X(MISH, mish, -INFINITY, INFINITY)               /* x * tanh(softplus(x)) */                   \
    X(SOFTPLUS, softplus, -INFINITY, INFINITY)       /* x > 20 ? x : log(1 + exp(x)) */

#endif

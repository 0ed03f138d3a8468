/* algorithms.h - the ways to compute a convolution. */
#ifndef PPM_CORE_MODEL_ALGORITHMS_H
#define PPM_CORE_MODEL_ALGORITHMS_H

#include "core/model/layers.h"

/*
 * X(CONSTANT, name): the compiler asks each table made from the list for
 *
 *     name_fits    whether it can compute a conv                      algorithms.c
 *     name_choice  what it costs on a map, what a plan keeps for it   plan/choice.c
 *     name_pass    how it runs a pass that begins with the conv       engine/passes.c
 */
#define ALGORITHMS(X)                                                                              \
    X(PRODUCT, product)     /* 1x1: one matrix product over all pixels */                          \
    X(TAPS, taps)           /* k x k: a product for each tap */                                    \
    X(WINOGRAD, winograd)   /* 3x3: F(4x4, 3x3) */                                                 \
    X(DEPTHWISE, depthwise) /* a window of weights over each channel */                            \
    X(GROUPED, grouped)     /* the products of each group */

enum algorithm {
#define ALGORITHM_CONSTANT(constant, name) ALGORITHM_##constant,
    ALGORITHMS(ALGORITHM_CONSTANT)
#undef ALGORITHM_CONSTANT
        ALGORITHM_COUNT
};

/* Whether a layer is a conv that the algorithm can compute, on maps of any size. is_exact: of the
 * model, which then takes no algorithm that rounds more. */
bool algorithm_fits(enum algorithm algorithm, bool is_exact, const struct layer *layer);

const char *algorithm_name(enum algorithm algorithm); /* "product", ... */

#endif

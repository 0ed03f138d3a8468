/*
 * algorithms.h - the ways to compute a convolution. A model packs its weights for those that fit,
 * core/plan/choice.c chooses among them for a map, core/engine/head.c runs the choice.
 */
#ifndef PPM_CORE_MODEL_ALGORITHMS_H
#define PPM_CORE_MODEL_ALGORITHMS_H

#include "core/model/spec.h"

enum algorithm {
    ALGORITHM_PRODUCT,  /* 1x1: one matrix product over all pixels */
    ALGORITHM_TAPS,     /* k x k: a product for each tap */
    ALGORITHM_WINOGRAD, /* 3x3: F(4x4, 3x3) */
    ALGORITHM_COUNT
};

/* Whether a layer of the model is a conv that the algorithm can compute, on maps of any size. */
bool algorithm_fits(enum algorithm algorithm, const struct spec *spec, const struct layer *layer);

#endif

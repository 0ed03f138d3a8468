/*
 * output.h - the output stage as its configuration describes it: the logits of the last layer are
 * resized, then turned into what a client wants.
 */
#ifndef PPM_CORE_MODEL_OUTPUT_H
#define PPM_CORE_MODEL_OUTPUT_H

#include "core/model/palette.h"
#include "core/model/pyramid.h"

/* X(CONSTANT, name): what y is of the logits x. core/engine/output.c and
 * core/reference/reference_output.c have finish_name for each. */
#define OUTPUTS(X)                                                                                 \
    X(VALUES, values)   /* x */                                                                    \
    X(SOFTMAX, softmax) /* over channels */                                                        \
    X(ARGMAX, argmax)   /* the lowest c with the largest x[c], int32; NaN is the largest */        \
    X(SIGMOID, sigmoid) /* 1 / (1 + exp(-x)); with a threshold 0 or 1, int32 */
#define OUTPUT_CONSTANT(constant, name) AS_##constant,
enum output_as { OUTPUTS(OUTPUT_CONSTANT) OUTPUT_AS_COUNT };
#undef OUTPUT_CONSTANT

enum { OUTPUT_SCALE_MAX = 256, OUTPUT_EXTENT_MAX = 1 << 16 };

/* The H x W of y, unless a request asks for another. */
enum output_size {
    SIZE_AS_COMPUTED,
    SIZE_SCALED,   /* H * scale */
    SIZE_TRIMMED,  /* (H - 1) * scale + 1: what align_corners keeps the grid of */
    SIZE_GIVEN,    /* height x width */
    SIZE_OF_INPUT, /* of the first input */
};

struct output_spec {
    enum output_size size;
    size_t scale, height, width;
    enum resize resize;
    enum output_as as;
    bool has_threshold;
    double threshold;
    double logit;    /* sigmoid(x) is above the threshold T where x > logit: log(T / (1 - T)) */
    size_t channels; /* of y */
    size_t classes;  /* labels of a map of one channel are below it; 0: y is none */
    struct palette palette;
};

/* Reads the member "output" of a model, if it has one. channels: of the logits; resize: the model's
 * own way to stretch, which an output without "upsample" has. */
enum ppm_status output_read(const json_t *root, const struct json_place *place, size_t channels,
                            enum resize resize, struct output_spec *ret_output,
                            struct ppm_error *error);

/* Of y. */
enum ppm_dtype output_dtype(const struct output_spec *output);

#endif

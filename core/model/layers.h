/* layers.h - stacks of layers, as a model's JSON describes them. */
#ifndef PPM_CORE_MODEL_LAYERS_H
#define PPM_CORE_MODEL_LAYERS_H

#include "core/base/json_read.h"
#include "core/model/window.h"
#include "simd/simd.h"

/* Bounds: generous, and small enough that no sum of sizes can overflow. */
enum { LAYERS_MAX = 64, CHANNELS_MAX = 1 << 17, NAME_BYTES = 128 };

/*
 * The kinds of layers with a name of their own; SIMD_ACTIVATIONS has the names of the other kind.
 * X(CONSTANT, name): the compiler asks each table made from the list for a function of that name,
 *
 *     read_name       the options in JSON, and out_channels       layers.c
 *     reference_name  the layer as plain loops                    reference/reference_ops.h
 *     apply_name      the layer over a micro-panel of pixels      engine/pass.c
 *
 * Layers with weights also have a row in model.c. H and W never change, and only convolutions count
 * in costs (shape/costs.c).
 */
#define LAYERS(X)                                                                                  \
    X(CONV, conv)                                                                                  \
    X(BATCH_NORM, batch_norm)                                                                      \
    X(PRELU, prelu)                                                                                \
    X(SOFTMAX, softmax)

enum layer_kind {
#define LAYER_CONSTANT(constant, name) LAYER_##constant,
    LAYERS(LAYER_CONSTANT)
#undef LAYER_CONSTANT
        LAYER_ACTIVATION,
    LAYER_KIND_COUNT
};

/* Channels [first, first + channels) of what a section reads, which come from one place: a map, a
 * map that is stretched, or an upsampled branch. */
struct part {
    enum part_source { PART_MAP, PART_STRETCHED, PART_BRANCH } source;
    size_t branch; /* of PART_BRANCH */
    size_t first, channels;
    /* Of the other sources: channels [from, from + channels) of the value with that index in the
     * graph, and for PART_STRETCHED the node whose layer stretches it. */
    size_t value, from;
    size_t resize;
};

/* One layer of a stack. Owned by its stack; weights are NULL until model.c reads them. */
struct layer {
    enum layer_kind kind;
    const struct simd_ops *simd;      /* the model's, set when it is loaded */
    size_t in_channels, out_channels; /* equal except for a conv */
    char weights_name[NAME_BYTES];    /* tensor names without suffix; empty: no weights */
    bool name_is_default;

    struct window window;       /* conv */
    bool has_bias;              /* conv */
    double eps;                 /* batch_norm */
    bool has_scale, has_center; /* batch_norm */
    enum simd_activation activation;
    float slope; /* leaky_relu */

    size_t norms_folded; /* conv: how many batch norms its scale and shift include */
    /* conv: packed by conv_pack. Its channels come in parts: those of the concat for the first conv
     * of a head, otherwise one. */
    float *panels;
    const struct simd_bfloat16 *bfloat16; /* kernels for panels of pairs (conv_narrow), or NULL */
    struct part *parts;
    size_t part_count;
    float *slopes; /* prelu: [out] */
    /* conv and batch_norm: y_c = scale[c] * (sum of products, or x_c) + shift[c]. Kept in double,
     * so that folding a norm into the conv before it rounds nothing. */
    double *scale, *shift;    /* [out] */
    float *scale32, *shift32; /* the same rounded, for the kernels */
    uint64_t parameters;      /* trained values read for this layer, folded norms included */
};

/* Taps of a conv's kernel. */
static inline size_t conv_taps(const struct layer *conv)
{
    return conv->window.size[0] * conv->window.size[1];
}

struct stack {
    struct layer *layers;
    size_t count;
    size_t in_channels, out_channels;
};

/* Reads a stack (a JSON list of layers) for in_channels. group and index give the default tensor
 * names: "branch.2.conv", "head.0.conv". index is the branch's; ignored for the head. */
enum ppm_status stack_read(const json_t *list, const struct json_place *place, const char *group,
                           size_t index, size_t in_channels, struct stack *ret_stack,
                           struct ppm_error *error);
void stack_release(struct stack *stack);

/* A layer's name in configurations: "conv", "relu", ... */
const char *layer_name(const struct layer *layer);

/* Channels of the widest map within a stack, including its input. */
size_t stack_widest(const struct stack *stack);

#endif

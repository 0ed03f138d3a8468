/* layers.h - the kinds of layers, with their options and weights. */
#ifndef PPM_CORE_MODEL_LAYERS_H
#define PPM_CORE_MODEL_LAYERS_H

#include "core/base/json_read.h"
#include "core/model/window.h"
#include "simd/simd.h"

/* Bounds of a configuration: generous, and small enough that no sum of sizes can overflow. */
enum {
    LAYERS_MAX = 64,
    CHANNELS_MAX = 1 << 17,
    NAME_BYTES = 128,
    KERNEL_MAX = 11,       /* of a conv, along an axis */
    STRIDE_MAX = 64,       /* of a conv */
    DILATION_MAX = 1 << 8, /* of a conv */
    PADDING_MAX = 1 << 12, /* of a conv, at each edge */
    WINDOW_MAX = 1 << 16,  /* of a pool, in pixels */
    BIN_MAX = 1 << 12,     /* of an adaptive pool, along an axis */
    RESIZE_SCALE_MAX = 1 << 8,
    RESIZE_EXTENT_MAX = 1 << 16
};

/*
 * The kinds of layers with a name of their own; SIMD_ACTIVATIONS has the names of the other kind.
 * X(CONSTANT, name): the compiler asks each table made from the lists for a function of that name,
 *
 *     read_name       the options in JSON, and out_channels       layers_maps.c, layers_values.c,
 *                                                                 layers_windows.c
 *     reference_name  the layer as plain loops                    reference/reference_ops.h
 *     apply_name      STACK_LAYERS: over a micro-panel of pixels  engine/pass.c
 *     name_step       the others: a step of its own               engine/steps/step_rows.h
 *
 * Layers with weights also have a row in layer_weights.c, those that change H and W one in
 * shape/shapes.c. Only convolutions count in costs (shape/costs.c).
 */

/* What a branch or a head may hold, and a pass applies to pixels while they are in cache: each
 * result depends on one pixel, except for a conv with a larger kernel. */
#define STACK_LAYERS(X)                                                                            \
    X(CONV, conv)                                                                                  \
    X(BATCH_NORM, batch_norm)                                                                      \
    X(PRELU, prelu)                                                                                \
    X(SOFTMAX, softmax)

/* What else an entry of a network may be that reads one map. */
#define MAP_LAYERS(X)                                                                              \
    X(GROUP_NORM, group_norm) /* over H, W and the channels of a group */                          \
    X(LAYER_NORM, layer_norm) /* over the channels of a pixel */                                   \
    X(MAX_POOL, max_pool)                                                                          \
    X(AVG_POOL, avg_pool)                                                                          \
    X(ADAPTIVE_AVG_POOL, adaptive_avg_pool)                                                        \
    X(RESIZE, resize)                                                                              \
    X(CHANNEL_SUM, channel_sum) /* [N, C, H, W] -> [N, 1, H, W] */                                 \
    X(CHANNEL_MEAN, channel_mean)                                                                  \
    X(AFFINE, affine) /* factor * x + offset */                                                    \
    X(SLICE, slice)   /* channels [first, first + out_channels) */

/* What reads several maps: [N, C, 1, 1] and [N, 1, H, W] are broadcast in a sum or a product. */
#define JOIN_LAYERS(X)                                                                             \
    X(ADD, add)                                                                                    \
    X(MUL, mul)                                                                                    \
    X(CONCAT, concat)

#define LAYERS(X) STACK_LAYERS(X) MAP_LAYERS(X) JOIN_LAYERS(X) X(PYRAMID, pyramid)

enum layer_kind {
#define LAYER_CONSTANT(constant, name) LAYER_##constant,
    LAYERS(LAYER_CONSTANT)
#undef LAYER_CONSTANT
        LAYER_ACTIVATION,
    LAYER_INPUT, /* of a network: it reads nothing */
    LAYER_KIND_COUNT
};

/* The ways to stretch a map. X(CONSTANT, name): a mode's name in configurations, and source_name in
 * shape/geometry.c. The first three are linear between pixels. */
#define LINEAR_RESIZES(X)                                                                          \
    X(ALIGN_CORNERS, align_corners)                                                                \
    X(HALF_PIXEL, half_pixel)                                                                      \
    X(ASYMMETRIC, asymmetric)
#define RESIZES(X) LINEAR_RESIZES(X) X(NEAREST, nearest)

enum resize {
#define RESIZE_CONSTANT(constant, name) RESIZE_##constant,
    RESIZES(RESIZE_CONSTANT)
#undef RESIZE_CONSTANT
};

/* Channels [first, first + channels) of what a section reads, which come from one place: a map, a
 * map that is stretched, or an upsampled branch. */
struct part {
    enum part_source { PART_MAP, PART_STRETCHED, PART_BRANCH } source;
    size_t branch; /* of PART_BRANCH */
    size_t first, channels;
    /* Of the other sources: channels [from, from + channels) of the value with that index in the
     * graph, and for PART_STRETCHED the node that stretches it, and its layer. */
    size_t value, from;
    size_t resize;
    const struct layer *stretch;
};

/* One layer of a stack or of a node. Weights are NULL until model.c reads them. */
struct layer {
    enum layer_kind kind;
    const struct simd_ops *simd;      /* the model's, set when it is loaded */
    size_t in_channels, out_channels; /* equal except for a conv */
    char weights_name[NAME_BYTES];    /* tensor names without suffix; empty: no weights */
    bool name_is_default;

    /* options, with the kinds of layers that have them */
    struct window window; /* conv, max_pool, avg_pool */
    size_t groups;        /* conv, group_norm: that the channels are divided into */
    union {
        bool has_bias; /* conv */
        struct {       /* batch_norm, group_norm, layer_norm */
            double eps;
            bool has_scale, has_center;
        };
        struct { /* activations */
            enum simd_activation activation;
            float slope; /* leaky_relu */
        };
        bool counts_padding;      /* avg_pool: zeros of the padding count in the mean */
        size_t grid[WINDOW_AXES]; /* adaptive_avg_pool: cells along h and w */
        struct {                  /* resize */
            enum resize mode;
            enum resize_target { RESIZE_BY, RESIZE_TO, RESIZE_LIKE } target;
            double times;               /* RESIZE_BY */
            size_t extent[WINDOW_AXES]; /* RESIZE_TO: h, w */
            size_t like;                /* RESIZE_LIKE: the index of a node, which is not read */
        };
        struct { /* affine */
            double factor, offset;
        };
        size_t first_channel;    /* slice */
        struct pyramid *pyramid; /* pyramid: owned */
    };

    /* weights */
    size_t norms_folded; /* how many batch norms scale and shift include */
    /* conv: packed by conv_pack. Its channels, or those of a group, come in parts: those of the
     * section that begins with it, otherwise one. */
    float *panels;
    const struct simd_bfloat16 *bfloat16; /* kernels for panels of pairs (conv_narrow), or NULL */
    struct part *parts;
    size_t part_count;
    float *slopes; /* prelu: [out] */
    /* conv, norms and affine: y_c = scale[c] * v_c + shift[c], where v_c is the sum of products,
     * the normalized x_c, or x_c. Kept in double, so that folding a norm into the layer before it
     * rounds nothing; the norm then has neither. */
    double *scale, *shift;    /* [out] */
    float *scale32, *shift32; /* the same rounded, for the kernels */
    uint64_t parameters;      /* trained values read for this layer, folded norms included */
};

/* Taps of a conv's kernel. */
static inline size_t conv_taps(const struct layer *conv)
{
    return conv->window.size[0] * conv->window.size[1];
}

/* A layer's name in configurations: "conv", "relu", ... */
const char *layer_name(const struct layer *layer);

/* Whether a layer of that kind reads several maps: JOIN_LAYERS. */
bool layer_is_join(enum layer_kind kind);

/* Whether each result depends on one pixel: the STACK_LAYERS and activations, and of convs those of
 * 1x1 and stride 1, without padding and groups. */
bool layer_is_pointwise(const struct layer *layer);

/* Frees the weights; not the layer itself, nor a pyramid. */
void layer_release(struct layer *layer);

#endif

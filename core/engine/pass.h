/*
 * pass.h - a pass: layers of a section that are computed together, block by block. It reads maps,
 * the upsampled branches of a pyramid, or the map of the pass before, and stores one map.
 */
#ifndef PPM_CORE_ENGINE_PASS_H
#define PPM_CORE_ENGINE_PASS_H

#include "core/engine/section_state.h"

/* What a pass reads some of its channels from. */
struct source {
    enum part_source kind;
    struct map map; /* of a map, stretched or not: channels [from, from + channels) */
    size_t from;
    const struct stretch *stretch; /* of a map that is stretched */
    size_t branch;                 /* of an upsampled branch */
    size_t first, channels;        /* of what the pass reads */
};

struct pass {
    const struct layer *const *layers;
    size_t count;
    size_t fused; /* layers that the conv at its start includes: 1, 2 with a clamp; 0: no conv */
    const struct source *sources;
    size_t source_count, channels; /* that it reads */
    bool is_first;                 /* of the section: what it reads may be folded branches */
    struct map_size in;            /* of what it reads */
    struct window window;          /* of the conv, its padding known; 1x1 without a conv */
    struct tiles tiles;            /* of what it stores */
    struct map ret;
    size_t ret_channels; /* from the first one of ret */
    const struct map
        *residual;            /* added after `residual_at` of its layers, from the first channel */
    size_t residual_at;       /* on; NULL: none */
    bool conv_adds;           /* in the conv's epilogue */
    enum algorithm algorithm; /* of the conv; PRODUCT without one */
    /* The conv's columns are rounded to pairs of bfloat16. Those of a 1x1 conv after other layers
     * are not: its bits would depend on whether it begins a pass, and so on the threads. */
    bool takes_pairs;
    bool is_conv_alone;  /* the conv's results are the pass's, as NCHW */
    size_t block_tiles;  /* in the direct form */
    size_t panel_groups; /* that share the panels of a block */
};

/* Whether the residual is added after that many of a pass's layers, not by the conv. */
static inline bool pass_adds_at(const struct pass *pass, size_t layers)
{
    return pass->residual && !pass->conv_adds && pass->residual_at == layers;
}

/* The conv that a pass begins with; NULL: there is none. */
static inline const struct layer *pass_conv(const struct pass *pass)
{
    return pass->fused > 0 ? pass->layers[0] : NULL;
}

/* Whether a pass reads what is at a pixel, and nothing else, to compute that pixel. */
bool pass_is_pointwise(const struct pass *pass);

/* Channels of the widest map within a pass. */
size_t pass_widest(const struct pass *pass);

/* Steps of K of the conv, and those for `channels` channels of a part and a tap: half as many in
 * pairs. */
size_t pass_steps(const struct pass *pass);
size_t pass_steps_of(const struct pass *pass, size_t channels);

/* The clamp that a conv can include: low and high of relu and relu6, or no bounds and false. next
 * may be NULL. */
bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high);

/* Whether a layer is a conv that can include the next one, as a clamp. */
bool fuses_clamp(const struct layer *layer, const struct layer *next);

/* The clamp that the conv of a pass includes; or NULL. */
static inline const struct layer *pass_clamp(const struct pass *pass)
{
    return pass->fused == 2 ? pass->layers[1] : NULL;
}

/* ret = a 1x1 conv, with the clamp of next (or NULL), over x: micro-panels of columns in all.
 * Only panels of weights [from, to). */
void run_conv_1x1(const struct run *of, const struct layer *conv, const struct layer *next,
                  const float *x, size_t columns, size_t from, size_t to, float *ret);

/* Applies a layer that is not a conv, in place, to panel [channels][gemm_columns]. */
void apply_pointwise(const struct layer *layer, float *panel);

/* `count` neighboring pixels of map n of what a pass makes. */
struct pixels_of {
    size_t n, first, count;
};

/* The layers of a pass after its first conv, over a micro-panel [channels][gemm_columns] of these
 * pixels. Returns the result: x or other, which both have room for pass_widest channels. */
float *run_layers(const struct run *run, const struct pass *pass, const struct pixels_of *pixels,
                  float *x, float *other);

/* Stores the columns of such a result. */
void store_columns(const struct simd_ops *simd, const struct pass *pass,
                   const struct pixels_of *pixels, const float *x);

#endif

/*
 * pass.h - a pass: layers of the head that are computed together, block by block. It reads one map,
 * or the concat, and stores one map.
 */
#ifndef PPM_CORE_ENGINE_PASS_H
#define PPM_CORE_ENGINE_PASS_H

#include "core/engine/run_state.h"

struct pass {
    const struct layer *layers;
    size_t count;
    size_t fused; /* layers that the conv at its start includes: 1, 2 with a clamp; 0: no conv */
    bool reads_concat; /* the first pass: map is x, one part of the concat */
    const float *map;  /* [N, map_channels, H, W] in map_layout */
    size_t map_channels;
    enum ppm_layout map_layout;
    float *ret; /* [N, ret_channels, H, W] in ret_layout */
    size_t ret_channels;
    enum ppm_layout ret_layout;
    enum algorithm algorithm; /* of the conv; PRODUCT without one */
    /* The conv's columns are rounded to pairs of bfloat16. Those of a 1x1 conv after other layers
     * are not: its bits would depend on whether it begins a pass, and so on the threads. */
    bool takes_pairs;
    bool is_conv_alone;  /* the conv's results are the pass's, as NCHW */
    size_t block_tiles;  /* in the direct form */
    size_t panel_groups; /* that share the panels of a block */
};

/* Kernel of the conv that a pass begins with; 1 without one. */
size_t pass_kernel(const struct pass *pass);

/* The parts of what a pass reads. */
size_t pass_part_count(const struct spec *spec, const struct pass *pass);
struct part pass_part(const struct spec *spec, const struct pass *pass, size_t index);

/* Channels that a pass reads, and those of the widest map within it. */
size_t pass_channels(const struct spec *spec, const struct pass *pass);
size_t pass_widest(const struct spec *spec, const struct pass *pass);

/* Steps of K of the conv, and those for `channels` channels of a part and a tap: half as many in
 * pairs. */
size_t pass_steps(const struct pass *pass);
size_t pass_steps_of(const struct pass *pass, size_t channels);

/* The clamp that a conv can include: low and high of relu and relu6, or no bounds and false. next
 * may be NULL. */
bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high);

/* How many layers of a stack from `at` on are computed together: a conv and a clamp, or one. */
size_t fused_layers(const struct layer *layers, size_t count, size_t at);

/* ret = a 1x1 conv, with the clamp of next (or NULL), over x: micro-panels of columns in all.
 * Only panels of weights [from, to). */
void run_conv_1x1(const struct run *of, const struct layer *conv, const struct layer *next,
                  const float *x, size_t columns, size_t from, size_t to, float *ret);

/* Applies a layer that is not a conv, in place, to panel [channels][gemm_columns]. */
void apply_pointwise(const struct layer *layer, float *panel);

/* The layers of a pass after its first conv, over a micro-panel [channels][gemm_columns]. Returns
 * the result: x or other, which both have room for pass_widest channels. */
float *run_layers(const struct run *run, const struct pass *pass, float *x, float *other);

/* Stores columns of such a result as `count` neighboring pixels of map n. */
void store_columns(const struct run_state *state, const struct pass *pass, size_t n, const float *x,
                   size_t first_pixel, size_t count);

#endif

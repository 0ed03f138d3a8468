/*
 * pyramid.h - a pyramid as its configuration describes it: for x [N, C, H, W],
 *
 *     u_i = upsample(stack_i(pool(x, b_i)))    for each branch i
 *     y   = concat(x, u_0, u_1, ...)           the parts in the order of the configuration
 *
 * Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017.
 */
#ifndef PPM_CORE_MODEL_PYRAMID_H
#define PPM_CORE_MODEL_PYRAMID_H

#include "core/model/layers.h"

/* Bounds of a configuration: generous, and small enough that no sum of sizes can overflow. */
enum { BRANCHES_MAX = 64, BIN_MAX = 4096, WINDOW_MAX = 1 << 16 };

enum pool { POOL_ADAPTIVE, POOL_SAME, POOL_VALID };
enum resize { RESIZE_ALIGN_CORNERS, RESIZE_HALF_PIXEL, RESIZE_ASYMMETRIC };
enum resize_to { TO_INPUT, TO_STRIDE_MULTIPLE };

extern const char *const resize_names[]; /* in configurations; ends with NULL */

/* The i-th branch: pool, stack, upsample. */
struct branch {
    size_t bin;                /* grid size, if the model has bins; else 0 */
    size_t window_h, window_w; /* pool size and stride in pixels, if it has windows */
    struct stack stack;
};

struct pyramid {
    size_t channels; /* of x */
    struct branch *branches;
    size_t branch_count;
    enum pool pool;
    enum resize upsample;
    enum resize_to upsample_to;
    bool is_cascade;                     /* x = u_0, then u_1 of that, ... before all else */
    struct part parts[BRANCHES_MAX + 1]; /* the concat in its order: each branch, and the input */
    size_t part_count;                   /* unless it is left out */
    size_t concat_channels;
};

/* Reads the members of a JSON object that describe a pyramid: bins or windows, pool, branch or
 * branches, upsample, upsample_to, cascade and concat. The caller checks for other members.
 * *ret_pyramid starts as {0}, and must be released in any case. */
enum ppm_status pyramid_read(const json_t *object, const struct json_place *place, size_t channels,
                             struct pyramid *ret_pyramid, struct ppm_error *error);
void pyramid_release(struct pyramid *pyramid);

/* Whether the input is a part of the concat. */
static inline bool pyramid_concats_input(const struct pyramid *pyramid)
{
    return pyramid->part_count > pyramid->branch_count;
}

#endif

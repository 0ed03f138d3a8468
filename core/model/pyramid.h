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

#include "core/model/stack.h"

enum { BRANCHES_MAX = 64 };

enum pool { POOL_ADAPTIVE, POOL_SAME, POOL_VALID };
enum resize_to { TO_INPUT, TO_STRIDE_MULTIPLE };

extern const char *const linear_resize_names[]; /* in configurations; ends with NULL */

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
    bool is_sum;                         /* y = x + u_0 + u_1 ..., of the same parts */
    bool is_cascade;                     /* x = u_0, then u_1 of that, ... before all else */
    struct part parts[BRANCHES_MAX + 1]; /* the concat in its order: each branch, and the input */
    size_t part_count;                   /* unless it is left out */
    size_t concat_channels;
};

/* Reads the members of a JSON object that describe a pyramid: bins or windows, pool, branch or
 * branches, upsample, upsample_to, cascade, concat and sum. The caller checks for other members.
 * scope: of the branches. *ret_pyramid starts as {0}, and must be released in any case. */
enum ppm_status pyramid_read(const json_t *object, const struct json_place *place,
                             const struct layer_scope *scope, size_t channels,
                             struct pyramid *ret_pyramid, struct ppm_error *error);
void pyramid_release(struct pyramid *pyramid);

/* Whether it can be computed as one layer: a concat of branches that are [] or begin with a 1x1
 * conv and are pointwise. Others are several nodes of a graph. */
bool pyramid_is_layer(const struct pyramid *pyramid);

/* Whether the input is a part of the concat. */
static inline bool pyramid_concats_input(const struct pyramid *pyramid)
{
    return pyramid->part_count > pyramid->branch_count;
}

#endif

/* geometry_pyramid.c - the sizes, bins and windows of a pyramid: see geometry.h. */
#include "core/shape/geometry.h"

#include <assert.h>

/* Python's round(), halves to even: the paper's listings compute their windows with it. */
static size_t round_half_even(size_t numerator, size_t denominator)
{
    size_t quotient = numerator / denominator, twice = 2 * (numerator % denominator);
    bool up = twice > denominator || (twice == denominator && quotient % 2 == 1);
    return quotient + (up ? 1 : 0);
}

void geometry_adaptive_bin(size_t k, size_t bins, size_t extent, size_t *ret_from, size_t *ret_to)
{
    *ret_from = k * extent / bins;
    *ret_to = size_div_up((k + 1) * extent, bins);
}

void geometry_window(size_t k, size_t window, size_t pad, size_t extent, size_t *ret_from,
                     size_t *ret_to)
{
    size_t from = k * window, to = from + window; /* in padded coordinates */
    *ret_from = from > pad ? from - pad : 0;
    *ret_to = size_min(to - pad, extent);
}

void geometry_bin(enum pool pool, const struct branch_geometry *branch, enum axis axis,
                  size_t extent, size_t k, size_t *ret_from, size_t *ret_to)
{
    const bool is_h = axis == AXIS_H;
    if (pool == POOL_ADAPTIVE)
        geometry_adaptive_bin(k, is_h ? branch->pooled_h : branch->pooled_w, extent, ret_from,
                              ret_to);
    else
        geometry_window(k, is_h ? branch->window_h : branch->window_w,
                        is_h ? branch->pad_top : branch->pad_left, extent, ret_from, ret_to);
}

/* Window pooling along an axis: the size of the result, and the padding before the first pixel. */
static size_t pooled_extent(enum pool pool, size_t extent, size_t window, size_t *ret_pad)
{
    assert(window > 0);
    *ret_pad = 0;
    if (pool == POOL_VALID)
        return extent / window;
    size_t pooled = size_div_up(extent, window);
    *ret_pad = (pooled * window - extent) / 2;
    return pooled;
}

static enum ppm_status window_of(const struct pyramid *pyramid, size_t index,
                                 struct ppm_shape input, struct branch_geometry *ret,
                                 struct ppm_error *error)
{
    const struct branch *branch = &pyramid->branches[index];
    ret->window_h = branch->window_h;
    ret->window_w = branch->window_w;
    if (branch->bin == 0)
        return PPM_OK;
    ret->window_h = round_half_even(input.h, branch->bin);
    ret->window_w = round_half_even(input.w, branch->bin);
    if (ret->window_h == 0 || ret->window_w == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "bin %zu makes a pooling window of %zu x %zu pixels on an input of %zu x "
                        "%zu (H x W), expected a side of more than half the bin",
                        branch->bin, ret->window_h, ret->window_w, input.h, input.w);
    return PPM_OK;
}

static enum ppm_status branch_geometry_of(const struct pyramid *pyramid, size_t index,
                                          struct ppm_shape input, struct branch_geometry *ret,
                                          struct ppm_error *error)
{
    ret->target_h = input.h;
    ret->target_w = input.w;
    if (pyramid->pool == POOL_ADAPTIVE) {
        ret->pooled_h = ret->pooled_w = pyramid->branches[index].bin;
        return PPM_OK;
    }
    if (window_of(pyramid, index, input, ret, error) != PPM_OK)
        return error->status;
    ret->pooled_h = pooled_extent(pyramid->pool, input.h, ret->window_h, &ret->pad_top);
    ret->pooled_w = pooled_extent(pyramid->pool, input.w, ret->window_w, &ret->pad_left);
    if (ret->pooled_h == 0 || ret->pooled_w == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "the input is %zu x %zu (H x W), expected at least the %zu x %zu pixels of "
                        "branch %zu's pooling window",
                        input.h, input.w, ret->window_h, ret->window_w, index);
    if (pyramid->upsample_to == TO_STRIDE_MULTIPLE) {
        ret->target_h = ret->pooled_h * ret->window_h;
        ret->target_w = ret->pooled_w * ret->window_w;
    }
    return PPM_OK;
}

/* All parts of the concat must have the same size. */
static enum ppm_status check_concat(const struct pyramid *pyramid, struct geometry *geometry,
                                    struct ppm_error *error)
{
    const bool has_input = pyramid_concats_input(pyramid);
    const struct branch_geometry *first = &geometry->branches[0];
    geometry->h = has_input ? geometry->input.h : first->target_h;
    geometry->w = has_input ? geometry->input.w : first->target_w;
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const struct branch_geometry *branch = &geometry->branches[i];
        if (branch->target_h != geometry->h || branch->target_w != geometry->w)
            return ppm_fail(
                error, PPM_UNFIT,
                "branch %zu is upsampled to %zu x %zu (H x W) and %s is %zu x %zu: they cannot be "
                "concatenated; expected an input that every pooling stride divides evenly",
                i, branch->target_h, branch->target_w, has_input ? "the input" : "branch 0",
                geometry->h, geometry->w);
    }
    return PPM_OK;
}

enum ppm_status geometry_of_pyramid(const struct pyramid *pyramid, struct ppm_shape input,
                                    struct geometry *ret_geometry, struct ppm_error *error)
{
    struct geometry geometry = {.input = input};
    for (size_t i = 0; i < pyramid->branch_count; i++)
        if (branch_geometry_of(pyramid, i, input, &geometry.branches[i], error) != PPM_OK)
            return error->status;
    if (check_concat(pyramid, &geometry, error) != PPM_OK)
        return error->status;
    *ret_geometry = geometry;
    return PPM_OK;
}

/* geometry.h - every size and index that follows from the sizes of a request. */
#ifndef PPM_CORE_SHAPE_GEOMETRY_H
#define PPM_CORE_SHAPE_GEOMETRY_H

#include "core/base/size.h"
#include "core/model/spec.h"

struct branch_geometry {
    size_t window_h, window_w; /* same, valid: pool size and stride; adaptive: 0 */
    size_t pooled_h, pooled_w;
    size_t pad_top, pad_left; /* same: padding before the first row and column */
    size_t target_h, target_w;
};

struct geometry {
    struct ppm_sizes sizes; /* that it follows from */
    struct ppm_shape input;
    struct branch_geometry branches[BRANCHES_MAX];
    size_t h, w; /* of the concat and the head */
    struct ppm_shape output;
    bool needs_resize; /* the output stage changes H x W */
    enum output_as as; /* what the output stage makes of logits */
    bool has_threshold;
    enum ppm_dtype dtype; /* of the output */
};

/* Points of a branch's grid. */
static inline size_t geometry_points(const struct geometry *geometry, size_t branch)
{
    return geometry->branches[branch].pooled_h * geometry->branches[branch].pooled_w;
}

enum ppm_status geometry_of(const struct spec *spec, const struct ppm_sizes *sizes,
                            struct geometry *ret_geometry, struct ppm_error *error);

/* Of one pyramid over its input: the branches, h and w; the rest is 0. PPM_UNFIT as geometry_of. */
enum ppm_status geometry_of_pyramid(const struct pyramid *pyramid, struct ppm_shape input,
                                    struct geometry *ret_geometry, struct ppm_error *error);

/* Whether an output stage follows the head: resize, softmax or argmax. */
bool geometry_has_output(const struct geometry *geometry);

/* The pixels [ret_from, ret_to) of an axis of extent pixels that bin k of bins covers:
 * adaptive floor(k * extent / bins) .. ceil((k + 1) * extent / bins). */
void geometry_adaptive_bin(size_t k, size_t bins, size_t extent, size_t *ret_from, size_t *ret_to);

/* The same for a window of the given size and stride; the first one starts pad pixels early. */
void geometry_window(size_t k, size_t window, size_t pad, size_t extent, size_t *ret_from,
                     size_t *ret_to);

/* The pixels of an axis that bin k of a branch covers. */
void geometry_bin(enum pool pool, const struct branch_geometry *branch, enum axis axis,
                  size_t extent, size_t k, size_t *ret_from, size_t *ret_to);

/* Where output pixel i of an axis reads: (1 - weight) * x[low] + weight * x[high]. */
struct resize_tap {
    size_t low, high;
    double weight;
};
struct resize_tap geometry_tap(enum resize mode, size_t i, size_t in, size_t out);

/* The same in two steps: low + weight, which plans keep, and the tap it stands for. */
double geometry_source(enum resize mode, size_t i, size_t in, size_t out);
/* Of a point between pixels. */
double geometry_source_of(enum resize mode, double at, size_t in, size_t out);
static inline struct resize_tap geometry_tap_at(double source, size_t in)
{
    const size_t low = size_min((size_t)source, in - 1);
    return (struct resize_tap){
        .low = low, .high = size_min(low + 1, in - 1), .weight = source - (double)low};
}

#endif

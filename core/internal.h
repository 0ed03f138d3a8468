/* internal.h - what the files of core/ share: private structs, nothing else. */
#ifndef PPM_CORE_INTERNAL_H
#define PPM_CORE_INTERNAL_H

#include "core/base/run.h"
#include "core/ppm.h"
#include "simd/simd.h"

#include <jansson.h>

/* Bounds of a configuration: generous, and small enough that no sum of sizes can overflow. */
enum {
    BRANCHES_MAX = 64,
    LAYERS_MAX = 64,
    CHANNELS_MAX = 1 << 17,
    BIN_MAX = 4096,
    WINDOW_MAX = 1 << 16,
    OUTPUT_SCALE_MAX = 256,
    OUTPUT_EXTENT_MAX = 1 << 16,
    NAME_BYTES = 128,
    WARM_UP_MAX = 16,
    LABELS_MAX = 256, /* of a palette */
};

/* ---- tensor.c ---- */

/* 64-byte aligned, freed with free(). NULL and PPM_NO_MEMORY when it is not to be had. */
void *core_allocate(size_t bytes, struct ppm_error *error);

/* a * b and a + b, or SIZE_MAX where that overflows. */
size_t size_times(size_t a, size_t b);
size_t size_plus(size_t a, size_t b);

/* Several arrays in one piece of memory, each on cache lines of its own. Without a base, their
 * bytes are only added up, and stop at SIZE_MAX. */
struct room {
    char *base; /* 64-byte aligned, or NULL */
    size_t bytes;
};

/* Takes the next count elements of that size; NULL without a base. */
void *room_take(struct room *room, size_t count, size_t element_bytes);

/* to[n][column][row] = from[n][row][column]: NCHW to NHWC with rows = C and columns = H*W, and
 * back with the two exchanged. */
void tensor_transpose(const struct run *run, const uint32_t *from, uint32_t *to, size_t batches,
                      size_t rows, size_t columns);

/* Turns data that is in NCHW into the tensor's own layout, where it stands. */
enum ppm_status tensor_to_layout(const struct run *run, const struct ppm_tensor *tensor,
                                 struct ppm_error *error);

/* ---- threads.c ---- */

/* The kernels that ppm_isa_select chose: for conversions, and for models that will be loaded. What
 * runs over a model takes the model's own. */
const struct simd_ops *core_simd(void);

/* ---- spec.c, spec_layers.c: a model as its configuration describes it ---- */

enum pool { POOL_ADAPTIVE, POOL_SAME, POOL_VALID };
enum resize { RESIZE_ALIGN_CORNERS, RESIZE_HALF_PIXEL, RESIZE_ASYMMETRIC };
enum resize_to { TO_INPUT, TO_STRIDE_MULTIPLE };
enum concat { CONCAT_INPUT_FIRST, CONCAT_INPUT_LAST, CONCAT_BRANCHES };
enum compute { COMPUTE_FLOAT32, COMPUTE_BFLOAT16 };
enum output_as { AS_VALUES, AS_SOFTMAX, AS_ARGMAX };

enum layer_kind { LAYER_CONV, LAYER_BATCH_NORM, LAYER_ACTIVATION, LAYER_PRELU, LAYER_SOFTMAX };

/* Neighbouring channels that come from one place. */
struct part {
    size_t first, channels;
};

/* One layer of a stack. Owned by its stack; weights are NULL until model.c reads them. */
struct layer {
    enum layer_kind kind;
    const struct simd_ops *simd;      /* the model's, from its load on */
    size_t in_channels, out_channels; /* equal but for a conv */
    char weights_name[NAME_BYTES];    /* tensor names without suffix; empty: it has no weights */
    bool name_is_default;

    size_t kernel;              /* conv: 1 or 3 */
    bool has_bias;              /* conv */
    double eps;                 /* batch_norm */
    bool has_scale, has_center; /* batch_norm */
    enum simd_activation activation;
    float slope; /* leaky_relu */

    size_t norms_folded; /* conv: how many batch norms its scale and shift hold */
    /* conv: packed by conv_pack; its channels come in parts, those of the concat for the first conv
     * of a head, else one */
    float *panels;
    const struct simd_bfloat16 *bfloat16; /* panels hold pairs, for these: conv_narrow; else NULL */
    struct part *parts;
    size_t part_count;
    float *slopes; /* prelu: [out] */
    /* conv and batch_norm: y_c = scale[c] * (sum of products, or x_c) + shift[c]. Kept in double,
     * so that folding a norm into the conv before it rounds nothing. */
    double *scale, *shift;    /* [out] */
    float *scale32, *shift32; /* the same rounded, for the kernels; a conv has them */
    uint64_t parameters;      /* trained values read for this layer, folded norms included */
};

struct stack {
    struct layer *layers;
    size_t count;
    size_t in_channels, out_channels;
};

/* The pyramid's i-th branch: pool, stack, upsample. */
struct branch {
    size_t bin;                /* grid size, when the model has bins; else 0 */
    size_t window_h, window_w; /* pool size and stride in pixels, when it has windows */
    struct stack stack;
};

struct palette {
    uint8_t colours[LABELS_MAX][3]; /* red, green, blue */
    size_t count;                   /* 0: there is none */
};

struct output_spec {
    bool resizes;
    size_t scale, height, width; /* scale, or when it is 0 height x width */
    enum resize resize;
    enum output_as as;
    size_t classes; /* of an argmax, else 0 */
    struct palette palette;
};

struct weights_spec {
    char file[4096]; /* path as opened; empty: random */
    char prefix[NAME_BYTES];
    bool kernels_are_hwio;
    uint64_t seed;
};

struct spec {
    char name[NAME_BYTES];
    char *json; /* the configuration on one line */
    size_t channels;
    enum ppm_layout layout;
    struct branch *branches;
    size_t branch_count;
    enum pool pool;
    enum resize upsample;
    enum resize_to upsample_to;
    enum concat concat;
    struct stack head;                   /* count 0: none */
    struct part parts[BRANCHES_MAX + 1]; /* of the concat: the input (if it takes part) and each */
    size_t part_count;                   /* branch, in the concat's order */
    size_t concat_channels, output_channels;
    struct output_spec output;
    bool is_cascade;
    bool is_exact; /* no convolution by Winograd, which rounds more */
    enum compute compute;
    struct ppm_shape warm_up[WARM_UP_MAX];
    size_t warm_up_count;
    bool has_weights_key;
    struct weights_spec weights;
};

/* Reads the model configuration at path. *ret_spec is to be released in any case. */
enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error);
void spec_release(struct spec *spec);

struct json_place;

/* Reads a stack (a JSON list of layers) for in_channels. group and index give the default tensor
 * names: "branch.2.conv", "head.0.conv"; index is the branch's, and ignored for the head. */
enum ppm_status spec_read_stack(const json_t *list, const struct json_place *place,
                                const char *group, size_t index, size_t in_channels,
                                struct stack *ret_stack, struct ppm_error *error);
void spec_release_stack(struct stack *stack);

/* The member "palette" of a model's output, of so many classes; 0: it is no argmax. Without it
 * Pascal VOC's colours; none for more than LABELS_MAX classes. */
enum ppm_status palette_read(const json_t *output, const struct json_place *place, size_t classes,
                             struct palette *ret_palette, struct ppm_error *error);

/* The name that configurations use: "relu", "leaky_relu", ... */
const char *spec_activation_name(const struct layer *layer);

/* ---- panels.c: a convolution's weights as the kernels read them ---- */

/* Weights are packed for the register tile: output channels in panels of gemm_rows (the last one
 * narrower), each panel [K][rows of the panel], K = in_channels * kernel^2 in the order part, tap,
 * channel, so that each part's and each tap's weights are neighbours. */

/* Packs weights [out, in, kernel, kernel] into layer->panels, for layer->parts. */
enum ppm_status conv_pack(struct layer *layer, const float *weights,
                          const struct ppm_progress *progress, struct ppm_error *error);

/* Rounds them to bfloat16. A panel is [words][rows] then: two channels of a part and a tap are a
 * word, and where a part has an odd number of them, the last word's upper half is 0. */
enum ppm_status conv_narrow(struct layer *layer, const struct ppm_progress *progress,
                            struct ppm_error *error);

/* The words of a panel's column that stand for that many channels of one part and one tap, and for
 * all of K; and the bytes of all panels. */
size_t conv_words(const struct layer *layer, size_t channels);
size_t conv_panel_words(const struct layer *layer);
size_t conv_bytes(const struct layer *layer);

/* Panels of a conv, and the rows of the index-th. */
size_t conv_panel_count(const struct layer *layer);
size_t conv_panel_rows(const struct layer *layer, size_t index);

/* Where the weights of a panel for channels [first, ...) of a part and a tap begin; of pairs, first
 * is even. */
const float *conv_panel_at(const struct layer *layer, size_t index, size_t part, size_t tap,
                           size_t first);

/* The i-th weight of a row, from where its words begin, `rows` apart. */
float conv_weight(const struct layer *layer, const float *words, size_t rows, size_t i);

/* One tile of products with a conv's weights by the kernel for them. Runs over columns of float32
 * have these words. */
void conv_multiply(const struct layer *layer, const struct simd_gemm_tile *tile);
enum simd_words conv_float32_words(const struct layer *layer);

/* ---- bfloat16.c: models that compute with bfloat16 ---- */

/* A model's "compute", once "cascade" has been read. */
enum ppm_status bfloat16_read(const json_t *root, const struct json_place *place, struct spec *spec,
                              struct ppm_error *error);

/* PPM_BAD_CONFIG, for the model at path, unless its kernels have products of bfloat16. */
enum ppm_status bfloat16_require(const char *path, const struct simd_ops *ops,
                                 struct ppm_error *error);

/* Whether a conv of the model is computed so: in a model that asks for it, each but those that
 * Winograd's form fits, which is faster with float32 than the direct one with bfloat16. */
bool bfloat16_takes(const struct spec *spec, const struct layer *conv);

/* The share of float32's time that products of bfloat16 take, measured in some milliseconds. */
enum ppm_status bfloat16_measure(const struct simd_ops *ops, double *ret_share,
                                 struct ppm_error *error);

/* ---- model.c ---- */

struct ppm_model {
    uint64_t id;                 /* of this load, unlike every other's in the process */
    const struct simd_ops *simd; /* the kernels that its weights are packed for */
    struct spec spec;
    uint64_t parameters, parameters_bytes;
    double compute_share; /* of float32's time: bfloat16_measure; 0: it computes with float32 */
    struct ppm_compute_error compute_error;
};

/* Rounds the weights of a model that was loaded as float32 to bfloat16, and notes what difference
 * that makes to its answers. */
enum ppm_status model_to_bfloat16(struct ppm_model *model, const struct ppm_progress *progress,
                                  struct ppm_error *error);

/* ---- geometry.c: every size that follows from an input's H and W ---- */

struct branch_geometry {
    size_t window_h, window_w; /* same, valid: pool size and stride; adaptive: 0 */
    size_t pooled_h, pooled_w;
    size_t pad_top, pad_left; /* same: padding before the first row and column */
    size_t target_h, target_w;
};

struct geometry {
    struct ppm_shape input;
    struct branch_geometry branches[BRANCHES_MAX];
    size_t h, w; /* of the concat and the head */
    struct ppm_shape output;
    bool needs_resize; /* the output stage changes H x W */
};

enum ppm_status geometry_of(const struct spec *spec, struct ppm_shape input,
                            struct geometry *ret_geometry, struct ppm_error *error);

/* Whether anything is done to the head's result: it is resized, soft-maxed or arg-maxed. */
bool geometry_has_output(const struct spec *spec, const struct geometry *geometry);

/* The pixels [ret_from, ret_to) of an axis of extent pixels that bin k of bins covers:
 * adaptive floor(k * extent / bins) .. ceil((k + 1) * extent / bins). */
void geometry_adaptive_bin(size_t k, size_t bins, size_t extent, size_t *ret_from, size_t *ret_to);

/* The same for a window of that size and stride whose first one begins pad pixels early. */
void geometry_window(size_t k, size_t window, size_t pad, size_t extent, size_t *ret_from,
                     size_t *ret_to);

/* Where output pixel i of an axis reads: (1 - weight) * x[low] + weight * x[high]. */
struct resize_tap {
    size_t low, high;
    double weight;
};
struct resize_tap geometry_tap(enum resize mode, size_t i, size_t in, size_t out);

/* The same in two steps: low + weight, which is what plans keep, and what it stands for. */
double geometry_source(enum resize mode, size_t i, size_t in, size_t out);
static inline struct resize_tap geometry_tap_at(double source, size_t in)
{
    const size_t before = (size_t)source, low = before < in ? before : in - 1;
    return (struct resize_tap){
        .low = low, .high = low + 1 < in ? low + 1 : low, .weight = source - (double)low};
}

/* ---- reference_ops.c: the operators as plain loops, double accumulators ---- */

/* ret[planes][pooled_h][pooled_w] = mean of x[planes][h][w] over each bin */
void reference_pool(const struct run *run, const float *x, size_t planes, size_t h, size_t w,
                    enum pool pool, const struct branch_geometry *branch, float *ret);

/* ret[n][c] (at n * ret_stride + c * out_h * out_w) = bilinear resize of x[n][c], n < batches */
void reference_resize(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t h, size_t w, enum resize mode, size_t out_h, size_t out_w, float *ret,
                      size_t ret_stride);

/* One layer over [n, in, h, w] -> [n, out, h, w]; x == ret is allowed but for a conv. */
void reference_layer(const struct run *run, const struct layer *layer, const float *x,
                     size_t batches, size_t h, size_t w, float *ret);

/* Softmax over channels, in place. */
void reference_softmax(const struct run *run, float *x, size_t batches, size_t channels, size_t h,
                       size_t w);

/* ret[n][pixel] = lowest c with the largest x[n][c][pixel]; NaN counts as larger than all. */
void reference_argmax(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t pixels, int32_t *ret);

/* ---- reference.c ---- */

/* Channels of the widest map within a stack, its input included. */
size_t stack_widest(const struct stack *stack);

/* The layers of a stack over x, in turn through the two buffers, each [n, widest, h, w]; returns
 * where the result stands (x when there are none). Abandoned, that may be narrower than the result
 * and must not be read. */
const float *reference_stack(const struct run *run, const struct stack *stack, const float *x,
                             size_t n, size_t h, size_t w, float *buffers[2]);

/* What reference_run allocates on the way for geometry, in bytes, saturating. */
size_t reference_working_bytes(const struct spec *spec, const struct geometry *geometry);

/* The literal graph: y [output] = model(x [N, C, H, W]), both NCHW, y int32 for argmax. */
enum ppm_status reference_run(const struct spec *spec, const struct geometry *geometry,
                              const float *x, void *y, const struct run *run,
                              struct ppm_stage_times *times, struct ppm_error *error);

/* ---- stages.c ---- */

/* Fills in all but the head, then turns all into their layout. x is NCHW. */
enum ppm_status stages_run(const struct ppm_model *model, const struct geometry *g, const float *x,
                           const struct run *run, const struct ppm_stages *stages,
                           struct ppm_error *error);

/* Where the head's result belongs; NULL: it is not wanted, or no stage of its own. */
float *stages_head(const struct ppm_stages *stages);

/* ---- pooling.c ---- */

/* Whether it is of this model and of x. */
bool pooling_fits(const struct ppm_pooling *pooling, const struct ppm_model *model,
                  const struct ppm_tensor *x);

/* ---- costs.c ---- */

/* 2 * multiply-adds of a layer over pixels; what is not a convolution counts as free. */
uint64_t layer_flops(const struct layer *layer, uint64_t pixels);

/* What the folded graph takes one thread, roughly, with the weights at hand. */
double costs_map_us(const struct spec *spec, const struct geometry *geometry);

/* ---- plan.c ---- */

/* PPM_CANCELLED where the run is abandoned meanwhile. */
struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error);

/* ---- engine.c ---- */

/* The same as reference_run by the folded form, x and y in their layouts; y has its data. */
enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *x, struct ppm_tensor *y,
                           const struct run *run, struct ppm_stage_times *times,
                           struct ppm_error *error);

#endif

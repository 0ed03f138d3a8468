/*
 * ppm.h - pyramid pooling networks, computed: the library libppm, and the door of core/.
 *
 *     struct ppm_error error = {0};
 *     struct ppm_model *model = ppm_model_load("configs/models/fast-scnn.json", NULL, &error);
 *     struct ppm_tensor x, y = {0};                       // x: filled by the caller
 *     if (!model || ppm_run(model, &x, NULL, &y, &error) != PPM_OK)
 *         fprintf(stderr, "%s\n", error.text);
 *     ppm_tensor_free(&y);
 *     ppm_model_free(model);
 *
 * What a model computes for x [N, C, H, W] and bins b_0, b_1, ... (Zhao et al., "Pyramid Scene
 * Parsing Network", CVPR 2017):
 *
 *     p_i = pool(x, b_i)              [N, C,  ph, pw]
 *     r_i = branch_i(p_i)             [N, Ci, ph, pw]
 *     u_i = upsample(r_i)             [N, Ci, H,  W ]
 *     y   = output(head(concat(x, u_0, u_1, ...)))
 *
 * Errors: a function that can fail takes a struct ppm_error (never NULL), returns a status or NULL,
 * and leaves its ret_ arguments untouched on failure. Destructors accept NULL.
 * Threads: a model is immutable after ppm_model_load, and threads may share it. Every other object
 * belongs to one thread at a time.
 * Nothing here prints, opens a socket, or ends the process, except that an assertion stops a
 * program that breaks these rules.
 */
#ifndef PPM_CORE_PPM_H
#define PPM_CORE_PPM_H

#include "core/base/size.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libppm exports what is declared between push and pop. All else is hidden in it. */
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library: "1.2.3". */
const char *ppm_version(void);

/* Why something was refused. */
enum ppm_status {
    PPM_OK = 0,
    PPM_MALFORMED,  /* bytes that are not what they claim to be */
    PPM_UNFIT,      /* well-formed, but the model does not take it */
    PPM_TOO_LARGE,  /* beyond a configured limit */
    PPM_BAD_CONFIG, /* a configuration, a weights file or a setting was refused */
    PPM_IO,         /* a file could not be read or written */
    PPM_NO_MEMORY,  /* an allocation failed */
    PPM_CANCELLED,  /* is_cancelled returned true: ppm_run_options, ppm_progress */
};

enum { PPM_ERROR_TEXT_BYTES = 512 };

/* Owned by the caller. Starts as {0}, and keeps the first cause. */
struct ppm_error {
    enum ppm_status status;
    char text[PPM_ERROR_TEXT_BYTES]; /* one sentence: where, what was found, what was expected */
};

/* Records status and text (printf style) in *error unless it already has a cause.
 * Returns error->status, for "return ppm_fail(...)". */
enum ppm_status ppm_fail(struct ppm_error *error, enum ppm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The plural ending of a noun after a count: "" after 1, otherwise "s". */
static inline const char *ppm_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- tensors ------------------------------------------------------------------------------- */

enum ppm_layout { PPM_NCHW, PPM_NHWC };
enum ppm_dtype { PPM_FLOAT32, PPM_INT32 }; /* 4 bytes per element */

/* The extents by meaning, in any layout. */
struct ppm_shape {
    size_t n, c, h, w;
};

enum { PPM_INPUTS_MAX = 8 };

/* The sizes of a request: all that a run's costs and plan depend on, besides the model. */
struct ppm_sizes {
    struct ppm_shape inputs[PPM_INPUTS_MAX]; /* in the order of ppm_model_info.inputs */
    size_t count;
    size_t output_h, output_w; /* wanted of the output; 0, 0: the model's own */
    /* Of the first input, the pixels at its top and left that an output of output_h x output_w
     * pixels is of, after the logits were stretched to all of it. 0, 0: all of it */
    size_t image_h, image_w;
    bool is_soft; /* the output is softmax instead of argmax, sigmoid instead of a threshold's 0 and
                   * 1, in float32 */
};

/* data is n * c * h * w elements in the order of layout, without gaps. ppm_tensor_allocate aligns
 * it to 64 bytes. {0} is a valid empty tensor. */
struct ppm_tensor {
    struct ppm_shape shape;
    enum ppm_layout layout;
    enum ppm_dtype dtype;
    bool is_batch; /* false: without the N axis, in requests and answers (n is 1) */
    void *data;
};

/* The layout named "NCHW" or "NHWC", case-sensitively. False for any other name. */
bool ppm_layout_from_name(const char *name, enum ppm_layout *ret_layout);
const char *ppm_layout_name(enum ppm_layout layout);
const char *ppm_dtype_name(enum ppm_dtype dtype); /* "float32", "int32" */

/* *ret_bytes = 4 * n * c * h * w. PPM_MALFORMED if an extent is 0 or the product overflows. */
enum ppm_status ppm_shape_bytes(struct ppm_shape shape, size_t *ret_bytes, struct ppm_error *error);

/* Writes the extents in memory order: [N, C, H, W] or [N, H, W, C], without N unless is_batch.
 * Returns their number, 3 or 4. */
size_t ppm_tensor_axes(const struct ppm_tensor *tensor, size_t axes[4]);

/* The reverse: sets shape, is_batch and layout of *ret_tensor from count (3 or 4) extents in the
 * order of layout. PPM_MALFORMED for another count, an extent of 0, or a product that overflows. */
enum ppm_status ppm_tensor_from_axes(const size_t *axes, size_t count, enum ppm_layout layout,
                                     struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* Of count tensors, at most PPM_INPUTS_MAX, and the model's own size of the output. */
struct ppm_sizes ppm_sizes_of(const struct ppm_tensor *tensors, size_t count);

/* Allocates data, uninitialized, for the shape of *tensor. ppm_tensor_free or free() frees it. */
enum ppm_status ppm_tensor_allocate(struct ppm_tensor *tensor, struct ppm_error *error);
void ppm_tensor_free(struct ppm_tensor *tensor);

/* Conversions of count values by the kernel set that ppm_isa_select chose, from any thread. ret
 * must not overlap the input.
 *
 * ret[i] = float(half[i]), exactly, including subnormal numbers. NaN stays NaN and keeps its sign.
 */
void ppm_float16_to_float32(const uint16_t *half, float *ret, size_t count);
void ppm_bfloat16_to_float32(const uint16_t *half, float *ret, size_t count);

/* ret[i] = x[i] rounded to the nearest float16, ties to even. Magnitudes from 65520 up become Inf,
 * those below 2^-14 subnormal, those up to 2^-25 zero. NaN stays NaN and keeps its sign. */
void ppm_float32_to_float16(const float *x, uint16_t *ret, size_t count);
/* The same to bfloat16: the range of float32, with 8 significant bits. */
void ppm_float32_to_bfloat16(const float *x, uint16_t *ret, size_t count);

/* ---- models -------------------------------------------------------------------------------- */

struct ppm_model; /* opaque; immutable after load */

/* Called during a load; both may be NULL. */
struct ppm_progress {
    /* The step being done, and the share of the load that is done, in [0, 1]. */
    void (*report)(void *context, const char *what, double share);
    /* Asked every few milliseconds; true abandons the load with PPM_CANCELLED. */
    bool (*is_cancelled)(void *context);
    void *context;
};

/* What a JSON file says of the files of a model. */
struct ppm_model_files {
    bool is_model;      /* it has "input" or "inputs", as every model has */
    char weights[4096]; /* the path of its weights; "": random, or none */
};

/* Reads only what it needs of the JSON at path. PPM_BAD_CONFIG if that is malformed, or
 * PPM_NO_MEMORY. */
enum ppm_status ppm_model_files(const char *path, struct ppm_model_files *ret_files,
                                struct ppm_error *error);

/* Reads the model's JSON at path and its weights, checks both, folds the norms.
 * progress may be NULL. Returns NULL with PPM_BAD_CONFIG, PPM_IO, PPM_NO_MEMORY or PPM_CANCELLED in
 * *error, whose text names the file and the JSON path or tensor. The caller frees the model. */
struct ppm_model *ppm_model_load(const char *path, const struct ppm_progress *progress,
                                 struct ppm_error *error);
void ppm_model_free(struct ppm_model *model);

/* How much bfloat16 changes a model's answer, measured with inputs of random numbers in [-1, 1):
 * the largest difference of any value, relative to the largest value; for labels, the share of
 * pixels with a different one. */
struct ppm_compute_error {
    double error;
    struct ppm_sizes sizes; /* count is 0 if none were tried or a value was not finite */
};

struct ppm_input_info {
    const char *name;
    size_t channels;
};

/* A class, as the model's JSON names it. */
struct ppm_class_info {
    const char *name;
    uint8_t color[3]; /* red, green, blue; that of the palette, if there is one */
};

struct ppm_image_info; /* core/image/image.h */

/* What is known about a model without its inputs' sizes. Strings live as long as the model. */
struct ppm_model_info {
    const char *name;
    const char *config_json; /* the configuration, on one line of JSON */
    const char *unused;      /* "inputs.b, network[3]": inputs and entries of a network that nothing
                              * reads; such entries are left out. "": there are none */
    struct ppm_input_info inputs[PPM_INPUTS_MAX];
    size_t input_count; /* at least 1 */
    bool pools_input;   /* it may be pooled as it arrives: struct ppm_pooling */
    size_t output_channels;
    enum ppm_layout layout; /* of inputs and outputs, unless a request names one */
    enum ppm_dtype output_dtype;
    size_t classes;              /* labels are below it; 0: y is no map of labels */
    const uint8_t (*palette)[3]; /* red, green and blue of each label; NULL: no labels, or more */
    size_t palette_count;        /* than 256 */
    /* [class_count] names of labels, or of the output's channels; NULL, 0: there are none */
    const struct ppm_class_info *class_list;
    size_t class_count;
    bool takes_images;                  /* ppm_image_run */
    const struct ppm_image_info *image; /* what it does with them; NULL: it takes none */
    uint64_t parameters;                /* trained values, including batch norm statistics */
    uint64_t parameters_bytes;          /* the memory they take */
    const char *isa;      /* the kernel set the weights are packed for: "avx512", ... */
    const char *compute;  /* "float32" or "bfloat16" */
    double compute_share; /* bfloat16: time of its products as a share of float32's, measured at
                           * load; near 1 or above, it does not pay. 0 for float32 */
    struct ppm_compute_error compute_error; /* bfloat16: measured at load */
    size_t layer_count;                     /* for ppm_model_layers */
    size_t step_count; /* for ppm_model_steps: at least 2; 0 for a model that is only computed by
                        * the literal graph */
    const struct ppm_sizes *warm_up; /* to prepare for before the first request */
    size_t warm_up_count;
};
void ppm_model_info(const struct ppm_model *model, struct ppm_model_info *ret_info);

/* What one request of such sizes takes to compute. */
struct ppm_costs {
    struct ppm_shape output;
    uint64_t flops_literal; /* 2 * multiply-adds of all convolutions of the literal graph */
    uint64_t flops_folded;  /* with the bottleneck folded (ARCHITECTURE.md); same result */
    size_t input_bytes;     /* of all inputs */
    size_t output_bytes;
    size_t plan_bytes;    /* of a struct ppm_plan; 0: a run uses none */
    size_t scratch_bytes; /* of ppm_run_options.scratch; 0: a run uses none */
    size_t working_bytes; /* all that ppm_run allocates: the output, a plan and scratch */
    size_t pooling_bytes; /* of a struct ppm_pooling; 0: there is none */
    size_t pooled_bytes;  /* of scratch that a run with a ppm_pooling leaves unused */
    double one_thread_us; /* rough time on one thread, with the weights in cache */
    double weights_us;    /* time to read the weights from memory, once for a batch of any size */
};

/* Checks sizes against the model, and tells what a run takes in the given layout on up to `threads`
 * threads. Bytes of a run stop at SIZE_MAX.
 * PPM_UNFIT, naming the sizes, if the model does not take them: wrong channels, a pooling window of
 * 0 or larger than the input, branches of different sizes. PPM_TOO_LARGE if inputs or output
 * overflow memory. */
enum ppm_status ppm_model_costs(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                enum ppm_layout layout, int threads, struct ppm_costs *ret_costs,
                                struct ppm_error *error);

/* One line of a model's description: a layer, or a branch's. */
struct ppm_layer_info {
    char where[280];        /* "branch 0 (bin 1)", "head"; of a network: the entry's name or place,
                             * and its weights' name: "stem", "network[3] layer1.0.conv1" */
    char what[224];         /* "conv 3x3 2048 -> 512, batch_norm folded, Winograd F(4x4, 3x3)" */
    struct ppm_shape shape; /* of its result, for the given sizes */
    uint64_t parameters;    /* of this layer, and of the norms that are folded into it */
    uint64_t flops;         /* literal, for the given sizes */
};

/* Fills in ppm_model_info.layer_count of them, in the order of the graph. Without sizes (NULL),
 * shape and flops are 0. PPM_UNFIT and PPM_TOO_LARGE as for ppm_model_costs, or PPM_NO_MEMORY. */
enum ppm_status ppm_model_layers(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 struct ppm_layer_info *ret_layers, struct ppm_error *error);

/* One step of a run: what is computed together (ARCHITECTURE.md). */
struct ppm_step_info {
    char where[280];   /* of its first layer, as in struct ppm_layer_info; the last is "output" */
    char what[224];    /* "conv 1x1 64 -> 256, no bias, batch_norm folded, product + add + relu" */
    uint64_t flops;    /* of its convolutions, for the given sizes, folded */
    bool is_effective; /* it multiplies less than that: Winograd does, for one */
};

/* Fills in ppm_model_info.step_count of them, in the order in which they are computed. PPM_UNFIT
 * and PPM_TOO_LARGE as for ppm_model_costs, or PPM_NO_MEMORY. */
enum ppm_status ppm_model_steps(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                struct ppm_step_info *ret_steps, struct ppm_error *error);

/* ---- computing ----------------------------------------------------------------------------- */

/* Wall-clock milliseconds of each stage of one ppm_run. */
struct ppm_stage_times {
    double pool_ms, branches_ms, head_ms, output_ms;
};

/* Pools the x of a model with one input, in NCHW, while it arrives: one plane after the other, each
 * while it is in cache. One thread does it. */
struct ppm_pooling;

/* For an x of the given shape. room may be the caller's memory for it: ppm_costs.pooling_bytes,
 * aligned to 64 bytes; NULL: it is allocated. Model and room must outlive it. NULL with PPM_UNFIT,
 * PPM_TOO_LARGE or PPM_NO_MEMORY. The caller frees it. */
struct ppm_pooling *ppm_pooling_create(const struct ppm_model *model, struct ppm_shape shape,
                                       void *room, struct ppm_error *error);
void ppm_pooling_free(struct ppm_pooling *pooling);

/* Pools the planes [H, W] that are complete since the last call: the first count values of x have
 * arrived. x may have moved in between. */
void ppm_pooling_feed(struct ppm_pooling *pooling, const float *x, size_t count);

/* ---- runs ---- */

struct ppm_plan;
struct ppm_stages; /* core/stages.h */

struct ppm_run_options {
    int threads;    /* OpenMP threads to use; 0: ppm_default_threads() */
    bool reference; /* the literal graph in double precision, whatever else could serve */
    /* True abandons the run with PPM_CANCELLED. Each thread asks after some ten thousand values, so
     * it should return within some ten nanoseconds. */
    bool (*is_cancelled)(void *context);
    void *cancel_context;
    struct ppm_stage_times *ret_times; /* may be NULL */
    double *ret_step_ms; /* [ppm_model_info.step_count] wall-clock milliseconds; NULL: not wanted.
                          * The literal graph does not fill it in. */
    size_t output_h, output_w; /* as in struct ppm_sizes */
    /* Made for this model and these sizes. NULL: the run makes its own. */
    struct ppm_plan *plan;
    /* Memory for intermediate results, aligned to 64 bytes; ppm_costs.scratch_bytes are enough. If
     * it is NULL or too small, the run allocates its own. */
    void *scratch;
    size_t scratch_bytes;
    /* Made for this model and this x, not changed: the run pools only the missing planes, with the
     * same bits. NULL: it pools all of x. */
    const struct ppm_pooling *pooling;
    /* Intermediate results to fill in, placed, for this model and these sizes. NULL: none. */
    const struct ppm_stages *stages;
};

/* What follows from a model and the H and W of its inputs and output: made in O(H + W), to keep for
 * further runs of these sizes, whatever their N. Runs note their speed in it. options may be NULL,
 * or abandon it. NULL with PPM_UNFIT, PPM_TOO_LARGE, PPM_NO_MEMORY or PPM_CANCELLED. It may outlive
 * its model; then it fits no other. The caller frees it. */
struct ppm_plan *ppm_plan_create(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 const struct ppm_run_options *options, struct ppm_error *error);
bool ppm_plan_fits(const struct ppm_plan *plan, const struct ppm_model *model,
                   const struct ppm_sizes *sizes);
void ppm_plan_free(struct ppm_plan *plan);

/* y = model(inputs): as many as ppm_model_info.input_count, in their order, float32, all in the
 * same layout and with the same is_batch. *ret_y receives its shape and dtype, and the layout and
 * is_batch of the inputs. ret_y->data may be memory for the answer (ppm_costs.output_bytes, aligned
 * to 64 bytes); NULL: it is allocated. options may be NULL. A run with a plan, scratch and memory
 * for the answer allocates nothing. OpenMP keeps a team for each thread that asks for several
 * threads, so only one thread of the process should. */
enum ppm_status ppm_run(const struct ppm_model *model, const struct ppm_tensor *inputs,
                        const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                        struct ppm_error *error);

/* Calls work(context, i) for each i in [0, threads), each on its own thread of the caller's OpenMP
 * team; returns when all calls have returned. A run within work must use one thread
 * (options->threads = 1). */
void ppm_on_threads(int threads, void (*work)(void *context, int index), void *context);

/* The cores that this process may use. */
struct ppm_cores {
    int affinity; /* in its affinity mask, at least 1 */
    int quota;    /* by its cgroups' tightest CPU quota, rounded up; 0: there is none */
};
void ppm_count_cores(struct ppm_cores *ret_cores);

/* The smaller of the two. */
int ppm_default_threads(void);

/* The chosen kernel set: "scalar", "avx2", "avx512" or "neon". */
const char *ppm_isa_name(void);

/* Chooses the kernel set for models that are loaded from now on, by name; the best one if name is
 * NULL or empty. Loaded models keep the set that their weights are packed for (ppm_model_info.isa).
 * PPM_BAD_CONFIG, naming the available sets, if this build or this CPU lacks it. Any thread may
 * call. */
enum ppm_status ppm_isa_select(const char *name, struct ppm_error *error);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#include "core/base/file.h"   /* files and JSON */
#include "core/image/image.h" /* images as inputs */
#include "core/stages.h"      /* intermediate results */

#endif

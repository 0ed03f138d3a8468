/*
 * ppm.h - the door of core/: pyramid pooling modules, computed.
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
 * Errors: functions that can fail take a struct ppm_error (never NULL), return a status or NULL,
 * and leave their ret_ arguments untouched when they fail. Destructors accept NULL.
 * Threads: a model is immutable after ppm_model_load and may be shared; every other object belongs
 * to one thread at a time.
 */
#ifndef PPM_CORE_PPM_H
#define PPM_CORE_PPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why something was refused. */
enum ppm_status {
    PPM_OK = 0,
    PPM_MALFORMED,  /* bytes that are not what they claim to be */
    PPM_UNFIT,      /* well-formed, but not fit for the model */
    PPM_TOO_LARGE,  /* beyond a configured limit */
    PPM_BAD_CONFIG, /* a configuration or weights file was refused */
    PPM_IO,         /* a file could not be read or written */
    PPM_NO_MEMORY,  /* an allocation failed */
    PPM_CANCELLED,  /* is_cancelled said so: ppm_run_options, ppm_progress */
};

enum { PPM_ERROR_TEXT_BYTES = 512 };

/* Owned by the caller; starts as {0}; keeps the first cause. */
struct ppm_error {
    enum ppm_status status;
    char text[PPM_ERROR_TEXT_BYTES]; /* one sentence: where, what was found, what was expected */
};

/* Records status and text (printf style) in *error unless it already holds a cause.
 * Returns error->status, so that "return ppm_fail(...)" reads well. */
enum ppm_status ppm_fail(struct ppm_error *error, enum ppm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a noun after a count ends with: "" after 1, "s" after any other. */
static inline const char *ppm_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- tensors ------------------------------------------------------------------------------- */

enum ppm_layout { PPM_NCHW, PPM_NHWC };
enum ppm_dtype { PPM_FLOAT32, PPM_INT32 }; /* both are 4 bytes an element */

/* The extents by meaning, whatever the layout in memory. */
struct ppm_shape {
    size_t n, c, h, w;
};

/* data holds n*c*h*w elements in layout order, rows without gaps, 64-byte aligned when it comes
 * from ppm_tensor_allocate. {0} is a valid empty tensor. */
struct ppm_tensor {
    struct ppm_shape shape;
    enum ppm_layout layout;
    enum ppm_dtype dtype;
    bool is_batch; /* false: sent, and to be answered, without the N axis (then n == 1) */
    void *data;
};

/* Looks a name up, case-sensitively: "NCHW" or "NHWC". Returns false for any other. */
bool ppm_layout_from_name(const char *name, enum ppm_layout *ret_layout);
const char *ppm_layout_name(enum ppm_layout layout);
const char *ppm_dtype_name(enum ppm_dtype dtype); /* "float32", "int32" */

/* *ret_bytes = 4 * n * c * h * w. PPM_MALFORMED if an extent is 0 or the product overflows. */
enum ppm_status ppm_shape_bytes(struct ppm_shape shape, size_t *ret_bytes, struct ppm_error *error);

/* The extents in memory order, 3 or 4 of them: [N, C, H, W], [N, H, W, C], or without N.
 * Returns how many were written to axes. */
size_t ppm_tensor_axes(const struct ppm_tensor *tensor, size_t axes[4]);

/* The reverse: reads count (3 or 4) extents in the order of layout into shape and is_batch of
 * *ret_tensor, and sets its layout. PPM_MALFORMED for another count, an extent of 0, or a product
 * that overflows. Does not touch data or dtype. */
enum ppm_status ppm_tensor_from_axes(const size_t *axes, size_t count, enum ppm_layout layout,
                                     struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* Gives *tensor, whose shape is set, data of its own (uninitialised). The caller frees it with
 * ppm_tensor_free, or hands data on: it may be freed with free(). */
enum ppm_status ppm_tensor_allocate(struct ppm_tensor *tensor, struct ppm_error *error);
void ppm_tensor_free(struct ppm_tensor *tensor);

/* Conversions of count values by the chosen kernel set (ppm_isa_select); ret overlaps nothing else.
 * Any thread may call.
 *
 * ret[i] = float(half[i]), exactly: subnormal numbers too. NaN stays NaN, of its sign. */
void ppm_float16_to_float32(const uint16_t *half, float *ret, size_t count);
void ppm_bfloat16_to_float32(const uint16_t *half, float *ret, size_t count);

/* ret[i] = x[i] rounded to nearest, ties to even: from 65520 in magnitude on to Inf of float16,
 * from 2^-14 down to its subnormal numbers, from 2^-25 down to zero. NaN stays NaN, of its sign. */
void ppm_float32_to_float16(const float *x, uint16_t *ret, size_t count);
/* The same to the upper half of a float32: its range, 8 significant bits. */
void ppm_float32_to_bfloat16(const float *x, uint16_t *ret, size_t count);

/* ---- models -------------------------------------------------------------------------------- */

struct ppm_model; /* opaque; immutable after load */

/* Called during a load; both may be NULL. */
struct ppm_progress {
    /* What is being done, and the share done in [0, 1]. */
    void (*report)(void *context, const char *what, double share);
    /* Asked every few milliseconds; true abandons the load with PPM_CANCELLED. */
    bool (*is_cancelled)(void *context);
    void *context;
};

/* Reads the model's JSON at path and its weights, checks both, folds the norms.
 * progress may be NULL. Returns NULL with PPM_BAD_CONFIG, PPM_IO, PPM_NO_MEMORY or PPM_CANCELLED in
 * *error, whose text names the file and the JSON path or tensor. The caller frees the model. */
struct ppm_model *ppm_model_load(const char *path, const struct ppm_progress *progress,
                                 struct ppm_error *error);
void ppm_model_free(struct ppm_model *model);

/* How far a model's answer is from the one with float32, for one x of random numbers in [-1, 1):
 * the largest difference of any value over the largest value, or for classes the share of pixels
 * that get another one. */
struct ppm_compute_error {
    double error;
    struct ppm_shape shape; /* of that x; n is 0 where none was tried, or gave what is not finite */
};

/* What there is to know about a model without a shape; strings live as long as the model. */
struct ppm_model_info {
    const char *name;
    const char *config_json; /* the configuration as it was read, one line of JSON */
    size_t channels;         /* C of the input */
    size_t output_channels;
    enum ppm_layout layout; /* of inputs and outputs, unless a request says otherwise */
    enum ppm_dtype output_dtype;
    size_t classes;              /* of a model that answers labels: they are below; else 0 */
    const uint8_t (*palette)[3]; /* red, green and blue of each label; NULL: it answers none, or */
    size_t palette_count;        /* more than the 256 that a palette holds */
    uint64_t parameters;         /* trained values, batch norm statistics included */
    uint64_t parameters_bytes;   /* held in memory for them */
    const char *isa;             /* the kernel set that it was loaded for: "avx512", ... */
    const char *compute;         /* "float32" or "bfloat16" */
    double compute_share; /* of bfloat16: of the time that products of float32 take, measured at
                           * load; near 1 and above it does not pay. 0 for float32 */
    struct ppm_compute_error compute_error; /* of bfloat16, measured at load */
    size_t layer_count;                     /* for ppm_model_layer */
    const struct ppm_shape *warm_up; /* inputs worth being prepared for before the first request */
    size_t warm_up_count;
};
void ppm_model_info(const struct ppm_model *model, struct ppm_model_info *ret_info);

/* What one request of a shape takes. */
struct ppm_costs {
    struct ppm_shape output;
    uint64_t flops_literal; /* 2 * multiply-adds of every convolution as the graph is written */
    uint64_t flops_folded;  /* the same result with the bottleneck folded (ARCHITECTURE.md) */
    size_t input_bytes, output_bytes;
    size_t plan_bytes;    /* of a struct ppm_plan; 0: a run takes none */
    size_t scratch_bytes; /* of ppm_run_options.scratch; 0: a run takes none */
    size_t working_bytes; /* all that ppm_run allocates: the output, a plan and scratch */
    size_t pooling_bytes; /* of a struct ppm_pooling; a run that is given one leaves so much of */
    size_t pooled_bytes;  /* its scratch unused */
    double one_thread_us; /* of computing it, roughly, with the weights at hand */
    double weights_us;    /* of fetching the weights from memory: once for a batch of any size */
};

/* Checks input against the model and tells what it would take in that layout, on one thread or on
 * that many.
 * PPM_UNFIT, naming the sizes, when the model cannot take it: wrong channels, a pooling window of
 * 0 or beyond the input, branches whose sizes differ; PPM_TOO_LARGE when bytes overflow. The bytes
 * that a run takes stop at SIZE_MAX. */
enum ppm_status ppm_model_costs(const struct ppm_model *model, struct ppm_shape input,
                                enum ppm_layout layout, int threads, struct ppm_costs *ret_costs,
                                struct ppm_error *error);

/* One line of a model's description; input may be NULL, then flops is 0. */
struct ppm_layer_info {
    char where[96];      /* "branch 0 (bin 1)", "head" */
    char what[112];      /* "conv 3x3 2048 -> 512, batch_norm folded, Winograd F(4x4, 3x3)" */
    uint64_t parameters; /* of this layer */
    uint64_t flops;      /* literal, for the given input */
};
enum ppm_status ppm_model_layer(const struct ppm_model *model, size_t index,
                                const struct ppm_shape *input, struct ppm_layer_info *ret_info,
                                struct ppm_error *error);

/* ---- computing ----------------------------------------------------------------------------- */

/* Wall-clock milliseconds of each stage of one ppm_run. */
struct ppm_stage_times {
    double pool_ms, branches_ms, head_ms, output_ms;
};

/* The pooling of an x that is still on its way, in NCHW: planes are pooled as they come, each while
 * it is in a cache, by one thread. */
struct ppm_pooling;

/* For an x of that shape. room may be memory for it (ppm_costs.pooling_bytes, 64-byte aligned), the
 * caller's; NULL: it is allocated. Model and room must outlive it. NULL with PPM_UNFIT,
 * PPM_TOO_LARGE or PPM_NO_MEMORY. The caller frees it. */
struct ppm_pooling *ppm_pooling_create(const struct ppm_model *model, struct ppm_shape shape,
                                       void *room, struct ppm_error *error);
void ppm_pooling_free(struct ppm_pooling *pooling);

/* The first count values of x are there: pools the planes [H, W] that are whole and that it was not
 * told of before. x may have moved since. */
void ppm_pooling_feed(struct ppm_pooling *pooling, const float *x, size_t count);

/* ---- inner results ----
 *
 * What stands between x and y, for whoever ports a network or wants to see it, in the order of the
 * graph at the top of this file:
 *
 *     cascade               [N, C,  H,  W ]  of a cascade alone: x after its rounds
 *     branch.<i>.pooled      [N, C,  ph, pw]  p_i
 *     branch.<i>.output      [N, Ci, ph, pw]  r_i
 *     branch.<i>.upsampled   [N, Ci, H,  W ]  u_i
 *     head                  [N, Ch, H,  W ]  before the output stage, where there is one
 *
 * Those of the branches are the literal graph's, summed in double precision; the head is the run's
 * own. */

enum { PPM_STAGES_MAX = 3 * 64 + 2, PPM_STAGE_NAME_BYTES = 32 };

struct ppm_stage {
    char name[PPM_STAGE_NAME_BYTES]; /* "branch.0.pooled" */
    struct ppm_tensor tensor;        /* float32, in x's layout */
};

struct ppm_stages {
    size_t count;
    size_t bytes;                              /* of all their data */
    size_t working_bytes;                      /* that computing them takes beside that */
    struct ppm_stage list[PPM_STAGES_MAX + 1]; /* and y, if whoever holds them appends it */
};

/* Lists them for an x, whose data is not read; theirs is NULL. PPM_UNFIT and PPM_TOO_LARGE as
 * ppm_model_costs. */
enum ppm_status ppm_model_stages(const struct ppm_model *model, const struct ppm_tensor *x,
                                 struct ppm_stages *ret_stages, struct ppm_error *error);

/* Gives them room for their data, one behind the other: stages->bytes of memory, aligned as floats
 * are, which stays the caller's. */
void ppm_stages_place(struct ppm_stages *stages, void *memory);

/* ---- runs ---- */

struct ppm_plan;

struct ppm_run_options {
    int threads;    /* OpenMP threads to use; 0: ppm_default_threads() */
    bool reference; /* the literal graph in double precision, whatever else could serve */
    /* Asked by all threads, each after some ten thousand values, so it should take no more than
     * some ten nanoseconds; true abandons the run with PPM_CANCELLED. */
    bool (*is_cancelled)(void *context);
    void *cancel_context;
    struct ppm_stage_times *ret_times; /* may be NULL */
    /* Of this model and x's H and W: the run need not make one. NULL: it does. */
    struct ppm_plan *plan;
    /* Memory for intermediates, 64-byte aligned; ppm_costs.scratch_bytes of it are enough. Where it
     * is NULL or too little, the run allocates what it takes. */
    void *scratch;
    size_t scratch_bytes;
    /* Of this model and this x: the run pools no more than the planes that are missing, and gives
     * the same bits. Not changed; NULL: all of x is to be pooled. */
    const struct ppm_pooling *pooling;
    /* Those of this model and this x, with room: filled in as well. NULL: none are wanted. */
    const struct ppm_stages *stages;
};

/* All that follows from a model and the H and W of its input: made in O(H + W), kept by whoever
 * wants to run that shape again. It notes how runs fare. options may be NULL; they may abandon it.
 * NULL with PPM_UNFIT, PPM_TOO_LARGE, PPM_NO_MEMORY or PPM_CANCELLED. It may outlive the model, and
 * then fits none. The caller frees it. */
struct ppm_plan *ppm_plan_create(const struct ppm_model *model, struct ppm_shape shape,
                                 const struct ppm_run_options *options, struct ppm_error *error);
bool ppm_plan_fits(const struct ppm_plan *plan, const struct ppm_model *model,
                   struct ppm_shape shape);
void ppm_plan_free(struct ppm_plan *plan);

/* y = model(x). x is float32 in either layout; *y receives shape, dtype, and x's layout and
 * is_batch. y->data may be room for the answer (ppm_costs.output_bytes, 64-byte aligned); NULL: it
 * is allocated. options may be NULL. With a plan, scratch and room for the answer nothing else is
 * allocated. OpenMP gives each thread that calls with several threads a team of its own: let one
 * do so. */
enum ppm_status ppm_run(const struct ppm_model *model, const struct ppm_tensor *x,
                        const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                        struct ppm_error *error);

/* work(context, i) for every i in [0, threads), each on a thread of its own; returns when all have.
 * The threads are those of the caller's OpenMP team; a run within work has to keep to one
 * (options->threads = 1). */
void ppm_on_threads(int threads, void (*work)(void *context, int index), void *context);

/* Cores this process may use. */
struct ppm_cores {
    int affinity; /* in its affinity mask, at least 1 */
    int quota;    /* what its cgroups' tightest CPU quota is worth, rounded up; 0: there is none */
};
void ppm_count_cores(struct ppm_cores *ret_cores);

/* The fewer of both. */
int ppm_default_threads(void);

/* The kernel set that is chosen: "scalar", "avx2", "avx512" or "neon". */
const char *ppm_isa_name(void);

/* Chooses the kernel set for models that are loaded from now on: name, or the best there is when
 * name is NULL or empty. A model that is loaded keeps the one that its weights are packed for
 * (ppm_model_info.isa). PPM_BAD_CONFIG when this build or this CPU lacks it, naming those that are
 * there. Any thread may call. */
enum ppm_status ppm_isa_select(const char *name, struct ppm_error *error);

/* ---- files ----
 *
 * Only regular files are read, however they are named: opening a FIFO would wait for its writer. */

/* A descriptor to read the file from, and its size at ret. -1 and PPM_BAD_CONFIG, which says what
 * was found: "a FIFO". The caller closes it. */
int ppm_open_file(const char *path, size_t *ret_bytes, struct ppm_error *error);

/* The whole file, followed by '\0'. NULL with PPM_BAD_CONFIG (as above, or it is larger than
 * bytes_max), PPM_IO or PPM_NO_MEMORY. The caller frees it. */
char *ppm_read_file(const char *path, size_t bytes_max, size_t *ret_bytes, struct ppm_error *error);

/* For a sentence about bytes that are not what was expected: what they begin like, such as "gzip
 * data", "an HTML page" or "JSON". NULL: nothing known. */
const char *ppm_looks_like(const void *bytes, size_t count);

/* ---- JSON ----
 *
 * jansson's own json_load... and json_dumps are not safe where memory runs out; these are. */

/* Duplicate keys are refused. NULL on failure, with the cause, whose json_error_code is
 * json_error_out_of_memory when it was that. The caller releases the tree. */
struct json_t;
struct json_error_t;
struct json_t *ppm_json_load(const char *text, size_t bytes, struct json_error_t *ret_cause);

/* The object that a file of at most bytes_max holds. NULL: PPM_BAD_CONFIG names the file, and the
 * place or what it looks like instead; PPM_NO_MEMORY. The caller releases it. */
struct json_t *ppm_json_load_file(const char *path, size_t bytes_max, struct ppm_error *error);

/* The text of a value, with the flags of json_dumps. NULL when there is no memory for it; the
 * caller frees it. */
char *ppm_json_text(const struct json_t *value, size_t flags);

#ifdef __cplusplus
}
#endif

#endif

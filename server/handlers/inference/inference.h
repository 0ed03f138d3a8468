/*
 * inference.h - a request to compute, from begin to release.
 *
 * Its files, in the order in which a request meets them: infer (POST /ppm) or v2_infer,
 * answer_form, image_head, shape_check, arrival and json_body while the body comes, x_body,
 * several_body, image_body or image_within, submit, decode, compute, stages_answer, image_answer.
 */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H
#define PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H

#include "server/codec/classes/classes.h"
#include "server/codec/form.h"
#include "server/handlers/app.h"
#include "server/handlers/record.h"
#include "server/http/http.h"
#include "server/image/image.h"

struct inference;

/* How a client sends inputs and gets y: POST /ppm (infer.c, several_body.c, image_body.c) or /v2
 * (v2_infer.c). */
struct inference_protocol {
    /* Finds the inputs in the whole body, unless that takes longer than waking another thread for
     * it. */
    enum http_next (*look)(struct inference *inference);
    /* Reads the inputs, on a thread that may compute. */
    enum http_next (*decode)(struct inference *inference);
    /* Responds with y, which is in inference->y_data or in memory, head_bytes_max bytes after its
     * start. Takes memory over, which is from buffer_take. threads: of the caller's team. */
    void (*respond)(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);
    bool compresses_bytes; /* not only JSON, if the client accepts it */
};

struct inference_stages {
    const char *names; /* of entries of a network; NULL: those of its pyramids */
    struct ppm_stages list;
    struct ppm_stage_times times;
};

/* The values of an input that had to be decoded. */
struct inference_memory {
    void *at; /* NULL: the input is where it came */
    void (*free)(void *at);
};

/* Pooling of the only input while it arrives. */
struct arrival {
    bool is_settled;             /* whether to pool is decided */
    struct ppm_shape expected;   /* shape of x */
    size_t expected_bytes;       /* that pooling will take; 0: it has begun, or will not */
    size_t plane_bytes;          /* of a channel of x */
    size_t fed_bytes;            /* of x, already passed to pooling */
    struct ppm_pooling *pooling; /* NULL: not begun */
    void *memory;                /* of pooling, from buffer_take */
    size_t offset;               /* of x in the body */
};

/* An image that is the input, and what is asked of the answer to it. */
struct inference_image {
    enum codec_labels labels;
    const struct image_format *overlay; /* of the image with labels over it; NULL: not asked for */
    double opacity;                     /* of the labels */
    size_t wanted_h, wanted_w;          /* of the answer; 0, 0: the image's own */
    size_t looked_bytes;                /* of the body, when its head was last looked for */
    struct {
        char *bytes; /* in the request's body or in memory */
        size_t count;
        void *memory; /* from malloc; NULL: in the body */
        size_t memory_bytes;
    } file; /* of an image within a body of another protocol (image_within.c) */
    struct image_head head;
    struct ppm_image pixels; /* in inference->decoded, once the image is */
    struct ppm_image_costs costs;
};

/* Lives from begin to release. Belongs to the thread that has the request; to the executor while
 * the job is queued. */
struct inference {
    struct executor_job job; /* first: it is cast to its inference */
    const struct inference_protocol *protocol;
    struct http_request *request;
    struct record record; /* of the request */
    struct app *app;
    struct registry *registry; /* held: keeps the model alive during a reload */
    const struct ppm_model *model;
    struct ppm_model_info info;
    const struct codec_form *form, *answer_form; /* form: NULL for an image */
    const struct codec_form *preferred; /* of an answer, of those that the client likes equally */
    enum codec_dtype answer_dtype;      /* of floats; integers are int32 */
    bool answer_dtype_is_explicit;      /* set by the query */
    bool may_name_model;                /* the body may, so checks against the model wait for it */
    struct codec_expectation expectation;
    size_t axes[4];              /* from the query or header */
    struct codec_reader *reader; /* NULL: not created yet */
    bool lacks_budget;           /* why the reader failed */
    struct ppm_sizes sizes;      /* wanted of the output; of inputs, once they are checked */
    struct ppm_tensor inputs[PPM_INPUTS_MAX]; /* info.input_count. shape.n == 0 of the first:
                                               * unknown; data: in the body, a region or decoded */
    struct inference_memory decoded[PPM_INPUTS_MAX];
    void *y_data;                    /* where y goes; NULL: into the answer */
    struct ppm_costs costs;          /* once the shape is known */
    size_t needed_bytes;             /* to compute and answer, besides the body */
    size_t answer_bytes;             /* size of the answer's memory; 0: of its body */
    size_t head_bytes_max;           /* of room before y in an answer; a multiple of 64 */
    struct inference_image *image;   /* NULL: the body is a tensor, or not known yet */
    struct inference_stages *stages; /* intermediate results, after y; NULL: not asked for */
    struct arrival arrival;
    double queued_ms;              /* when it was submitted, since the request began */
    bool is_queued;                /* http_answer sends the response */
    struct http_deadline deadline; /* of the current stage */
    struct codec_cancel cancel;    /* calls inference_is_abandoned */
    atomic_llong next_look_us;     /* when to check clock and client */
    atomic_bool is_abandoned;
};

/* Begins an inference of bytes bytes, of which the first are a struct inference: finds its model,
 * and refuses it during a drain. NULL: the request has its answer. */
struct inference *inference_begin(struct http_request *request,
                                  const struct inference_protocol *protocol, size_t bytes);

/* Chooses the model of that name among those that are served. */
enum http_next inference_choose_model(struct inference *inference, const char *name);

/* Allocates memory for the values of an input, whose shape is known. */
void inference_take_input(struct inference *inference, size_t index, struct ppm_error *error);

/* Whether all inputs have their values. */
bool inference_has_inputs(const struct inference *inference);

/* Frees those that were decoded. */
void inference_free_inputs(struct inference *inference);

/* Frees everything; for route->release. */
void inference_release(struct http_request *request);

#endif

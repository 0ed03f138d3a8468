/*
 * inference.h - a request to compute, from begin to release.
 *
 * Its files, in the order in which a request meets them: infer (POST /ppm) or v2_infer,
 * shape_check, arrival and json_body while the body comes, x_body, submit, decode, compute,
 * stages_answer.
 */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H
#define PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H

#include "server/codec/codec.h"
#include "server/handlers/app.h"
#include "server/handlers/record.h"
#include "server/http/http.h"

struct inference;

/* How a client sends x and gets y: POST /ppm (infer.c) or /v2 (v2_infer.c). */
struct inference_protocol {
    /* Finds x in the whole body, unless that takes longer than waking another thread for it. */
    enum http_next (*look)(struct inference *inference);
    /* Reads x, on a thread that may compute. */
    enum http_next (*decode)(struct inference *inference);
    /* Responds with y, which is in inference->y_data or in memory, head_bytes_max bytes after its
     * start. Takes memory over, which is from buffer_take. threads: of the caller's team. */
    void (*respond)(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);
    bool compresses_bytes; /* not only JSON, if the client accepts it */
};

struct inference_stages {
    struct ppm_stages list;
    struct ppm_stage_times times;
};

/* From begin to release. Belongs to its request's connection but while the job is queued. */
struct inference {
    struct executor_job job; /* first: a job is its inference */
    const struct inference_protocol *protocol;
    struct http_request *request;
    struct record record; /* of the request */
    struct app *app;
    struct registry *registry; /* held, so that a reload leaves the model alone */
    const struct ppm_model *model;
    struct ppm_model_info info;
    enum codec_form form, answer_form;
    enum codec_dtype answer_dtype; /* of floats; integers are int32 */
    bool answer_dtype_is_explicit; /* the query asked for it */
    bool may_name_model; /* the body, as the URL does not: what depends on the model waits */
    struct codec_expectation expectation;
    size_t axes[4];                   /* those of the query or header, for a raw body */
    struct codec_json_reader *reader; /* of a JSON body, as it arrives; NULL: none is needed yet */
    bool lacks_budget;                /* for the numbers that reader reads */
    struct ppm_tensor x; /* n == 0: its shape is not known yet; data within body or x_memory */
    void *x_memory;      /* decoded values; NULL: they stand elsewhere */
    void (*free_x)(void *x_memory);
    void *y_data;           /* room for y elsewhere than in the answer; NULL: none */
    struct ppm_costs costs; /* once the shape is known */
    size_t needed_bytes;    /* to compute and answer it, beside its body */
    size_t answer_bytes;    /* of the memory that its answer lies in; 0: of its body, no more */
    size_t head_bytes_max;  /* of an answer, before y; a multiple of 64 */
    struct inference_stages *stages; /* asked for: inner results, which stand behind y; or NULL */
    struct arrival {
        bool is_settled;             /* whether it is pooled while it arrives */
        struct ppm_shape expected;   /* x, */
        size_t expected_bytes;       /* and what pooling it takes; 0: no more, or not at all */
        size_t plane_bytes;          /* of a channel of x */
        size_t fed_bytes;            /* of x, that may have been pooled */
        struct ppm_pooling *pooling; /* NULL: it is not */
        void *memory;                /* for it, from buffer_take */
        size_t offset;               /* of x in the body */
    } arrival;
    double queued_ms;
    bool is_queued;                /* answered by http_answer */
    struct http_deadline deadline; /* of the stage it is in */
    struct codec_cancel cancel;    /* asks inference_is_abandoned */
    atomic_llong next_look_us;     /* at clock and client */
    atomic_bool is_abandoned;
};

/* Begins an inference of bytes bytes, of which the first are a struct inference: finds its model,
 * and refuses it during a drain. NULL: the request has its answer. */
struct inference *inference_begin(struct http_request *request,
                                  const struct inference_protocol *protocol, size_t bytes);

/* Chooses the model of that name among those that are served. */
enum http_next inference_choose_model(struct inference *inference, const char *name);

/* Allocates memory for x, whose shape is known, and frees x if it was decoded. */
void inference_take_x(struct inference *inference, struct ppm_error *error);
void inference_free_x(struct inference *inference);

/* Frees everything; for route->release. */
void inference_release(struct http_request *request);

#endif

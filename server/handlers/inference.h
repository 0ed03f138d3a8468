/* inference.h - a request to compute, on its way from infer.c to compute.c and back. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_H
#define PPM_SERVER_HANDLERS_INFERENCE_H

#include "server/codec/codec.h"
#include "server/handlers/handlers.h"
#include "server/serve.h"

/* From begin to release. Belongs to its request's connection but while the job is queued. */
struct inference {
    struct executor_job job; /* first: a job is its inference */
    struct http_request *request;
    struct service *service;
    struct registry *registry; /* held, so that a reload leaves the model alone */
    const struct ppm_model *model;
    struct ppm_model_info info;
    enum codec_form form, answer_form;
    enum codec_dtype answer_dtype; /* of floats; integers are int32 */
    struct codec_expectation expectation;
    size_t axes[4];      /* those of the query or header, for a raw body */
    struct ppm_tensor x; /* n == 0: its shape is not known yet; data within body or x_memory */
    void *x_memory;      /* decoded values; NULL: they stand in the body */
    void (*free_x)(void *x_memory);
    struct ppm_costs costs; /* once the shape is known */
    size_t needed_bytes;    /* to compute and answer it, beside its body */
    double queued_ms;
    bool is_queued;                /* answered by http_answer */
    struct http_deadline deadline; /* of the stage it is in */
};

extern const struct executor_kind inference_kind;

/* Checks x's shape against the model, the limits and the bytes announced, and sets costs and
 * needed_bytes. True: refused. */
bool inference_refuse_shape(struct inference *inference, struct ppm_shape shape);

/* Reads x from the body, where it does not stand there as it is. True: refused. */
bool inference_decode(struct inference *inference);

/* Gives back what holds x, if it has been decoded. */
void inference_free_x(struct inference *inference);

/* Computes it on this thread alone, and fills in the response. */
void inference_run(struct inference *inference);

#endif

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
    struct codec_expectation expectation;
    size_t axes[4];                   /* those of the query or header, for a raw body */
    struct codec_json_reader *reader; /* of a JSON body, as it arrives; NULL: none is needed yet */
    bool lacks_budget;                /* for the numbers that reader reads */
    struct ppm_tensor x;    /* n == 0: its shape is not known yet; data within body or x_memory */
    void *x_memory;         /* from malloc: decoded values; NULL: they stand in the body */
    struct ppm_costs costs; /* once the shape is known */
    size_t needed_bytes;    /* to compute and answer it, beside its body */
    size_t answer_bytes;    /* of the memory that its answer lies in; 0: of its body, no more */
    double queued_ms;
    bool is_queued;                /* answered by http_answer */
    struct http_deadline deadline; /* of the stage it is in */
};

extern const struct executor_kind inference_kind;

/* Checks x's shape against the model, the limits and the bytes announced, and sets costs and
 * needed_bytes. True: refused. */
bool inference_refuse_shape(struct inference *inference, struct ppm_shape shape);

/* Reads on in a JSON body of which more has come. */
void inference_read_on(struct inference *inference);

/* Bytes of the body that inference_decode has yet to read. */
size_t inference_unread_bytes(const struct inference *inference);

/* Reads x from the body, where it does not stand there as it is. True: refused. */
bool inference_decode(struct inference *inference);

/* Computes it on this thread alone, and fills in the response. */
void inference_run(struct inference *inference);

#endif

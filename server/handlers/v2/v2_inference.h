/* v2_inference.h - an inference by the Open Inference Protocol. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_INFERENCE_H
#define PPM_SERVER_HANDLERS_V2_V2_INFERENCE_H

#include "server/codec/v2/v2.h"
#include "server/handlers/inference/inference.h"
#include "server/shared_memory/shared_memory.h"

#define V2_LENGTH_HEADER "Inference-Header-Content-Length"

/* Where an input comes from. */
struct v2_source {
    struct shared_memory_view view; /* {0}: not in a region */
    void *bytes;                    /* in the body or a region; NULL: in the JSON */
    bool is_copied;                 /* from its region, before computing */
};

struct v2_inference {
    struct inference inference; /* first: it is cast to this struct */
    bool has_header;            /* Inference-Header-Content-Length */
    size_t header_bytes;        /* of JSON at the start of the body; 0: the body is only x */
    bool is_parsed; /* the JSON without its numbers: request and inputs are known, or error */
    bool is_read;   /* and the places of inputs and y are known */
    struct v2_request request;
    struct ppm_error error;
    struct v2_source sources[PPM_INPUTS_MAX]; /* in the model's order */
    struct shared_memory_view y_view;         /* {0}: not in a region */
};

#endif

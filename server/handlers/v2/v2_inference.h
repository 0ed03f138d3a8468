/* v2_inference.h - an inference by the Open Inference Protocol. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_INFERENCE_H
#define PPM_SERVER_HANDLERS_V2_V2_INFERENCE_H

#include "server/codec/v2/v2.h"
#include "server/handlers/inference/inference.h"
#include "server/shared_memory/shared_memory.h"

#define V2_LENGTH_HEADER "Inference-Header-Content-Length"

struct v2_inference {
    struct inference inference; /* first: it is cast to this struct */
    bool has_header;            /* Inference-Header-Content-Length */
    size_t header_bytes;        /* of JSON at the start of the body; 0: the body is only x */
    bool is_parsed; /* the JSON without its numbers: request and x are known, or error */
    bool is_read;   /* and the places of x and y are known */
    struct v2_request request;
    struct ppm_error error;
    struct shared_memory_view x_view, y_view; /* {0}: not in a region */
    void *x_bytes;                            /* x in the body or a region; NULL: in the JSON */
    bool copies_x;                            /* from its region, before computing */
};

#endif

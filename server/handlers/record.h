/* record.h - how a request was computed, for the log, the metrics and Server-Timing. */
#ifndef PPM_SERVER_HANDLERS_RECORD_H
#define PPM_SERVER_HANDLERS_RECORD_H

#include <stddef.h>

/* http_request.record, of a request that asks to compute. */
struct record {
    const char *model; /* the one asked; NULL: there is none of that name */
    double queue_ms, decode_ms, compute_ms, encode_ms;
    double image_decode_ms;           /* part of decode_ms; 0: no image was decoded */
    size_t image_width, image_height; /* 0: none, or not known */
    size_t together; /* the number of requests in its run; 0: it was not computed */
};

#endif

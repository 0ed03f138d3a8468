/*
 * metrics.h - what the server counts.
 *
 * The counters belong to the process; any thread may count. Label values are bounded: a route is a
 * pattern of the route table, a model is one of the first 254 served or "other", and anything else
 * is "none".
 */
#ifndef PPM_SERVER_OBSERVE_METRICS_H
#define PPM_SERVER_OBSERVE_METRICS_H

#include <stddef.h>

/* Why a request was refused that may be valid. */
enum metrics_rejection {
    METRICS_QUEUE_FULL,
    METRICS_DRAINING,
    METRICS_MEMORY,    /* others hold all of memory_max_bytes */
    METRICS_TOO_LARGE, /* it could never fit */
    METRICS_UNAUTHORIZED,
    METRICS_FOREIGN,     /* it names another host, or comes from a page of another origin */
    METRICS_CONNECTIONS, /* on one beyond connections_max */
    METRICS_REJECTION_COUNT
};

/* Why a request was abandoned, and the stage that it had reached. */
enum metrics_cancellation {
    METRICS_CLIENT_GONE,
    METRICS_DEADLINE,
    METRICS_IDLE, /* its body stopped arriving, and others needed the memory */
    METRICS_CANCELLATION_COUNT
};
enum metrics_stage {
    METRICS_HEAD,
    METRICS_BODY,
    METRICS_QUEUE,
    METRICS_COMPUTE, /* decoding and encoding too */
    METRICS_ANSWER,
    METRICS_STAGE_COUNT
};

/* An answered request. Times of stages that it did not reach are 0, and not counted. */
struct metrics_request {
    const char *route; /* a constant; NULL: it matched none */
    const char *model; /* that was asked to compute; NULL: none */
    unsigned status;
    double request_s, queue_s, decode_s, compute_s, encode_s;
    size_t together;       /* the number of requests in its run; 0: it was not computed */
    double image_decode_s; /* part of decode_s; 0: no image was decoded */
    size_t image_pixels;
};

void metrics_answered(const struct metrics_request *request);
void metrics_rejected(enum metrics_rejection reason);
void metrics_cancelled(enum metrics_cancellation reason, enum metrics_stage stage);

/* That number of requests was computed in one run. */
void metrics_batch(const char *model, size_t size);

/* Shows the model from now on, at zero. */
void metrics_add_model(const char *model);

/* Requests of one kind to a model, and the total time of their stages. */
struct metrics_sum {
    unsigned long long count;
    double request_s, queue_s, decode_s, compute_s, encode_s;
};

enum { METRICS_TOGETHER_MAX = 64 };

/* Since the start of the process. */
struct metrics_model {
    struct metrics_sum succeeded, failed;
    /* requests that succeeded, by the number in their run; larger runs count as the last */
    struct metrics_sum together[METRICS_TOGETHER_MAX + 1];
    double last_s; /* when the last one succeeded, in seconds since 1970; 0: none has */
};

/* All zero for a model that is not known. */
void metrics_of_model(const char *name, struct metrics_model *ret_model);

#endif

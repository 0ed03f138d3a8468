/*
 * metrics.h - what the server counts, as Prometheus text.
 *
 * The counters are those of the process; any thread may count. Label values are bounded: routes are
 * patterns of the route table, models those that were ever served (the first 254; the others share
 * "other"), and all that is neither is "none".
 */
#ifndef PPM_SERVER_OBSERVE_METRICS_H
#define PPM_SERVER_OBSERVE_METRICS_H

#include <stddef.h>

/* Why a request was refused although it may be a good one. */
enum metrics_rejection {
    METRICS_QUEUE_FULL,
    METRICS_DRAINING,
    METRICS_MEMORY,    /* others hold what memory_max_bytes allows */
    METRICS_TOO_LARGE, /* it could never fit */
    METRICS_UNAUTHORIZED,
    METRICS_FOREIGN,     /* asked by another name, or by a page of another origin */
    METRICS_CONNECTIONS, /* on one beyond connections_max */
    METRICS_REJECTION_COUNT
};

/* Why a request that was begun was not brought to its end, and how far it had come. */
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

/* An answered request. The times of stages that it did not reach are 0 and not counted. */
struct metrics_request {
    const char *route; /* a constant; NULL: it matched none */
    const char *model; /* the one asked to compute; NULL: none */
    unsigned status;
    double request_s, queue_s, decode_s, compute_s, encode_s;
    size_t together; /* so many requests were computed in one run; 0: it was not computed */
};

void metrics_answered(const struct metrics_request *request);
void metrics_rejected(enum metrics_rejection reason);
void metrics_cancelled(enum metrics_cancellation reason, enum metrics_stage stage);

/* So many requests were computed together. */
void metrics_batch(const char *model, size_t size);

/* The model is shown from now on, at zero. */
void metrics_add_model(const char *model);

/* Requests of one kind to a model, and what their stages took in all. */
struct metrics_sum {
    unsigned long long count;
    double request_s, queue_s, decode_s, compute_s, encode_s;
};

enum { METRICS_TOGETHER_MAX = 64 };

/* Since the start of the process. */
struct metrics_model {
    struct metrics_sum succeeded, failed;
    /* those that succeeded, by how many were computed together; beyond the last: with it */
    struct metrics_sum together[METRICS_TOGETHER_MAX + 1];
    double last_s; /* when the last one succeeded, since 1970; 0: none did */
};

/* All zero for a model that is not known. */
void metrics_of_model(const char *name, struct metrics_model *ret_model);

#endif

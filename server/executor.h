/*
 * executor.h - a bounded queue and the one thread that computes.
 *
 * OpenMP gives every thread that opens a parallel region a team of its own; one executor thread
 * means one team, with all the cores, for one request at a time, in the order of arrival.
 */
#ifndef PPM_SERVER_EXECUTOR_H
#define PPM_SERVER_EXECUTOR_H

#include "core/ppm.h"

struct executor;

/* Embedded in whatever is to be computed; belongs to the executor from submit until run. */
struct executor_job {
    void (*run)(struct executor_job *job); /* on the executor's thread */
    struct executor_job *next;             /* private */
};

/* The caller stops it. queue_max bounds the jobs waiting. NULL and PPM_NO_MEMORY on failure. */
struct executor *executor_start(size_t queue_max, struct ppm_error *error);

/* Takes a place in the queue; false when it is full. Each place is for one executor_submit. */
bool executor_reserve(struct executor *executor);

/* Queues a job on a reserved place. */
void executor_submit(struct executor *executor, struct executor_job *job);

size_t executor_queued(struct executor *executor); /* jobs waiting */
bool executor_is_full(struct executor *executor);  /* a reserve would fail now */

/* Runs what is queued, then ends the thread and frees the executor. */
void executor_stop(struct executor *executor);

#endif

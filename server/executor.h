/*
 * executor.h - a bounded queue and the one thread that computes, with its OpenMP team.
 *
 * OpenMP gives every thread that opens a parallel region a team of its own, so one thread opens
 * them all. A few requests are computed one after the other, each by the whole team. When at least
 * as many are waiting as the team has threads, each thread computes its own: no work is shared out,
 * and nobody waits for the slowest: a thread that is done takes the next job while others are still
 * busy. They become a team again when all of them are done, which a job waits for only where the
 * team saves it more time than that. Requests that are alike may be computed together.
 */
#ifndef PPM_SERVER_EXECUTOR_H
#define PPM_SERVER_EXECUTOR_H

#include "core/ppm.h"

struct executor;
struct executor_job;

/* What can be done with a job. */
struct executor_kind {
    /* Computes a batch, linked by next, and is done with it: on so many threads, those of the
     * executor's team if they are several. */
    void (*run)(struct executor_job *batch, int threads);
    /* Whether two jobs that may_batch can be one batch. */
    bool (*are_alike)(const struct executor_job *a, const struct executor_job *b);
    /* Whether nobody waits for a job any more, and what then is done instead, on any thread. NULL:
     * somebody always does. */
    bool (*is_stale)(const struct executor_job *job);
    void (*drop)(struct executor_job *job);
};

/* Embedded in whatever is to be computed; belongs to the executor once queued, until run or drop.
 */
struct executor_job {
    const struct executor_kind *kind;
    bool may_batch;
    double alone_s;            /* about how long one thread takes for it; 0: not known */
    struct executor_job *next; /* of the batch that run is given */

    /* private */
    struct executor_job **link; /* what points to it */
    double since_s;             /* monotonic: when it was queued */
};

/* Whether the thread that has the work should do it at once: in the time that it takes to wake
 * another thread, and be woken by it. */
bool executor_is_quick(double us);

/* Whether batches pay: one thread computes a job in one_thread_us, a run fetches the weights from
 * memory in weights_us, once, and copied_bytes are what a job copies to and from its batch. */
bool executor_pays_in_batches(double one_thread_us, double weights_us, double copied_bytes);

struct executor_options {
    int threads;
    size_t queue_max;      /* jobs that may wait */
    size_t batch_max;      /* jobs in a batch */
    size_t batch_delay_us; /* how long a job that may_batch waits for others; 0: not at all */
};

/* The caller stops it. NULL and PPM_NO_MEMORY on failure. */
struct executor *executor_start(const struct executor_options *options, struct ppm_error *error);

/* Whether queue_max jobs wait: another one would be turned down just now. */
bool executor_is_full(struct executor *executor);

/* Queues a job that is ready to run. False: queue_max wait already, and it stays the caller's. */
bool executor_offer(struct executor *executor, struct executor_job *job);

/* Queues a job of the server's own before all others, however many wait. It may not batch. */
void executor_submit(struct executor *executor, struct executor_job *job);

/* Drops the jobs that are stale, here and now. */
void executor_sweep(struct executor *executor);

size_t executor_queued(struct executor *executor);     /* jobs waiting */
int executor_threads(const struct executor *executor); /* of its team */

/* Runs what is queued, then ends the thread and frees the executor. */
void executor_stop(struct executor *executor);

#endif

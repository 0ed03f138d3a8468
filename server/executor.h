/*
 * executor.h - a bounded queue, and the thread that computes with its OpenMP team.
 *
 * OpenMP gives each thread that opens a parallel region its own team, so one thread opens them all.
 * A few jobs are computed one after the other, each by the whole team. When at least as many jobs
 * wait as the team has threads, each thread computes a job alone: no work is split, and no thread
 * waits for the slowest, as a thread that is done takes the next job. They become a team again when
 * all of them are done. A job waits for that only if the team saves it more time than the wait.
 * Similar jobs may be computed together.
 *
 * A job of higher priority is computed before those of lower priority that wait; yet no job is
 * overtaken for ever. Priority is a handicap: a level counts as much as overtaken_s of waiting, so
 * that a job is overtaken only by those that come within that time after it, or twice that time if
 * it is two levels lower.
 */
#ifndef PPM_SERVER_EXECUTOR_H
#define PPM_SERVER_EXECUTOR_H

#include "core/ppm.h"

struct executor;
struct executor_job;

enum executor_priority { EXECUTOR_HIGH = -1, EXECUTOR_NORMAL, EXECUTOR_LOW };

/* What can be done with a job. */
struct executor_kind {
    /* Computes a batch, linked by next, and finishes its jobs. threads > 1: on the executor's team.
     */
    void (*run)(struct executor_job *batch, int threads);
    /* Whether two jobs that may_batch can share a batch. */
    bool (*are_alike)(const struct executor_job *a, const struct executor_job *b);
    /* Whether nobody waits for a job any more, which is then dropped, on any thread. NULL: never.
     */
    bool (*is_stale)(const struct executor_job *job);
    void (*drop)(struct executor_job *job);
};

/* Embedded in the work. Belongs to the executor from the queue to run or drop. */
struct executor_job {
    const struct executor_kind *kind;
    enum executor_priority priority;
    bool may_batch;
    double alone_s;            /* about how long one thread takes; 0: unknown */
    struct executor_job *next; /* in the batch that run gets */

    /* private */
    struct executor_job **link; /* the pointer to it */
    double since_s;             /* monotonic: when it was queued */
    double turn_s; /* the same, sooner or later by its priority: they go in this order */
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
    size_t batch_delay_us; /* how long a job that may_batch waits for others */
    double overtaken_s;    /* how long those of the next higher priority may overtake a job */
};

/* The caller stops it. NULL and PPM_NO_MEMORY on failure. */
struct executor *executor_start(const struct executor_options *options, struct ppm_error *error);

/* Whether queue_max jobs wait, so that another one would be turned down. */
bool executor_is_full(struct executor *executor);

/* Queues a job that is ready to run. False: queue_max jobs wait, and the caller keeps it. */
bool executor_offer(struct executor *executor, struct executor_job *job);

/* Queues a job of the server itself before all of its clients', whatever queue_max is. It must not
 * batch. */
void executor_submit(struct executor *executor, struct executor_job *job);

/* Drops jobs that are stale, on this thread. */
void executor_sweep(struct executor *executor);

size_t executor_queued(struct executor *executor);     /* jobs that wait */
int executor_threads(const struct executor *executor); /* in its team */

/* Runs all queued jobs, then ends the thread and frees the executor. */
void executor_stop(struct executor *executor);

#endif

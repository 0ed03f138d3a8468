/* executor.c - see executor.h. */
#include "server/executor.h"
#include "server/base/clock.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct job_list {
    struct executor_job *first, **last;
    size_t count;
};

struct executor {
    struct executor_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct job_list queue; /* by turn_s */
    size_t batchable;      /* queued jobs that may_batch */
    size_t running;        /* batches, each on a thread alone */
    double done_s;         /* when all of these are expected to be done */
    bool is_rejoining;     /* the threads become a team again */
    bool is_stopping;
};

/* ---- lists; the mutex is held ---- */

/* At &list->first or list->last. */
static void insert(struct job_list *list, struct executor_job **link, struct executor_job *job)
{
    assert(link);
    job->since_s = clock_now_s();
    job->next = *link;
    job->link = link;
    *(job->next ? &job->next->link : &list->last) = &job->next;
    *link = job;
    list->count++;
}

static void take_out(struct job_list *list, struct executor_job *job)
{
    *job->link = job->next;
    if (job->next)
        job->next->link = job->link;
    else
        list->last = job->link;
    list->count--;
    job->next = NULL;
}

static void take_from_queue(struct executor *executor, struct executor_job *job)
{
    take_out(&executor->queue, job);
    executor->batchable -= job->may_batch ? 1 : 0;
}

/* The job whose next is at link. NULL: link is the list's own. */
static struct executor_job *job_before(struct job_list *list, struct executor_job **link)
{
    return link == &list->first
               ? NULL
               : (struct executor_job *)((char *)link - offsetof(struct executor_job, next));
}

/* Behind all whose turn is not later: a few steps from the end, where jobs of one priority go. */
static void add_to_queue(struct executor *executor, struct executor_job *job, double turn_s)
{
    struct executor_job **link = executor->queue.last, *before;
    while ((before = job_before(&executor->queue, link)) && before->turn_s > turn_s)
        link = before->link;
    job->turn_s = turn_s;
    insert(&executor->queue, link, job);
    executor->batchable += job->may_batch ? 1 : 0;
    pthread_cond_signal(&executor->changed);
}

static bool is_full(const struct executor *executor)
{
    return executor->queue.count >= executor->options.queue_max;
}

static bool are_alike(const struct executor_job *a, const struct executor_job *b)
{
    return a->may_batch && b->may_batch && a->kind == b->kind && a->kind->are_alike(a, b);
}

/* ---- the choice of the next job; the mutex is held ---- */

/* About how many runs would empty the queue, if all jobs that may_batch were alike. */
static size_t runs_waiting(const struct executor *executor)
{
    const size_t batch_max = executor->options.batch_max, batchable = executor->batchable;
    return executor->queue.count - batchable + size_div_up(batchable, batch_max);
}

static double batch_delay_s(const struct executor *executor)
{
    return (double)executor->options.batch_delay_us / 1e6;
}

static bool has_company(const struct executor *executor, const struct executor_job *job)
{
    size_t count = 0;
    for (const struct executor_job *other = job; other; other = other->next)
        count += are_alike(job, other) ? 1 : 0;
    return count >= executor->options.batch_max;
}

static bool is_ripe(const struct executor *executor, const struct executor_job *job, double now_s)
{
    return !job->may_batch || executor->is_stopping ||
           now_s >= job->since_s + batch_delay_s(executor) || has_company(executor, job);
}

static bool is_deep(const struct executor *executor)
{
    return runs_waiting(executor) + executor->running >= (size_t)executor->options.threads;
}

/* When a thread computes a ripe job alone, unless all threads are a team before that. The team
 * saves most of the time that one thread takes, and a job waits for it no longer than that, nor at
 * all if the team needs longer to come together. A thread that is overdue is expected to take as
 * long again as it is late. */
static double alone_at_s(const struct executor *executor, const struct executor_job *job,
                         double now_s)
{
    const double saved_s = job->alone_s * (1 - 1 / (double)executor->options.threads);
    if (executor->running == 0 || is_deep(executor) || fabs(executor->done_s - now_s) >= saved_s)
        return now_s;
    return fmin(job->since_s, executor->done_s) + saved_s;
}

/* The first job to compute now. NULL: none until *ret_wake_s, unless something changes. */
static struct executor_job *find_due(const struct executor *executor, double *ret_wake_s)
{
    const double now_s = clock_now_s();
    *ret_wake_s = INFINITY;
    for (struct executor_job *job = executor->queue.first; job; job = job->next) {
        const double due_s = is_ripe(executor, job, now_s) ? alone_at_s(executor, job, now_s)
                                                           : job->since_s + batch_delay_s(executor);
        if (due_s <= now_s)
            return job;
        *ret_wake_s = fmin(*ret_wake_s, due_s);
    }
    return NULL;
}

static void wait_for_change(struct executor *executor, double end_s)
{
    if (isinf(end_s)) {
        pthread_cond_wait(&executor->changed, &executor->mutex);
        return;
    }
    const struct timespec end = {.tv_sec = (time_t)end_s,
                                 .tv_nsec = (long)(1e9 * (end_s - (double)(time_t)end_s))};
    pthread_cond_timedwait(&executor->changed, &executor->mutex, &end);
}

/* A job and all that are computed with it. */
static struct executor_job *take_batch(struct executor *executor, struct executor_job *first)
{
    struct executor_job *other = first->next, **last = &first->next;
    take_from_queue(executor, first);
    for (size_t count = 1; other && count < executor->options.batch_max;) {
        struct executor_job *job = other;
        other = other->next;
        if (!are_alike(first, job))
            continue;
        take_from_queue(executor, job);
        *last = job;
        last = &job->next;
        count++;
    }
    return first;
}

/* The next batch for a thread that computes alone. NULL: the threads become a team, as nothing is
 * being computed and the queue would not keep all of them busy. */
static struct executor_job *next_apart(struct executor *executor)
{
    while (!executor->is_rejoining) {
        double wake_s;
        struct executor_job *job = find_due(executor, &wake_s);
        if (job && (executor->running > 0 || is_deep(executor)))
            return take_batch(executor, job);
        if (executor->running == 0) {
            executor->is_rejoining = true;
            pthread_cond_broadcast(&executor->changed);
        } else {
            wait_for_change(executor, wake_s);
        }
    }
    return NULL;
}

/* A thread starts to compute a batch alone. */
static void begin_apart(struct executor *executor, const struct executor_job *batch)
{
    double done_s = clock_now_s();
    for (; batch; batch = batch->next)
        done_s += batch->alone_s;
    executor->done_s = executor->running > 0 ? fmax(executor->done_s, done_s) : done_s;
    executor->running++;
}

/* ---- the threads that compute ---- */

static void compute_apart(void *context, int index)
{
    struct executor *executor = context;
    (void)index;
    pthread_mutex_lock(&executor->mutex);
    for (struct executor_job *batch; (batch = next_apart(executor));) {
        begin_apart(executor, batch);
        pthread_mutex_unlock(&executor->mutex);
        batch->kind->run(batch, 1);
        pthread_mutex_lock(&executor->mutex);
        executor->running--;
    }
    pthread_mutex_unlock(&executor->mutex);
}

static void *compute(void *context)
{
    struct executor *executor = context;
    const int threads = executor->options.threads;
    pthread_mutex_lock(&executor->mutex);
    while (executor->queue.first || !executor->is_stopping) {
        double wake_s;
        struct executor_job *job = find_due(executor, &wake_s);
        if (!job) {
            wait_for_change(executor, wake_s);
            continue;
        }
        const bool is_apart = threads > 1 && is_deep(executor);
        struct executor_job *batch = is_apart ? NULL : take_batch(executor, job);
        executor->is_rejoining = false;
        pthread_mutex_unlock(&executor->mutex);
        if (is_apart)
            ppm_on_threads(threads, compute_apart, executor);
        else
            batch->kind->run(batch, threads);
        pthread_mutex_lock(&executor->mutex);
    }
    pthread_mutex_unlock(&executor->mutex);
    return NULL;
}

struct executor *executor_start(const struct executor_options *options, struct ppm_error *error)
{
    struct executor *executor = calloc(1, sizeof *executor);
    pthread_condattr_t attributes;
    if (!executor) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    executor->options = *options;
    executor->queue.last = &executor->queue.first;
    pthread_mutex_init(&executor->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&executor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int result = pthread_create(&executor->thread, NULL, compute, executor);
    if (result == 0)
        return executor;
    ppm_fail(error, PPM_NO_MEMORY, "cannot start the computing thread: %s", strerror(result));
    free(executor);
    return NULL;
}

void executor_stop(struct executor *executor)
{
    if (!executor)
        return;
    pthread_mutex_lock(&executor->mutex);
    executor->is_stopping = true;
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->mutex);
    pthread_join(executor->thread, NULL);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

/* ---- jobs ---- */

bool executor_is_quick(double us)
{
    return us < 30;
}

bool executor_pays_in_batches(double one_thread_us, double weights_us, double copied_bytes)
{
    const double copies_us = copied_bytes / 10000; /* 10 GB/s */
    return weights_us - copies_us > 0.25 * one_thread_us;
}

bool executor_is_full(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    const bool is = is_full(executor);
    pthread_mutex_unlock(&executor->mutex);
    return is;
}

bool executor_offer(struct executor *executor, struct executor_job *job)
{
    pthread_mutex_lock(&executor->mutex);
    const bool has_place = !is_full(executor);
    if (has_place)
        add_to_queue(executor, job,
                     clock_now_s() + (double)job->priority * executor->options.overtaken_s);
    pthread_mutex_unlock(&executor->mutex);
    return has_place;
}

void executor_submit(struct executor *executor, struct executor_job *job)
{
    pthread_mutex_lock(&executor->mutex);
    add_to_queue(executor, job, -INFINITY);
    pthread_mutex_unlock(&executor->mutex);
}

void executor_sweep(struct executor *executor)
{
    struct job_list stale = {.last = &stale.first};
    pthread_mutex_lock(&executor->mutex);
    for (struct executor_job *job = executor->queue.first, *next; job; job = next) {
        next = job->next;
        if (!job->kind->is_stale || !job->kind->is_stale(job))
            continue;
        take_from_queue(executor, job);
        insert(&stale, stale.last, job);
    }
    pthread_mutex_unlock(&executor->mutex);
    while (stale.first) {
        struct executor_job *job = stale.first;
        take_out(&stale, job);
        job->kind->drop(job);
    }
}

size_t executor_queued(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    const size_t queued = executor->queue.count;
    pthread_mutex_unlock(&executor->mutex);
    return queued;
}

int executor_threads(const struct executor *executor)
{
    return executor->options.threads;
}

/* executor.c - see executor.h. */
#include "server/executor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct executor {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct executor_job *first, **last;
    size_t reserved, queue_max; /* places taken: jobs queued and about to be */
    bool is_stopping;
};

/* Waits for a job; NULL when the queue is empty and the executor is to stop. */
static struct executor_job *next_job(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    while (!executor->first && !executor->is_stopping)
        pthread_cond_wait(&executor->changed, &executor->mutex);
    struct executor_job *job = executor->first;
    if (job) {
        executor->first = job->next;
        if (!executor->first)
            executor->last = &executor->first;
        executor->reserved--;
    }
    pthread_mutex_unlock(&executor->mutex);
    return job;
}

static void *run_jobs(void *context)
{
    for (struct executor_job *job; (job = next_job(context));)
        job->run(job);
    return NULL;
}

struct executor *executor_start(size_t queue_max, struct ppm_error *error)
{
    struct executor *executor = calloc(1, sizeof *executor);
    if (!executor) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    executor->queue_max = queue_max;
    executor->last = &executor->first;
    pthread_mutex_init(&executor->mutex, NULL);
    pthread_cond_init(&executor->changed, NULL);
    int result = pthread_create(&executor->thread, NULL, run_jobs, executor);
    if (result == 0)
        return executor;
    ppm_fail(error, PPM_NO_MEMORY, "cannot start the computing thread: %s", strerror(result));
    free(executor);
    return NULL;
}

bool executor_reserve(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    bool has_room = executor->reserved < executor->queue_max;
    executor->reserved += has_room ? 1 : 0;
    pthread_mutex_unlock(&executor->mutex);
    return has_room;
}

void executor_submit(struct executor *executor, struct executor_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&executor->mutex);
    *executor->last = job;
    executor->last = &job->next;
    pthread_cond_signal(&executor->changed);
    pthread_mutex_unlock(&executor->mutex);
}

size_t executor_queued(struct executor *executor)
{
    pthread_mutex_lock(&executor->mutex);
    size_t queued = executor->reserved;
    pthread_mutex_unlock(&executor->mutex);
    return queued;
}

bool executor_is_full(struct executor *executor)
{
    return executor_queued(executor) >= executor->queue_max;
}

void executor_stop(struct executor *executor)
{
    if (!executor)
        return;
    pthread_mutex_lock(&executor->mutex);
    executor->is_stopping = true;
    pthread_cond_signal(&executor->changed);
    pthread_mutex_unlock(&executor->mutex);
    pthread_join(executor->thread, NULL);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->mutex);
    free(executor);
}

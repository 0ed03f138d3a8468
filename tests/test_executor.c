/* test_executor.c - the queue: places, order, and an end that loses nothing. */
#include "server/executor.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

enum { JOBS = 64 };

struct job {
    struct executor_job job; /* first: a job is its struct job */
    int number;
    sem_t *gate; /* waited for before it ends; may be NULL */
};

static atomic_int run_count;
static int run_order[JOBS];
static sem_t started;

static void run(struct executor_job *executor_job)
{
    struct job *job = (struct job *)executor_job;
    sem_post(&started);
    if (job->gate)
        sem_wait(job->gate);
    run_order[atomic_fetch_add(&run_count, 1)] = job->number;
}

static struct executor *start(size_t queue_max)
{
    struct ppm_error error = {0};
    struct executor *executor = executor_start(queue_max, &error);
    cr_assert(executor != NULL, "%s", error.text);
    sem_init(&started, 0, 0);
    alarm(30); /* ends a test that waits for ever */
    return executor;
}

static void submit(struct executor *executor, struct job *job)
{
    job->job.run = run;
    cr_assert(executor_reserve(executor));
    executor_submit(executor, &job->job);
}

Test(executor, places_are_as_many_as_it_was_told)
{
    struct executor *executor = start(3);
    struct job job = {0};
    for (int i = 0; i < 3; i++) {
        cr_assert(!executor_is_full(executor) && executor_queued(executor) == (size_t)i);
        cr_assert(executor_reserve(executor));
    }
    cr_assert(executor_is_full(executor) && !executor_reserve(executor));
    job.job.run = run;
    executor_submit(executor, &job.job);
    sem_wait(&started); /* what runs waits no more: its place is free */
    cr_assert(!executor_is_full(executor) && executor_reserve(executor));
    executor_stop(executor);
    cr_assert(run_count == 1);
}

Test(executor, jobs_run_one_at_a_time_in_their_order)
{
    struct executor *executor = start(JOBS);
    struct job jobs[JOBS] = {{.number = 0}};
    sem_t gate;
    sem_init(&gate, 0, 0);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.number = i, .gate = i == 0 ? &gate : NULL};
        submit(executor, &jobs[i]);
    }
    sem_wait(&started);
    cr_assert(run_count == 0 && executor_queued(executor) == JOBS - 1);
    sem_post(&gate);
    executor_stop(executor);
    for (int i = 0; i < JOBS; i++)
        cr_assert(run_order[i] == i, "place %d: %d", i, run_order[i]);
}

Test(executor, stopping_runs_what_is_queued)
{
    struct executor *executor = start(JOBS);
    struct job jobs[JOBS] = {{.number = 0}};
    for (int i = 0; i < JOBS; i++)
        submit(executor, &jobs[i]);
    executor_stop(executor);
    cr_assert(run_count == JOBS);
    executor_stop(NULL);
    executor_stop(start(1)); /* nothing was ever queued */
}

static void *submit_many(void *context)
{
    static struct job jobs[4][JOBS / 4];
    static atomic_int threads;
    const int mine = atomic_fetch_add(&threads, 1);
    for (int i = 0; i < JOBS / 4; i++) {
        jobs[mine][i].job.run = run;
        while (!executor_reserve(context))
            ;
        executor_submit(context, &jobs[mine][i].job);
    }
    return NULL;
}

Test(executor, many_threads_may_submit)
{
    struct executor *executor = start(2);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert(pthread_create(&threads[i], NULL, submit_many, executor) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    executor_stop(executor);
    cr_assert(run_count == JOBS);
}

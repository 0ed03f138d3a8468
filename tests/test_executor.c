/* test_executor.c - the queue: places, order, company, and an end that loses nothing. */
#include "server/executor.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

enum { JOBS = 64, LEAVE_US = 50000 };

struct job {
    struct executor_job job; /* first: a job is its struct job */
    int number;
    int like;    /* may be computed with others of this number */
    sem_t *gate; /* waited for before it ends; may be NULL */
    atomic_bool is_stale;
};

static atomic_int job_count, run_count;
static atomic_int order[JOBS];
static int sizes[JOBS], threads_of[JOBS];
static sem_t started;

static void run(struct executor_job *batch, int threads)
{
    int size = 0;
    const int at = atomic_fetch_add(&run_count, 1);
    for (struct executor_job *next; batch; batch = next, size++) {
        struct job *job = (struct job *)batch;
        next = batch->next;
        sem_post(&started);
        if (job->gate)
            sem_wait(job->gate);
        order[atomic_fetch_add(&job_count, 1)] = job->number;
    }
    sizes[at] = size;
    threads_of[at] = threads;
}

static bool are_alike(const struct executor_job *a, const struct executor_job *b)
{
    return ((const struct job *)a)->like == ((const struct job *)b)->like;
}

static bool is_stale(const struct executor_job *job)
{
    return ((const struct job *)job)->is_stale;
}

static void drop(struct executor_job *job)
{
    order[atomic_fetch_add(&job_count, 1)] = -((struct job *)job)->number;
}

static const struct executor_kind kind = {run, are_alike, is_stale, drop};

static struct executor *start(struct executor_options options)
{
    struct ppm_error error = {0};
    options.batch_max = options.batch_max ? options.batch_max : 1;
    struct executor *executor = executor_start(&options, &error);
    cr_assert(executor != NULL, "%s", error.text);
    sem_init(&started, 0, 0);
    alarm(30); /* ends a test that waits for ever */
    return executor;
}

static void submit(struct executor *executor, struct job *job)
{
    job->job.kind = &kind;
    cr_assert(executor_offer(executor, &job->job));
}

/* Something that is computed until the gate is opened. */
static void hold(struct executor *executor, struct job *job, sem_t *gate)
{
    sem_init(gate, 0, 0);
    job->gate = gate;
    submit(executor, job);
    sem_wait(&started);
}

/* ---- places ---- */

Test(executor, as_many_wait_as_it_was_told)
{
    struct executor *executor = start((struct executor_options){.threads = 1, .queue_max = 2});
    struct job jobs[5] = {{.number = 0}};
    sem_t gate;
    hold(executor, &jobs[0], &gate); /* what runs waits no more: its place is free */
    for (int i = 1; i < 5; i++)
        jobs[i] = (struct job){.job = {.kind = &kind}, .number = i};
    cr_assert(!executor_is_full(executor) && executor_offer(executor, &jobs[1].job));
    cr_assert(!executor_is_full(executor) && executor_offer(executor, &jobs[2].job));
    cr_assert(executor_is_full(executor) && !executor_offer(executor, &jobs[3].job));
    executor_submit(executor, &jobs[4].job); /* the server's own asks for no place */
    cr_assert(executor_queued(executor) == 3);
    sem_post(&gate);
    executor_stop(executor);
    cr_assert(job_count == 4 && order[1] == 4, "%d jobs", job_count);
}

/* ---- one after the other ---- */

Test(executor, jobs_run_one_at_a_time_in_their_order)
{
    struct executor *executor = start((struct executor_options){.threads = 1, .queue_max = JOBS});
    struct job jobs[JOBS] = {{.number = 0}};
    sem_t gate;
    hold(executor, &jobs[0], &gate);
    for (int i = 1; i < JOBS; i++) {
        jobs[i].number = i;
        submit(executor, &jobs[i]);
    }
    cr_assert(job_count == 0 && executor_queued(executor) == JOBS - 1);
    sem_post(&gate);
    executor_stop(executor);
    for (int i = 0; i < JOBS; i++)
        cr_assert(order[i] == i && sizes[i] == 1, "place %d: %d", i, order[i]);
}

Test(executor, stopping_runs_what_is_queued)
{
    struct executor *executor = start((struct executor_options){.threads = 2, .queue_max = JOBS});
    struct job jobs[JOBS] = {{.number = 0}};
    for (int i = 0; i < JOBS; i++)
        submit(executor, &jobs[i]);
    executor_stop(executor);
    cr_assert(job_count == JOBS);
    executor_stop(NULL);
    executor_stop(start((struct executor_options){.threads = 1})); /* nothing was ever queued */
}

static void *submit_many(void *context)
{
    static struct job jobs[4][JOBS / 4];
    static atomic_int threads;
    const int mine = atomic_fetch_add(&threads, 1);
    for (int i = 0; i < JOBS / 4; i++) {
        jobs[mine][i].job.kind = &kind;
        while (!executor_offer(context, &jobs[mine][i].job))
            ;
    }
    return NULL;
}

Test(executor, many_threads_may_submit)
{
    struct executor *executor = start((struct executor_options){.threads = 2, .queue_max = 2});
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert(pthread_create(&threads[i], NULL, submit_many, executor) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    executor_stop(executor);
    cr_assert(job_count == JOBS);
}

/* ---- side by side ---- */

/* The first has the whole team; those that wait then are computed at the same time, as each of
 * them ends only once all have started. */
Test(executor, a_queue_as_deep_as_the_team_is_computed_side_by_side)
{
    enum { THREADS = 3 };
    struct executor *executor =
        start((struct executor_options){.threads = THREADS, .queue_max = JOBS});
    struct job first = {.number = 0}, jobs[THREADS] = {{.number = 1}};
    sem_t gates[1 + THREADS];
    hold(executor, &first, &gates[0]);
    for (int i = 0; i < THREADS; i++) {
        sem_init(&gates[1 + i], 0, 0);
        jobs[i] = (struct job){.number = 1 + i, .gate = &gates[1 + i]};
        submit(executor, &jobs[i]);
    }
    sem_post(&gates[0]);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&started);
    for (int i = 0; i < THREADS; i++)
        sem_post(&gates[1 + i]);
    executor_stop(executor);
    cr_assert(threads_of[0] == THREADS);
    for (int i = 1; i <= THREADS; i++)
        cr_assert(threads_of[i] == 1, "run %d had %d threads", i, threads_of[i]);
}

Test(executor, a_queue_that_is_not_has_the_team_for_each)
{
    struct executor *executor = start((struct executor_options){.threads = 3, .queue_max = JOBS});
    struct job first = {.number = 0}, jobs[2] = {{.number = 1}, {.number = 2}};
    sem_t gate;
    hold(executor, &first, &gate);
    submit(executor, &jobs[0]);
    submit(executor, &jobs[1]);
    sem_post(&gate);
    executor_stop(executor);
    for (int i = 0; i < 3; i++)
        cr_assert(order[i] == i && threads_of[i] == 3, "run %d had %d threads", i, threads_of[i]);
}

/* While one of two threads is busy, the other computes what arrives. */
Test(executor, a_long_job_does_not_hold_the_others_up)
{
    struct executor *executor = start((struct executor_options){.threads = 2, .queue_max = JOBS});
    struct job jobs[JOBS] = {{.number = 0}};
    sem_t gates[2];
    hold(executor, &jobs[0], &gates[0]);
    sem_init(&gates[1], 0, 0);
    jobs[1].gate = &gates[1];
    submit(executor, &jobs[1]);
    submit(executor, &jobs[2]);
    sem_post(&gates[0]);
    sem_wait(&started);
    sem_wait(&started);
    for (int i = 3; i < JOBS; i++) {
        submit(executor, &jobs[i]);
        sem_wait(&started);
    }
    cr_assert(job_count >= JOBS - 2);
    sem_post(&gates[1]);
    executor_stop(executor);
    cr_assert(job_count == JOBS);
}

/* All but one of as many jobs as there are threads come to their end; that one has the gate. */
static struct executor *start_with_one_busy(int threads, struct job *busy, sem_t *gate)
{
    static struct job first, others[JOBS];
    static sem_t first_gate;
    struct executor *executor =
        start((struct executor_options){.threads = threads, .queue_max = JOBS, .batch_max = 3});
    hold(executor, &first, &first_gate);
    sem_init(gate, 0, 0);
    busy->gate = gate;
    submit(executor, busy);
    for (int i = 1; i < threads; i++)
        submit(executor, &others[i]);
    sem_post(&first_gate);
    for (int i = 0; i < threads; i++)
        sem_wait(&started);
    while (job_count < threads)
        usleep(1000);
    usleep(LEAVE_US); /* until then they count as running, which can make the queue deep */
    return executor;
}

/* Threads that have nothing to do wait for no other to be done. */
Test(executor, a_long_job_leaves_the_other_threads_to_those_that_come_later)
{
    struct job busy = {.number = 99}, jobs[JOBS / 2] = {{.number = 0}};
    sem_t gate;
    struct executor *executor = start_with_one_busy(4, &busy, &gate);
    for (int i = 0; i < JOBS / 2; i++) {
        jobs[i].job.alone_s = 1e-6;
        submit(executor, &jobs[i]);
        sem_wait(&started);
    }
    sem_post(&gate);
    executor_stop(executor);
    cr_assert(job_count == 5 + JOBS / 2);
    for (int i = 1; i < 5 + JOBS / 2; i++)
        cr_assert(threads_of[i] == 1, "run %d had %d threads", i, threads_of[i]);
}

/* A job for which the team saves more time waits for the busy threads; other jobs overtake it. */
Test(executor, the_team_comes_together_for_what_it_saves_time)
{
    struct job busy = {.number = 99}, large = {.number = 1}, small = {.number = 2};
    sem_t gate;
    struct executor *executor = start_with_one_busy(4, &busy, &gate);
    large.job.alone_s = 1e6;
    submit(executor, &large);
    submit(executor, &small);
    sem_wait(&started);
    while (order[4] == 0)
        usleep(1000);
    cr_assert(order[4] == 2 && executor_queued(executor) == 1);
    sem_post(&gate);
    executor_stop(executor);
    cr_assert(order[5] == 99 && order[6] == 1);
    cr_assert(threads_of[run_count - 1] == 4, "%d threads", threads_of[run_count - 1]);
}

Test(executor, a_job_of_the_server_waits_for_none_of_its_clients)
{
    struct executor *executor = start((struct executor_options){.threads = 1, .queue_max = 3});
    struct job jobs[4] = {{.number = 0}}, own = {.number = 9, .job.kind = &kind};
    sem_t gate;
    hold(executor, &jobs[0], &gate);
    for (int i = 1; i < 4; i++) {
        jobs[i].number = i;
        submit(executor, &jobs[i]);
    }
    executor_submit(executor, &own.job);
    cr_assert(executor_queued(executor) == 4);
    sem_post(&gate);
    executor_stop(executor);
    static const int expected_order[] = {0, 9, 1, 2, 3};
    cr_assert_arr_eq(order, expected_order, sizeof expected_order);
}

/* ---- priority ---- */

Test(executor, high_ones_are_computed_first_and_low_ones_last)
{
    static const enum executor_priority priorities[] = {
        EXECUTOR_LOW, EXECUTOR_NORMAL, EXECUTOR_HIGH, EXECUTOR_LOW, EXECUTOR_NORMAL, EXECUTOR_HIGH};
    static const int expected_order[] = {99, 9, 2, 5, 1, 4, 0, 3};
    struct executor *executor =
        start((struct executor_options){.threads = 1, .queue_max = 6, .overtaken_s = 1000});
    struct job first = {.number = 99}, jobs[6] = {{.number = 0}},
               own = {.number = 9, .job.kind = &kind};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 6; i++) {
        jobs[i] = (struct job){.number = i, .job.priority = priorities[i]};
        submit(executor, &jobs[i]);
    }
    struct job none = {.job = {.kind = &kind, .priority = EXECUTOR_HIGH}};
    cr_assert(!executor_offer(executor, &none.job), "a place beyond queue_max");
    executor_submit(executor, &own.job);
    sem_post(&gate);
    executor_stop(executor);
    cr_assert_arr_eq(order, expected_order, sizeof expected_order);
}

/* The two that come first have waited for longer than they may be overtaken. */
Test(executor, nobody_is_overtaken_for_ever)
{
    struct executor *executor =
        start((struct executor_options){.threads = 1, .queue_max = JOBS, .overtaken_s = 0.001});
    struct job first = {.number = 99}, jobs[3] = {{.number = 0, .job.priority = EXECUTOR_LOW},
                                                  {.number = 1},
                                                  {.number = 2, .job.priority = EXECUTOR_HIGH}};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 3; i++) {
        submit(executor, &jobs[i]);
        usleep(10000);
    }
    sem_post(&gate);
    executor_stop(executor);
    for (int i = 0; i < 3; i++)
        cr_assert(order[1 + i] == i, "place %d: %d", i, order[1 + i]);
}

/* Company is sought behind a job, whatever its priority. */
Test(executor, a_batch_takes_lower_ones_along)
{
    struct executor *executor = start((struct executor_options){
        .threads = 1, .queue_max = JOBS, .batch_max = 3, .overtaken_s = 1000});
    struct job first = {.number = 99}, jobs[4] = {{.number = 0}};
    static const enum executor_priority priorities[] = {EXECUTOR_LOW, EXECUTOR_NORMAL,
                                                        EXECUTOR_NORMAL, EXECUTOR_HIGH};
    static const int expected_order[] = {99, 3, 1, 0, 2};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){
            .number = i, .like = i == 2, .job = {.may_batch = true, .priority = priorities[i]}};
        submit(executor, &jobs[i]);
    }
    sem_post(&gate);
    executor_stop(executor);
    cr_assert_arr_eq(order, expected_order, sizeof expected_order);
    cr_assert(sizes[1] == 3 && sizes[2] == 1);
}

/* ---- together ---- */

Test(executor, jobs_that_are_alike_are_one_batch)
{
    struct executor *executor =
        start((struct executor_options){.threads = 1, .queue_max = JOBS, .batch_max = 3});
    static const struct {
        int like;
        bool may_batch;
    } kinds[] = {{7, true}, {8, true}, {7, true}, {7, false}, {7, true}, {7, true}, {8, true}};
    static const int expected_order[] = {99, 0, 2, 4, 1, 6, 3, 5};
    static const int expected_sizes[] = {1, 3, 2, 1, 1};
    struct job first = {.number = 99}, jobs[7] = {{.number = 0}};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 7; i++) {
        jobs[i] =
            (struct job){.number = i, .like = kinds[i].like, .job.may_batch = kinds[i].may_batch};
        submit(executor, &jobs[i]);
    }
    sem_post(&gate);
    executor_stop(executor);
    for (int i = 0; i < 8; i++)
        cr_assert(order[i] == expected_order[i], "place %d: %d", i, order[i]);
    for (int i = 0; i < 5; i++)
        cr_assert(sizes[i] == expected_sizes[i], "run %d: %d", i, sizes[i]);
}

/* Six that make two batches are as many as two threads: no more. */
Test(executor, batches_count_as_one_each)
{
    struct executor *executor =
        start((struct executor_options){.threads = 3, .queue_max = JOBS, .batch_max = 3});
    struct job first = {.number = 0}, jobs[6] = {{.number = 1}};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 6; i++) {
        jobs[i] = (struct job){.number = i, .like = 1, .job.may_batch = true};
        submit(executor, &jobs[i]);
    }
    sem_post(&gate);
    executor_stop(executor);
    cr_assert(run_count == 3 && sizes[1] == 3 && sizes[2] == 3);
    cr_assert(threads_of[1] == 3 && threads_of[2] == 3);
}

Test(executor, a_job_waits_for_company_as_long_as_it_is_told)
{
    struct executor *executor = start((struct executor_options){
        .threads = 1, .queue_max = JOBS, .batch_max = 3, .batch_delay_us = 100000000});
    struct job jobs[3] = {{.number = 0}}, other = {.number = 9};
    for (int i = 0; i < 3; i++)
        jobs[i] = (struct job){.number = i, .like = 1, .job.may_batch = true};
    submit(executor, &jobs[0]);
    submit(executor, &other); /* it does not wait for company */
    sem_wait(&started);
    cr_assert(executor_queued(executor) == 1);
    submit(executor, &jobs[1]);
    submit(executor, &jobs[2]); /* the company is complete, long before the time is over */
    for (int i = 0; i < 3; i++)
        sem_wait(&started);
    executor_stop(executor);
    cr_assert(order[0] == 9 && sizes[0] == 1 && sizes[1] == 3);
}

Test(executor, the_wait_for_company_ends)
{
    struct executor *executor = start((struct executor_options){
        .threads = 2, .queue_max = JOBS, .batch_max = 3, .batch_delay_us = 2000});
    struct job job = {.job.may_batch = true};
    submit(executor, &job);
    sem_wait(&started);
    executor_stop(executor);
    cr_assert(job_count == 1 && sizes[0] == 1);
}

/* ---- in vain ---- */

Test(executor, a_sweep_drops_what_is_stale_while_another_is_computed)
{
    struct executor *executor = start((struct executor_options){.threads = 1, .queue_max = 4});
    struct job first = {.number = 0}, jobs[4] = {{.number = 1}};
    sem_t gate;
    hold(executor, &first, &gate);
    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){.number = 1 + i, .is_stale = i == 1 || i == 3};
        submit(executor, &jobs[i]);
    }
    executor_sweep(executor);
    cr_assert(job_count == 2 && order[0] == -2 && order[1] == -4);
    cr_assert(executor_queued(executor) == 2);
    sem_post(&gate);
    executor_stop(executor);
    cr_assert(job_count == 5 && order[2] == 0 && order[3] == 1 && order[4] == 3);
}

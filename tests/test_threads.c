/* test_threads.c - the number of threads, the choice of kernels. */
#include "core/ppm.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

Test(threads, default_is_what_the_process_may_use)
{
    cpu_set_t all, one;
    cr_assert(sched_getaffinity(0, sizeof all, &all) == 0);
    cr_expect(ppm_default_threads() >= 1);
    cr_expect(ppm_default_threads() <= CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    cr_assert(sched_setaffinity(0, sizeof one, &one) == 0);
    cr_expect(ppm_default_threads() == 1);
}

Test(threads, kernel_sets_by_name)
{
    struct ppm_error error = {0};
    const char *best = ppm_isa_name();
    cr_expect(ppm_isa_select("scalar", &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), "scalar");
    cr_expect(ppm_isa_select("sse9", &error) == PPM_BAD_CONFIG);
    cr_expect(strstr(error.text, "found \"sse9\", expected a kernel set") != NULL, "%s",
              error.text);
    cr_expect(strstr(error.text, "scalar") != NULL, "%s", error.text);
    cr_expect_str_eq(ppm_isa_name(), "scalar");
    error = (struct ppm_error){0};
    cr_expect(ppm_isa_select("", &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), best);
    cr_expect(ppm_isa_select("scalar", &error) == PPM_OK && ppm_isa_select(NULL, &error) == PPM_OK);
    cr_expect_str_eq(ppm_isa_name(), best);
}

enum { THREADS = 4 };

struct meeting {
    pthread_barrier_t barrier;
    atomic_int calls[THREADS];
    pthread_t threads[THREADS];
};

/* No thread leaves before all have arrived. */
static void meet(void *context, int index)
{
    struct meeting *meeting = context;
    meeting->calls[index]++;
    meeting->threads[index] = pthread_self();
    pthread_barrier_wait(&meeting->barrier);
}

Test(threads, each_has_a_thread_of_its_own, .timeout = 300)
{
    struct meeting meeting = {.calls = {0}};
    pthread_barrier_init(&meeting.barrier, NULL, THREADS);
    for (int round = 1; round <= 3; round++) {
        ppm_on_threads(THREADS, meet, &meeting);
        for (int i = 0; i < THREADS; i++) {
            cr_expect(meeting.calls[i] == round, "round %d: %d calls", round, meeting.calls[i]);
            for (int k = 0; k < i; k++)
                cr_expect(!pthread_equal(meeting.threads[i], meeting.threads[k]));
        }
    }
}

struct run_alone {
    const struct ppm_model *model;
    struct ppm_tensor x, y[THREADS];
    enum ppm_status status[THREADS];
};

static void run_alone(void *context, int index)
{
    struct run_alone *run = context;
    struct ppm_error error = {0};
    const struct ppm_run_options options = {.threads = 1};
    run->status[index] = ppm_run(run->model, &run->x, &options, &run->y[index], &error);
}

/* Single-threaded engines side by side compute the same as alone. */
Test(threads, engines_of_one_thread_run_side_by_side)
{
    static float values[4 * 9 * 7];
    struct ppm_error error = {0};
    struct ppm_tensor expected = {0};
    struct run_alone run = {.x = {.shape = {1, 4, 9, 7}, .is_batch = true, .data = values}};
    for (int i = 0; i < 4 * 9 * 7; i++)
        values[i] = (float)(i % 13) - 5;
    struct ppm_model *model =
        ppm_model_load("configs/models/listing1-pytorch-ppm.json", NULL, &error);
    run.model = model;
    cr_assert(ppm_run(model, &run.x, NULL, &expected, &error) == PPM_OK, "%s", error.text);
    ppm_on_threads(THREADS, run_alone, &run);
    for (int i = 0; i < THREADS; i++) {
        cr_assert(run.status[i] == PPM_OK);
        cr_assert_arr_eq(run.y[i].data, expected.data, 12 * 9 * 7 * sizeof(float));
        ppm_tensor_free(&run.y[i]);
    }
    ppm_tensor_free(&expected);
    ppm_model_free(model);
}

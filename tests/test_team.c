/* test_team.c - loops whose tasks a team shares: each task once, in whatever order threads come. */
#include "core/base/team.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <unistd.h>

enum { THREADS_MAX = 5, TASKS_MAX = 40000 };

static const size_t counts[] = {0, 1, 2, 3, 4, 5, 31, 1000, 16384, TASKS_MAX};

static unsigned char taken[COUNT(counts)][TASKS_MAX];

/* Runs a loop of each count, and another time with a thread that sleeps before its first task. */
static void run_loops(int threads, bool sleeps)
{
    struct team_share shares[THREADS_MAX] = {0};
    memset(taken, 0, sizeof taken);
#pragma omp parallel num_threads(threads)
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct team_loop loop = team_begin(shares, counts[i]);
        if (sleeps && omp_get_thread_num() == threads - 1)
            usleep(3000);
        for (size_t task; team_next(&loop, &task);)
            if (task < counts[i])
                __atomic_add_fetch(&taken[i][task], 1, __ATOMIC_RELAXED);
        team_end(&loop);
    }
}

Test(team, each_task_is_taken_once)
{
    for (int threads = 1; threads <= THREADS_MAX; threads++)
        for (int sleeps = 0; sleeps < 2; sleeps++) {
            run_loops(threads, sleeps);
            for (size_t i = 0; i < COUNT(counts); i++)
                for (size_t task = 0; task < counts[i]; task++)
                    cr_assert(taken[i][task] == 1, "%d threads, task %zu of %zu was taken %d times",
                              threads, task, counts[i], taken[i][task]);
        }
}

Test(team, a_thread_begins_with_its_own_range)
{
    struct team_share shares[2] = {0};
    size_t first[2] = {0};
#pragma omp parallel num_threads(2)
    {
        struct team_loop loop = team_begin(shares, 10);
        team_next(&loop, &first[omp_get_thread_num()]);
        team_end(&loop);
    }
    cr_assert(first[0] == 0 && first[1] == 5, "they began with %zu and %zu", first[0], first[1]);
}

/* The others wait for its last task, not for all of its range. */
Test(team, what_a_late_thread_leaves_is_taken_by_the_others)
{
    struct team_share shares[2] = {0};
    size_t tasks_of_late = 0;
    atomic_bool others_are_done = false;
#pragma omp parallel num_threads(2)
    {
        struct team_loop loop = team_begin(shares, 100);
        const bool is_late = omp_get_thread_num() == 1;
        while (is_late && !atomic_load(&others_are_done))
            usleep(100);
        for (size_t task; team_next(&loop, &task);)
            tasks_of_late += is_late;
        if (!is_late)
            atomic_store(&others_are_done, true);
        team_end(&loop);
    }
    cr_assert(tasks_of_late == 0, "%zu tasks waited for the late thread", tasks_of_late);
}

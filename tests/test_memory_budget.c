/* test_memory_budget.c - taken and kept bytes never exceed the budget. */
#include "server/base/memory.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct thing {
    struct memory_kept kept;
    int number;
};

static int freed; /* the sum of their numbers */

static bool fits(const struct memory_kept *kept, const void *wanted)
{
    return ((const struct thing *)kept)->number == *(const int *)wanted;
}

static void free_thing(struct memory_kept *kept)
{
    __atomic_fetch_add(&freed, ((struct thing *)kept)->number, __ATOMIC_RELAXED);
    free(kept);
}

static const struct memory_kind kind = {.fits = fits, .free = free_thing};
static const struct memory_kind another_kind = {.fits = fits, .free = free_thing};

/* Keeps a thing in place of a request's bytes. */
static void keep(size_t bytes, int number)
{
    struct thing *thing = malloc(sizeof *thing);
    cr_assert(thing && memory_take(bytes));
    *thing = (struct thing){{.kind = &kind, .bytes = bytes}, number};
    memory_keep(&thing->kept);
    memory_give(bytes);
}

static bool reuse(int number)
{
    struct memory_kept *kept = memory_reuse(&kind, &number);
    free(kept);
    return kept != NULL;
}

Test(memory_budget, no_more_is_taken_than_there_is)
{
    cr_assert(!memory_take(1), "nothing before there is a budget");
    memory_set_max(100);
    cr_assert(memory_max() == 100);
    cr_assert(memory_take(0) && memory_take(60) && memory_take(40));
    cr_assert(memory_taken() == 100 && !memory_take(1) && !memory_take(SIZE_MAX));
    memory_give(40);
    cr_assert(memory_taken() == 60 && !memory_take(41) && memory_take(40));
    memory_set_max(50);
    cr_assert(!memory_take(1) && memory_taken() == 100);
    memory_give(100);
    cr_assert(memory_taken() == 0 && memory_take(50));
}

Test(memory_budget, what_is_kept_gives_way_the_oldest_first)
{
    memory_set_max(100);
    keep(30, 1);
    keep(20, 2);
    keep(10, 4);
    cr_assert(memory_kept() == 60 && memory_taken() == 0);
    cr_assert(memory_take(40) && freed == 0, "all fit");
    cr_assert(memory_take(1) && freed == 1 && memory_kept() == 30);
    cr_assert(!memory_take(60) && freed == 1, "nothing gives way to what is refused");
    cr_assert(memory_take(59) && freed == 7 && memory_kept() == 0);
    memory_give(100);
}

Test(memory_budget, what_is_kept_is_reused_once)
{
    memory_set_max(100);
    keep(30, 1);
    keep(20, 2);
    const int number = 1;
    cr_assert(!memory_reuse(&another_kind, &number));
    cr_assert(reuse(1) && !reuse(1) && memory_kept() == 20);
    cr_assert(!reuse(3) && reuse(2) && memory_kept() == 0 && freed == 0);
}

Test(memory_budget, room_is_made_for_what_was_taken_before)
{
    memory_set_max(100);
    cr_assert(memory_take(70));
    struct thing *thing = malloc(sizeof *thing);
    *thing = (struct thing){{.kind = &kind, .bytes = 60}, 1};
    memory_keep(&thing->kept); /* of the 70 */
    cr_assert(memory_kept() == 60);
    memory_make_room(); /* for another 60 of them */
    cr_assert(memory_kept() == 0 && freed == 1);
    memory_give(70);
}

Test(memory_budget, little_things_are_bounded_in_number)
{
    memory_set_max(1 << 20);
    for (int i = 0; i < MEMORY_KEPT_MAX + 3; i++)
        keep(1, i < 3 ? 100 : 0);
    cr_assert(memory_kept() == MEMORY_KEPT_MAX && freed == 300);
}

Test(memory_budget, what_is_idle_goes)
{
    memory_set_max(100);
    keep(30, 1);
    usleep(20000);
    keep(20, 2);
    memory_trim(1000);
    cr_assert(memory_kept() == 50);
    memory_trim(0.01);
    cr_assert(memory_kept() == 20 && freed == 1);
    memory_trim(0);
    cr_assert(memory_kept() == 0 && freed == 3);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *take_and_keep(void *context)
{
    for (int i = 0; i < ROUNDS; i++) {
        const size_t bytes = (size_t)i % 40;
        if (!memory_take(bytes))
            continue;
        cr_assert(memory_taken() <= 100);
        struct memory_kept *kept = memory_reuse(&kind, context);
        struct thing *thing = kept ? (struct thing *)kept : malloc(sizeof *thing);
        *thing = (struct thing){{.kind = &kind, .bytes = bytes}, *(int *)context};
        memory_keep(&thing->kept);
        memory_give(bytes);
    }
    return NULL;
}

Test(memory_budget, threads_take_and_keep, .timeout = 300)
{
    pthread_t threads[THREADS];
    int numbers[THREADS] = {1, 1, 2, 3};
    memory_set_max(100);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, take_and_keep, &numbers[i]) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert(memory_taken() == 0 && memory_kept() <= 100);
    cr_assert(memory_take(100) && memory_kept() == 0);
}

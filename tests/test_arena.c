/* test_arena.c - the places of maps: none overlap that live together, and little room is lost. */
#include "core/base/size.h"
#include "core/plan/arena.h"
#include "tests/support.h"

#include <criterion/criterion.h>

enum { ITEMS_MAX = 400 };

/* Its own generator, so that a seed means the same items on every machine. */
static uint64_t state;

static size_t pick(size_t count)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % count;
}

/* The most bytes that live in one step, as no arena is smaller. */
static size_t bytes_alive(const struct arena_item *items, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 0;
        for (size_t k = 0; k < count; k++)
            if (items[k].first <= items[i].first && items[i].first <= items[k].last)
                bytes += size_round_up(items[k].bytes, ARENA_LINE);
        most = size_max(most, bytes);
    }
    return most;
}

static void check_places(const struct arena_item *items, size_t count, size_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        const struct arena_item *a = &items[i];
        cr_assert_eq(a->offset % ARENA_LINE, 0);
        cr_assert_leq(a->offset + a->bytes, bytes);
        for (size_t k = 0; k < i; k++) {
            const struct arena_item *b = &items[k];
            const bool together = a->first <= b->last && b->first <= a->last;
            cr_assert(!together || a->offset >= b->offset + b->bytes ||
                          b->offset >= a->offset + a->bytes,
                      "items %zu and %zu live together and overlap", a->value, b->value);
        }
    }
}

static double place(struct arena_item *items, size_t count)
{
    const size_t least = bytes_alive(items, count);
    const size_t bytes = arena_place(items, count);
    check_places(items, count, bytes);
    cr_assert_geq(bytes, least);
    return least ? (double)bytes / (double)least : 1;
}

Test(arena, nothing_takes_nothing)
{
    cr_assert_eq(arena_place(NULL, 0), 0);
}

/* A chain needs room for two maps, whatever its length. */
Test(arena, a_chain_takes_turns)
{
    struct arena_item items[20];
    for (size_t i = 0; i < COUNT(items); i++)
        items[i] =
            (struct arena_item){.value = i, .bytes = 1000 - 10 * i, .first = i, .last = i + 1};
    cr_assert_eq(place(items, COUNT(items)), 1);
}

/* Blocks of a ResNet: what comes in lives until it is added, at the end; each stage has a quarter
 * of the pixels and twice the channels. */
Test(arena, blocks_with_residuals)
{
    struct arena_item items[64];
    size_t count = 0, step = 0, bytes = 1 << 20;
    for (size_t stage = 0; stage < 4; stage++, bytes /= 2)
        for (size_t block = 0; block < 4; block++, step += 3)
            for (size_t k = 0; k < 3; k++, count++)
                items[count] = (struct arena_item){.value = count,
                                                   .bytes = k ? bytes / 4 : bytes,
                                                   .first = step + k,
                                                   .last = step + (k ? k + 1 : 3)};
    cr_assert_leq(place(items, count), 1.01);
}

/* Two streams, of which one is read at the end only. */
Test(arena, streams_that_wait)
{
    struct arena_item items[] = {{0, 6400, 0, 9, 0}, {1, 3200, 1, 2, 0}, {2, 3200, 2, 3, 0},
                                 {3, 1600, 3, 9, 0}, {4, 1600, 4, 5, 0}, {5, 6400, 9, 10, 0}};
    cr_assert_eq(place(items, COUNT(items)), 1);
}

Test(arena, random_lifetimes)
{
    static struct arena_item items[ITEMS_MAX];
    double worst = 1, sum = 0;
    enum { ROUNDS = 300 };
    for (size_t seed = 0; seed < ROUNDS; seed++) {
        state = seed;
        const size_t count = 1 + pick(seed % 10 == 0 ? ITEMS_MAX : 40);
        for (size_t i = 0; i < count; i++) {
            const size_t first = pick(60);
            items[i] = (struct arena_item){.value = i,
                                           .bytes = 1 + pick(pick(3) ? 5000 : 100000),
                                           .first = first,
                                           .last = first + pick(pick(4) ? 4 : 40)};
        }
        const double ratio = place(items, count);
        sum += ratio;
        worst = ratio > worst ? ratio : worst;
    }
    cr_assert_leq(worst, 1.5, "%g", worst);
    cr_assert_leq(sum / ROUNDS, 1.1, "%g", sum / ROUNDS);
}

Test(arena, sizes_saturate)
{
    struct arena_item items[] = {{0, SIZE_MAX, 0, 1, 0},
                                 {1, SIZE_MAX / 2 + 1, 0, 1, 0},
                                 {2, SIZE_MAX - 5, 1, 2, 0},
                                 {3, 1, 0, 2, 0}};
    cr_assert_eq(arena_place(items, COUNT(items)), SIZE_MAX);
}

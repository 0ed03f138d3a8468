/* test_buffers.c - memory that is kept for the next request. */
#include "server/base/buffers.h"
#include "server/base/memory.h"
#include "tests/heap.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { MIB = 1 << 20, SLACK = MIB };
#else /* an emulator may need some too */
enum { MIB = 1 << 20, SLACK = 4 * MIB };
#endif

static void *take_filled(size_t bytes)
{
    void *buffer = buffer_take(bytes);
    cr_assert(buffer != NULL && (uintptr_t)buffer % 64 == 0);
    memset(buffer, 1, bytes);
    return buffer;
}

Test(buffers, one_of_the_size_is_used_again)
{
    memory_set_max(100 * MIB);
    void *first = take_filled(8 * MIB), *second = take_filled(8 * MIB);
    cr_assert(first != second);
    buffer_give(first);
    void *large = buffer_take(16 * MIB), *small = buffer_take(4 * MIB);
    cr_assert(large != first, "it is too small");
    cr_assert(small != first, "it is much too large");
    cr_assert(buffer_take(8 * MIB - MIB / 2) == first);
    buffer_give(second);
    cr_assert(buffer_take(8 * MIB) == second);
    void *const all[] = {first, second, large, small, NULL};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_give(all[i]);
}

Test(buffers, small_ones_come_and_go)
{
    for (size_t bytes = 1; bytes < MIB; bytes *= 2)
        buffer_give(take_filled(bytes));
    for (size_t i = 0; i < 200; i++)
        cr_assert(buffer_take(SIZE_MAX - i) == NULL, "there is no such memory");
}

#if !defined(__SANITIZE_ADDRESS__) /* which keeps what is freed */

/* As a request does, which has one alone. */
static void *take_charged(size_t bytes)
{
    cr_assert(memory_take(bytes));
    return take_filled(bytes);
}

static void give_charged(void *buffer, size_t bytes)
{
    buffer_give(buffer);
    memory_give(bytes);
}

static size_t resident_bytes(void)
{
    size_t total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert(file && fscanf(file, "%zu %zu", &total, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

Test(buffers, no_more_is_kept_than_may_be)
{
    enum { COUNT = 4 };
    void *buffers[COUNT];
    memory_set_max(64 * MIB);
    const size_t before = resident_bytes();
    for (int i = 0; i < COUNT; i++)
        buffers[i] = take_filled(32 * MIB);
    cr_assert(resident_bytes() > before + 128 * MIB - SLACK);
    for (int i = 0; i < COUNT; i++)
        buffer_give(buffers[i]);
    cr_assert(resident_bytes() < before + 64 * MIB + SLACK, "the others went back");
    cr_assert(resident_bytes() > before + 64 * MIB - SLACK, "two are kept");
}

Test(buffers, a_new_one_takes_the_place_of_kept_ones)
{
    memory_set_max(64 * MIB);
    const size_t before = resident_bytes();
    give_charged(take_charged(24 * MIB), 24 * MIB);
    give_charged(take_charged(32 * MIB), 32 * MIB);
    cr_assert(resident_bytes() > before + 56 * MIB - SLACK, "both are kept");
    void *third = take_charged(20 * MIB);
    cr_assert(resident_bytes() < before + 52 * MIB + SLACK, "the one kept longest went back");
    cr_assert(resident_bytes() > before + 52 * MIB - SLACK, "the other one did not");
    void *fourth = take_charged(44 * MIB);
    cr_assert(resident_bytes() < before + 64 * MIB + SLACK, "nothing else is kept");
    give_charged(third, 20 * MIB);
    give_charged(fourth, 44 * MIB);
}

Test(buffers, what_nobody_asks_for_goes_back)
{
    memory_set_max(200 * MIB);
    const size_t before = resident_bytes();
    void *first = take_filled(64 * MIB), *second = take_filled(64 * MIB);
    buffer_give(first);
    memory_trim(1000);
    cr_assert(resident_bytes() > before + 128 * MIB - SLACK, "it was asked for just now");
    usleep(20000);
    buffer_give(second);
    memory_trim(0.01);
    cr_assert(resident_bytes() < before + 64 * MIB + SLACK);
    cr_assert(buffer_take(64 * MIB) == second);
    buffer_give(second);
}

#    if defined(__x86_64__) && !defined(MALLOC_IS_TAKEN) /* others keep what they are given */

/* The C library keeps those that are free between others which are not. */
Test(buffers, small_ones_go_back_too)
{
    enum { COUNT = 1024, BYTES = MEMORY_MAPPED_BYTES_MIN / 4 };
    static void *buffers[COUNT];
    cr_assert_eq(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0); /* huge pages would stay as a whole */
    memory_set_max(200 * MIB);
    cr_assert(memory_take(COUNT * (size_t)BYTES));
    const size_t before = resident_bytes();
    for (size_t i = 0; i < COUNT; i++)
        buffers[i] = take_filled(BYTES);
    for (size_t i = 0; i < COUNT; i++)
        if (i % 16 != 15)
            buffer_give(buffers[i]);
    memory_give(COUNT * (size_t)BYTES);
    memory_trim(1000);
    cr_assert(resident_bytes() > before + 64 * MIB - SLACK, "somebody was at work just now");
    memory_trim(0);
    cr_assert(resident_bytes() < before + 4 * MIB + SLACK, "%zu", resident_bytes() - before);
}
#    endif
#endif

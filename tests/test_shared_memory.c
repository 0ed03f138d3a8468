/* test_shared_memory.c - regions that clients register: bounds, holders, owners who truncate them
 * while threads read and write, and SIGBUS elsewhere. */
#include "server/base/memory.h"
#include "server/shared_memory/shared_memory.h"
#include "server/shared_memory/shared_memory_bus.h"
#include "tests/heap.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, KEYS_MAX = 4 };

static char keys[KEYS_MAX][64]; /* "/ppm-test-123-0" */

static void allow(void)
{
    struct ppm_error error = {0};
    cr_assert(shared_memory_allow(&error) == PPM_OK, "%s", error.text);
    for (int i = 0; i < KEYS_MAX; i++)
        snprintf(keys[i], sizeof *keys, "/ppm-test-%d-%d", (int)getpid(), i);
}

static void unlink_all(void)
{
    for (int i = 0; i < KEYS_MAX; i++)
        shm_unlink(keys[i]);
}

TestSuite(shared_memory, .init = allow, .fini = unlink_all, .timeout = 300);

/* ---- objects of a client ---- */

static int make_object(int key, size_t bytes)
{
    const int object = shm_open(keys[key], O_RDWR | O_CREAT | O_TRUNC, 0600);
    cr_assert(object >= 0 && ftruncate(object, (off_t)bytes) == 0);
    return object;
}

static void resize(int object, size_t bytes)
{
    cr_assert(ftruncate(object, (off_t)bytes) == 0);
}

static void put(int object, size_t at, const char *text)
{
    cr_assert(pwrite(object, text, strlen(text), (off_t)at) == (ssize_t)strlen(text));
}

static void register_good(const char *name, int key, size_t offset, size_t byte_size)
{
    struct ppm_error error = {0};
    cr_assert(shared_memory_register(name, keys[key], offset, byte_size, &error) == PPM_OK, "%s",
              error.text);
}

static struct shared_memory_view hold_good(const char *name, size_t offset, size_t bytes)
{
    struct ppm_error error = {0};
    struct shared_memory_view view = {0};
    cr_assert(shared_memory_hold(name, offset, bytes, &view, &error) == PPM_OK, "%s", error.text);
    cr_assert(view.bytes == bytes);
    return view;
}

static void check_error(const struct ppm_error *error, enum ppm_status status, const char *text)
{
    cr_assert(error->status == status, "%d: %s", (int)error->status, error->text);
    cr_assert(strstr(error->text, text) && strstr(error->text, "expected"),
              "\"%s\" lacks \"%s\" or what was expected", error->text, text);
}

static void check_not_registered(const char *name, const char *key, size_t offset, size_t byte_size,
                                 enum ppm_status status, const char *text)
{
    struct ppm_error error = {0};
    shared_memory_register(name, key, offset, byte_size, &error);
    check_error(&error, status, text);
}

static void check_not_held(const char *name, size_t offset, size_t bytes, const char *text)
{
    struct ppm_error error = {0};
    struct shared_memory_view view = {.bytes = 77};
    shared_memory_hold(name, offset, bytes, &view, &error);
    check_error(&error, PPM_UNFIT, text);
    cr_assert(view.bytes == 77 && !view.data);
}

static size_t count_regions(void)
{
    struct shared_memory_info info;
    size_t count = 0;
    for (size_t at = 0; shared_memory_next(&at, &info);)
        count++;
    return count;
}

/* The number of mappings of our objects in this process. */
static size_t count_mappings(void)
{
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "/dev/shm/ppm-test-") != NULL;
    fclose(maps);
    return count;
}

/* ---- registering and holding ---- */

Test(shared_memory, what_is_written_is_the_object)
{
    static const size_t offsets[] = {0, 1, 64, PAGE - 1, PAGE, PAGE + 5};
    char text[8] = "";
    const int object = make_object(0, 3 * PAGE);
    for (size_t i = 0; i < COUNT(offsets); i++) {
        struct ppm_error error = {0};
        register_good("a", 0, offsets[i], PAGE + 9);
        put(object, offsets[i] + PAGE, "client");
        struct shared_memory_view view = hold_good("a", PAGE, 6);
        cr_assert(memcmp(view.data, "client", 6) == 0, "offset %zu", offsets[i]);
        memcpy(view.data, "server", 6);
        cr_assert(pread(object, text, 6, (off_t)(offsets[i] + PAGE)) == 6);
        cr_assert_str_eq(text, "server");
        cr_assert(shared_memory_is_intact(&view, &error), "%s", error.text);
        shared_memory_release(&view);
        shared_memory_release(&view);
        cr_assert(!view.data && shared_memory_unregister("a") && count_mappings() == 0);
    }
    close(object);
}

Test(shared_memory, keys_with_and_without_a_slash)
{
    struct ppm_error error = {0};
    struct shared_memory_info info;
    make_object(0, 10);
    cr_assert(shared_memory_register("a", keys[0] + 1, 2, 8, &error) == PPM_OK, "%s", error.text);
    cr_assert(shared_memory_find("a", &info) && info.offset == 2 && info.byte_size == 8);
    cr_assert_str_eq(info.key, keys[0] + 1);
    cr_assert(!shared_memory_find("b", &info));
}

Test(shared_memory, names_and_keys_that_are_none)
{
    char long_name[257], long_key[258];
    memset(long_name, 'n', sizeof long_name);
    long_name[256] = '\0';
    memset(long_key, 'k', sizeof long_key);
    long_key[0] = '/';
    long_key[257] = '\0';
    static const char *const bad_keys[] = {"",  "/",  "//x",  "/x/y", "x/y",   "/..", "..",
                                           ".", "/.", "../x", "/x/",  "/a\nb", "a/b", "\x7f"};
    make_object(0, 10);
    for (size_t i = 0; i < COUNT(bad_keys); i++)
        check_not_registered("a", bad_keys[i], 0, 1, PPM_MALFORMED, "key");
    check_not_registered("a", long_key, 0, 1, PPM_MALFORMED, "255 bytes");
    check_not_registered("", keys[0], 0, 1, PPM_MALFORMED, "0 bytes");
    check_not_registered("a\tb", keys[0], 0, 1, PPM_MALFORMED, "printable");
    check_not_registered(long_name, keys[0], 0, 1, PPM_MALFORMED, "256 bytes");
    long_name[255] = '\0';
    register_good(long_name, 0, 0, 10);
    cr_assert(count_regions() == 1);
}

Test(shared_memory, bounds_of_the_object)
{
    static const size_t bad[][2] = {
        {0, 11}, {1, 10}, {10, 1}, {11, 1}, {SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}};
    make_object(0, 10);
    for (size_t i = 0; i < COUNT(bad); i++)
        check_not_registered("a", keys[0], bad[i][0], bad[i][1], PPM_UNFIT, "found 10 bytes");
    check_not_registered("a", keys[0], 0, 0, PPM_MALFORMED, "0 bytes");
    check_not_registered("a", keys[1], 0, 1, PPM_UNFIT, "Unable to open shared memory region");
    register_good("a", 0, 9, 1);
    cr_assert(shared_memory_unregister("a"));
    register_good("a", 0, 0, 10);
}

Test(shared_memory, what_is_no_object_to_read_and_write)
{
    char path[96];
    make_object(0, 10);
    snprintf(path, sizeof path, "/dev/shm%s", keys[0]);
    cr_assert(chmod(path, 0400) == 0);
    if (geteuid() != 0) /* root may do everything */
        check_not_registered("a", keys[0], 0, 1, PPM_UNFIT, "Permission denied");
    snprintf(path, sizeof path, "/dev/shm%s", keys[1]);
    cr_assert(mkfifo(path, 0600) == 0);
    check_not_registered("a", keys[1], 0, 1, PPM_UNFIT, "found 0 bytes");
    snprintf(path, sizeof path, "/dev/shm%s", keys[2]);
    cr_assert(symlink("/etc/hostname", path) == 0);
    check_not_registered("a", keys[2], 0, 1, PPM_UNFIT, "Unable to open");
}

Test(shared_memory, bounds_of_a_region)
{
    static const size_t bad[][2] = {{0, 101},      {1, 100},      {101, 0},     {100, 1},
                                    {SIZE_MAX, 1}, {1, SIZE_MAX}, {SIZE_MAX, 2}};
    make_object(0, PAGE);
    register_good("a", 0, 50, 100);
    for (size_t i = 0; i < COUNT(bad); i++)
        check_not_held("a", bad[i][0], bad[i][1], "Invalid offset + byte size");
    check_not_held("b", 0, 1, "Unable to find shared memory region: 'b'");
    struct shared_memory_view view = hold_good("a", 99, 1);
    shared_memory_release(&view);
}

Test(shared_memory, a_name_is_taken_once)
{
    make_object(0, 10);
    make_object(1, 10);
    register_good("a", 0, 0, 10);
    check_not_registered("a", keys[1], 0, 10, PPM_UNFIT,
                         "shared memory region 'a' already in manager");
    register_good("b", 0, 0, 10);
    cr_assert(count_regions() == 2 && !shared_memory_unregister("c"));
    cr_assert(shared_memory_unregister("a") && !shared_memory_unregister("a"));
    register_good("a", 1, 0, 10);
    shared_memory_unregister_all();
    cr_assert(count_regions() == 0 && count_mappings() == 0);
}

Test(shared_memory, regions_live_until_their_last_holder_lets_go)
{
    struct ppm_error error = {0};
    const int old_object = make_object(0, 10), new_object = make_object(1, 10);
    put(old_object, 0, "old");
    put(new_object, 0, "new");
    register_good("a", 0, 0, 10);
    struct shared_memory_view first = hold_good("a", 0, 10), second = hold_good("a", 0, 3);
    cr_assert(shared_memory_unregister("a"));
    check_not_held("a", 0, 1, "Unable to find");
    register_good("a", 1, 0, 10);
    struct shared_memory_view third = hold_good("a", 0, 3);
    shared_memory_release(&first);
    cr_assert(memcmp(second.data, "old", 3) == 0 && memcmp(third.data, "new", 3) == 0);
    cr_assert(shared_memory_is_intact(&second, &error), "%s", error.text);
    shared_memory_unregister_all();
    cr_assert(count_mappings() == 2 && count_regions() == 0);
    shared_memory_release(&second);
    cr_assert(count_mappings() == 1);
    shared_memory_release(&third);
    cr_assert(count_mappings() == 0);
}

Test(shared_memory, no_more_than_there_are_places_for)
{
    char name[16];
    struct rlimit limit;
    cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < SHARED_MEMORY_REGIONS_MAX + 100)
        cr_skip_test("too few file descriptors");
    make_object(0, 10);
    for (int i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        register_good(name, 0, 0, 10);
    }
    check_not_registered("one more", keys[0], 0, 10, PPM_TOO_LARGE, "1024");
    cr_assert(count_regions() == SHARED_MEMORY_REGIONS_MAX);
    struct shared_memory_view view = hold_good("7", 0, 1);
    cr_assert(shared_memory_unregister("7"));
    check_not_registered("one more", keys[0], 0, 10, PPM_TOO_LARGE, "or in use");
    shared_memory_release(&view);
    register_good("one more", 0, 0, 10);
}

#ifndef MALLOC_IS_TAKEN

Test(shared_memory, nothing_is_asked_of_the_heap)
{
    make_object(0, 10);
    heap_count();
    register_good("a", 0, 0, 10);
    struct shared_memory_view view = hold_good("a", 0, 10);
    shared_memory_unregister_all();
    shared_memory_release(&view);
    cr_assert(heap_counted() == 0);
}

#endif

/* ---- owners who truncate ---- */

Test(shared_memory, truncated_before_it_is_held)
{
    const int object = make_object(0, 2 * PAGE);
    register_good("a", 0, 0, 2 * PAGE);
    resize(object, 2 * PAGE - 1);
    check_not_held("a", 0, 1, "found 8191 bytes left");
    resize(object, 2 * PAGE);
    struct shared_memory_view view = hold_good("a", 0, 2 * PAGE);
    shared_memory_release(&view);
}

Test(shared_memory, truncated_while_it_is_held)
{
    struct ppm_error error = {0};
    const int object = make_object(0, 4 * PAGE);
    put(object, 0, "first");
    register_good("a", 0, 0, 4 * PAGE);
    struct shared_memory_view view = hold_good("a", 0, 4 * PAGE);
    volatile char *data = view.data;
    resize(object, PAGE);
    cr_assert(data[2 * PAGE] == 0 && data[0] == 'f');
    data[3 * PAGE] = 1;
    data[PAGE] = 1;
    cr_assert(data[3 * PAGE] == 0 && data[PAGE] == 1, "replaced once more, from the first page on");
    cr_assert(!shared_memory_is_intact(&view, &error));
    check_error(&error, PPM_UNFIT, "truncated");
    resize(object, 4 * PAGE);
    check_not_held("a", 0, 1, "registered again");
    shared_memory_release(&view);
    cr_assert(shared_memory_unregister("a") && count_mappings() == 0);
    register_good("a", 0, 0, 4 * PAGE);
    view = hold_good("a", 0, 4 * PAGE);
    cr_assert(((volatile char *)view.data)[2 * PAGE] == 0);
    error = (struct ppm_error){0};
    cr_assert(shared_memory_is_intact(&view, &error), "%s", error.text);
    shared_memory_release(&view);
}

/* No page is missing, but the object has zeros where its last bytes were. */
Test(shared_memory, truncated_within_a_page)
{
    struct ppm_error error = {0};
    const int object = make_object(0, PAGE);
    register_good("a", 0, 0, PAGE);
    struct shared_memory_view view = hold_good("a", 0, PAGE);
    resize(object, PAGE / 2);
    cr_assert(((volatile char *)view.data)[PAGE - 1] == 0);
    cr_assert(!shared_memory_is_intact(&view, &error));
    check_error(&error, PPM_UNFIT, "found 2048 bytes left");
    shared_memory_release(&view);
}

enum { BIG_PAGES = 256, THREADS = 3, ROUNDS = 100 };

static atomic_bool is_truncated;

/* Reads and writes its own pages until all of them are gone. */
static void *use_pages(void *context)
{
    volatile char *data = context;
    bool is_last = false;
    while (!is_last) {
        is_last = atomic_load(&is_truncated);
        for (size_t page = 0; page < BIG_PAGES; page++) {
            data[page * PAGE] = (char)(data[page * PAGE] + 1);
            data[page * PAGE + 1] = 1;
        }
    }
    return NULL;
}

Test(shared_memory, truncated_while_threads_read_and_write)
{
    const size_t bytes = (size_t)THREADS * BIG_PAGES * PAGE;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        struct ppm_error error = {0};
        const int object = make_object(0, bytes);
        register_good("a", 0, 0, bytes);
        struct shared_memory_view view = hold_good("a", 0, bytes);
        atomic_store(&is_truncated, false);
        for (size_t i = 0; i < THREADS; i++)
            cr_assert(pthread_create(&threads[i], NULL, use_pages,
                                     (char *)view.data + i * BIG_PAGES * PAGE) == 0);
        usleep((unsigned)(round * 20));
        resize(object, (size_t)(round % 7) * 50 * PAGE);
        atomic_store(&is_truncated, true);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        cr_assert(!shared_memory_is_intact(&view, &error));
        shared_memory_release(&view);
        cr_assert(shared_memory_unregister("a") && count_mappings() == 0);
        close(object);
    }
}

Test(shared_memory, truncated_while_a_team_computes)
{
    const size_t bytes = (size_t)BIG_PAGES * PAGE;
    struct ppm_error error = {0};
    const int object = make_object(0, bytes);
    register_good("a", 0, 0, bytes);
    struct shared_memory_view view = hold_good("a", 0, bytes);
    volatile float *values = view.data;
    float sum = 0;
    resize(object, 0);
#pragma omp parallel for num_threads(4) reduction(+ : sum)
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        sum += values[i];
    cr_assert(sum == 0 && !shared_memory_is_intact(&view, &error));
    shared_memory_release(&view);
}

static size_t anonymous_bytes(void)
{
    char line[128];
    size_t kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    cr_assert(status != NULL);
    while (kib == 0 && fgets(line, sizeof line, status))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    fclose(status);
    cr_assert(kib > 0);
    return kib << 10;
}

/* However much is read and written, it uses the same few pages, which are freed with the holder. */
Test(shared_memory, what_was_truncated_costs_no_memory)
{
    const size_t bytes = (size_t)64 << 20;
    struct ppm_error error = {0};
    const int object = make_object(0, bytes);
    register_good("a", 0, 0, bytes);
    struct shared_memory_view view = hold_good("a", 0, bytes);
    volatile char *data = view.data;
    const size_t before = anonymous_bytes();
    resize(object, 0);
    for (size_t at = 0; at < bytes; at += PAGE)
        data[at] = 1;
#ifndef MALLOC_IS_TAKEN /* or a sanitizer's memory grows */
    cr_assert(anonymous_bytes() < before + ((size_t)4 << 20), "%zu bytes more",
              anonymous_bytes() - before);
#endif
    (void)before;
    cr_assert(!shared_memory_is_intact(&view, &error));
    shared_memory_release(&view);
    cr_assert(count_mappings() == 0 && count_regions() == 1, "it is still mapped");
    check_not_held("a", 0, 1, "registered again");
    cr_assert(shared_memory_unregister("a"));
    resize(object, bytes);
    register_good("a", 0, 0, bytes);
    view = hold_good("a", 0, bytes);
    cr_assert(((volatile char *)view.data)[0] == 0);
    shared_memory_release(&view);
}

/* ---- bytes that are mapped, and bytes that have memory ---- */

Test(shared_memory, no_more_is_mapped_than_may_be)
{
    make_object(0, 8 * PAGE);
    shared_memory_set_max(4 * PAGE);
    check_not_registered("a", keys[0], 0, 4 * PAGE + 1, PPM_TOO_LARGE, "shared_memory_max_bytes");
    register_good("a", 0, PAGE - 1, 2); /* of two pages */
    register_good("b", 0, 0, PAGE + 1);
    check_not_registered("c", keys[0], 0, 1, PPM_TOO_LARGE, "found 4096 bytes besides 16384");
    struct shared_memory_view view = hold_good("b", 0, 1);
    cr_assert(shared_memory_unregister("b"));
    check_not_registered("c", keys[0], 0, 1, PPM_TOO_LARGE, "or in use");
    shared_memory_release(&view);
    register_good("c", 0, 0, 2 * PAGE);
}

static size_t allocated_bytes(int object)
{
    struct stat status;
    cr_assert(fstat(object, &status) == 0);
    return (size_t)status.st_blocks * 512;
}

Test(shared_memory, holes_are_read_without_memory)
{
    enum { PAGES = 64 };
    static char bytes[PAGES * PAGE];
    struct ppm_error error = {0};
    const int object = make_object(0, sizeof bytes + 100);
    register_good("a", 0, 100, sizeof bytes);
    struct shared_memory_view view = hold_good("a", 0, sizeof bytes);
    cr_assert(shared_memory_has_holes(&view));
    put(object, 3 * PAGE + 100, "data");
    const size_t allocated = allocated_bytes(object);
    memset(bytes, 1, sizeof bytes);
    cr_assert(shared_memory_read(&view, 0, bytes, sizeof bytes, &error) == PPM_OK, "%s",
              error.text);
    cr_assert(memcmp(bytes + 3 * PAGE, "data", 4) == 0 && bytes[0] == 0 && bytes[4 * PAGE] == 0);
    cr_assert(shared_memory_read(&view, 3 * PAGE + 2, bytes, 2, &error) == PPM_OK);
    cr_assert(memcmp(bytes, "ta", 2) == 0);
    cr_assert(allocated_bytes(object) == allocated, "reading allocated memory");
    struct shared_memory_view part = hold_good("a", 3 * PAGE, PAGE / 2);
    cr_assert(!shared_memory_has_holes(&part));
    shared_memory_release(&part);
    resize(object, PAGE);
    cr_assert(shared_memory_read(&view, 0, bytes, sizeof bytes, &error) == PPM_UNFIT);
    check_error(&error, PPM_UNFIT, "truncated while it was read");
    shared_memory_release(&view);
}

Test(shared_memory, what_writing_allocates_is_taken_from_the_budget)
{
    enum { PAGES = 16 };
    struct ppm_error error = {0};
    const int object = make_object(0, PAGES * PAGE);
    memory_set_max(PAGES * PAGE);
    register_good("a", 0, 0, PAGES * PAGE);
    put(object, 0, "data");
    struct shared_memory_view view = hold_good("a", 0, 8 * PAGE), other = hold_good("a", 0, PAGE);
    cr_assert(shared_memory_back(&view, &error) == PPM_OK && memory_taken() == 7 * PAGE, "%zu",
              memory_taken());
    cr_assert(shared_memory_back(&other, &error) == PPM_OK && memory_taken() == 7 * PAGE);
    memset(view.data, 1, 4 * PAGE);
    shared_memory_release(&view);
    shared_memory_release(&other);
    cr_assert(memory_taken() == 3 * PAGE, "what was not written takes nothing: %zu",
              memory_taken());
    cr_assert(memory_take(PAGE));
    view = hold_good("a", 0, PAGES * PAGE);
    cr_assert(shared_memory_back(&view, &error) == PPM_OK && memory_taken() == 16 * PAGE);
    shared_memory_release(&view);
    cr_assert(memory_take(PAGE));
    view = hold_good("a", 0, PAGES * PAGE);
    cr_assert(shared_memory_back(&view, &error) == PPM_NO_MEMORY);
    check_error(&error, PPM_NO_MEMORY, "memory_max_bytes");
    shared_memory_release(&view);
    memory_give(2 * PAGE);
    cr_assert(memory_taken() == 3 * PAGE);
    resize(object, PAGE);
    cr_assert(shared_memory_unregister("a") && memory_taken() == 0);
}

/* After truncation, nothing counts as taken for the object. */
Test(shared_memory, what_was_truncated_is_given_back)
{
    struct ppm_error error = {0};
    const int object = make_object(0, 8 * PAGE);
    memory_set_max(8 * PAGE);
    register_good("a", 0, 0, 8 * PAGE);
    struct shared_memory_view view = hold_good("a", PAGE, 7 * PAGE);
    cr_assert(shared_memory_back(&view, &error) == PPM_OK && memory_taken() == 7 * PAGE);
    resize(object, 0);
    shared_memory_release(&view);
    cr_assert(memory_taken() == 0, "%zu", memory_taken());
}

/* The same for truncation between requests, while it is registered. */
Test(shared_memory, what_was_truncated_later_is_given_back)
{
    struct ppm_error error = {0};
    const int object = make_object(0, 8 * PAGE);
    memory_set_max(8 * PAGE);
    register_good("a", 0, 0, 8 * PAGE);
    struct shared_memory_view view = hold_good("a", PAGE, 7 * PAGE);
    cr_assert(shared_memory_back(&view, &error) == PPM_OK);
    memset(view.data, 1, view.bytes);
    shared_memory_sweep();
    cr_assert(memory_taken() == 7 * PAGE, "it is held: %zu", memory_taken());
    shared_memory_release(&view);
    shared_memory_sweep();
    cr_assert(memory_taken() == 7 * PAGE, "the object has it: %zu", memory_taken());
    resize(object, 3 * PAGE);
    shared_memory_sweep();
    cr_assert(memory_taken() == 2 * PAGE, "%zu", memory_taken());
    resize(object, 0);
    shared_memory_sweep();
    cr_assert(memory_taken() == 0, "%zu", memory_taken());
    cr_assert(shared_memory_unregister("a") && memory_taken() == 0);
}

Test(shared_memory, views_overlap_by_the_bytes_of_an_object)
{
    make_object(0, 4 * PAGE);
    make_object(1, 4 * PAGE);
    register_good("a", 0, 0, 4 * PAGE);
    register_good("b", 0, PAGE + 8, 2 * PAGE); /* of the same object */
    register_good("c", 1, 0, 4 * PAGE);
    struct shared_memory_view none = {0}, a = hold_good("a", 0, PAGE + 8), next, of_b, of_c;
    next = hold_good("a", PAGE + 8, 100);
    of_b = hold_good("b", 0, 100);
    of_c = hold_good("c", 0, 100);
    cr_assert(shared_memory_overlap(&a, &a) && shared_memory_overlap(&next, &of_b));
    cr_assert(!shared_memory_overlap(&a, &next) && !shared_memory_overlap(&a, &of_b));
    cr_assert(!shared_memory_overlap(&a, &of_c) && !shared_memory_overlap(&a, &none));
    shared_memory_release(&a);
    a = hold_good("a", 0, PAGE + 9);
    cr_assert(shared_memory_overlap(&a, &next) && shared_memory_overlap(&of_b, &a));
    shared_memory_release(&a);
    shared_memory_release(&next);
    shared_memory_release(&of_b);
    shared_memory_release(&of_c);
}

/* ---- many at once ---- */

static atomic_size_t held_count;

/* Registers, holds, writes and unregisters under names that other threads use too. */
static void *use_names(void *context)
{
    const size_t thread = (size_t)(uintptr_t)context;
    for (size_t i = 0; i < 2000; i++) {
        char name[2] = {(char)('a' + i % 3), '\0'};
        struct ppm_error error = {0};
        struct shared_memory_view view = {0};
        shared_memory_register(name, keys[i % 2], 0, 2 * PAGE, &error);
        error = (struct ppm_error){0};
        if (shared_memory_hold(name, 0, 2 * PAGE, &view, &error) == PPM_OK) {
            ((volatile char *)view.data)[PAGE + thread] = 1; /* this thread's byte */
            atomic_fetch_add(&held_count, 1);
        }
        if (i % 2 == thread % 2)
            shared_memory_unregister(name);
        shared_memory_release(&view);
    }
    return NULL;
}

static void *truncate_again_and_again(void *context)
{
    const int object = *(const int *)context;
    while (!atomic_load(&is_truncated)) {
        resize(object, PAGE);
        resize(object, 2 * PAGE);
    }
    return NULL;
}

static void use_names_by_threads(bool are_truncated)
{
    pthread_t threads[THREADS], owner;
    int objects[] = {make_object(0, 2 * PAGE), make_object(1, 2 * PAGE)};
    const int next_descriptor = dup(0);
    close(next_descriptor);
    if (are_truncated)
        cr_assert(pthread_create(&owner, NULL, truncate_again_and_again, &objects[0]) == 0);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(pthread_create(&threads[i], NULL, use_names, (void *)(uintptr_t)i) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&is_truncated, true);
    if (are_truncated)
        pthread_join(owner, NULL);
    cr_assert(atomic_load(&held_count) > 0);
    shared_memory_unregister_all();
    cr_assert(count_mappings() == 0 && count_regions() == 0);
    cr_assert(dup(0) == next_descriptor, "a descriptor was left open");
}

Test(shared_memory, threads_that_register_and_unregister)
{
    use_names_by_threads(false);
}

Test(shared_memory, threads_that_register_and_unregister_what_is_truncated)
{
    use_names_by_threads(true);
}

/* ---- SIGBUS for other reasons ---- */

/* A page of a truncated file that is not a region. */
static volatile char *missing_page(void)
{
    const int file = memfd_create("gone", MFD_CLOEXEC);
    cr_assert(file >= 0 && ftruncate(file, PAGE) == 0);
    volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    cr_assert(page != MAP_FAILED && ftruncate(file, 0) == 0);
    return page;
}

/* Sanitizers handle SIGBUS themselves. */
#if !defined(MALLOC_IS_TAKEN) && !defined(HEAP_IS_CHECKED)

/* Fails the test unless a child that calls it dies of SIGBUS. */
static void check_killed(void (*act)(void))
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        act();
        _exit(0);
    }
    cr_assert(waitpid(child, &status, 0) == child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "status %#x", (unsigned)status);
}

static void touch_missing_page(void)
{
    (void)missing_page()[0];
}

static void send_signal(void)
{
    kill(getpid(), SIGBUS);
}

static void touch_what_was_a_region(void)
{
    struct shared_memory_view view = hold_good("a", 0, PAGE);
    volatile char *data = view.data;
    shared_memory_release(&view);
    shared_memory_unregister_all();
    cr_assert(mmap((void *)data, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                   memfd_create("empty", 0), 0) == data);
    (void)data[0];
}

Test(shared_memory, anything_else_ends_the_process)
{
    make_object(0, PAGE);
    register_good("a", 0, 0, PAGE);
    check_killed(touch_missing_page);
    check_killed(send_signal);
    check_killed(touch_what_was_a_region);
}

#endif

static volatile sig_atomic_t is_passed_on;
static void *passed_page;

static void note_signal(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    is_passed_on = info->si_addr == passed_page;
    mmap(passed_page, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

Test(shared_memory_handler, the_one_before_gets_what_is_not_ours, .timeout = 300)
{
    if (getenv("EMULATOR"))
        cr_skip_test("qemu tries the access again without end");
    struct sigaction before = {.sa_flags = SA_SIGINFO};
    before.sa_sigaction = note_signal;
    cr_assert(sigaction(SIGBUS, &before, NULL) == 0);
    allow();
    allow();
    volatile char *page = missing_page();
    passed_page = (void *)page;
    cr_assert(page[0] == 0 && is_passed_on);
}

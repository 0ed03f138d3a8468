/* heap.c - see heap.h. */
#include "tests/heap.h"

#ifndef MALLOC_IS_TAKEN

#    include <dlfcn.h>
#    include <errno.h>
#    include <stdatomic.h>
#    include <stdlib.h>
#    include <string.h>

#    ifdef HEAP_IS_CHECKED
#        include <sanitizer/lsan_interface.h>
#        define BELOW(name) __interceptor_##name
#    else
#        define BELOW(name) __libc_##name
#    endif

/* The first allocations come before AddressSanitizer is ready. All calls end with a jump (the
 * Makefile's flags for this file): LeakSanitizer recognizes the dynamic linker's memory, including
 * threads' memory, by the caller of malloc. */
#    define UNCHECKED __attribute__((no_sanitize("address")))

/* The names under which glibc or AddressSanitizer export the functions replaced here. */
void *BELOW(malloc)(size_t bytes);
void *BELOW(calloc)(size_t count, size_t bytes);
void *BELOW(realloc)(void *memory, size_t bytes);
void *BELOW(memalign)(size_t alignment, size_t bytes);
void BELOW(free)(void *memory);

static atomic_bool is_counted;
static atomic_size_t calls, bytes_asked, blocks;

static atomic_bool is_refusing, has_refused;
static atomic_long requests;
static long refuse_first, refuse_count;
static enum heap_threads refused_threads;
static _Thread_local bool is_this_thread;

void heap_count(void)
{
    calls = 0;
    bytes_asked = 0;
    is_counted = true;
}

size_t heap_counted(void)
{
    is_counted = false;
    return calls;
}

size_t heap_counted_bytes(void)
{
    return bytes_asked;
}

bool heap_is_ours(void)
{
    heap_count();
    void *volatile memory = malloc(1);
    free(memory);
    return heap_counted() > 0;
}

void heap_refuse(enum heap_threads threads, long first, long count)
{
    is_this_thread = true;
    refused_threads = threads;
    refuse_first = first;
    refuse_count = count;
    requests = 0;
    has_refused = false;
    is_refusing = true;
}

void heap_relent(void)
{
    is_refusing = false;
}

bool heap_has_refused(void)
{
    return has_refused;
}

size_t heap_blocks(void)
{
    return blocks;
}

bool heap_leaks(void)
{
#    ifdef HEAP_IS_CHECKED
    return __lsan_do_recoverable_leak_check() != 0;
#    else
    return false;
#    endif
}

/* Whether the caller is a library that cannot handle failure. */
UNCHECKED static bool is_exempt(const void *caller, bool is_array_of_8)
{
    static const char *const names[] = {"omp.so", "libgmp.so", "libgnutls.so", "libtasn1.so"};
    Dl_info library;
    if (!dladdr(caller, &library) || !library.dli_fname)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(library.dli_fname, names[i]))
            return true;
    return is_array_of_8 && strstr(library.dli_fname, "libmicrohttpd.so"); /* struct pollfd */
}

UNCHECKED static bool is_watched_thread(void)
{
    return refused_threads == HEAP_ALL_THREADS ||
           (refused_threads == HEAP_THIS_THREAD) == is_this_thread;
}

UNCHECKED static bool is_refused(const void *caller, size_t bytes, bool is_array_of_8)
{
    const bool is_concerned = is_refusing && is_watched_thread();
    if ((!is_concerned && !is_counted) || is_exempt(caller, is_array_of_8))
        return false;
    if (is_counted) {
        calls++;
        bytes_asked += bytes;
    }
    if (!is_concerned)
        return false;
    const long request = requests++;
    if (request < refuse_first || request - refuse_first >= refuse_count)
        return false;
    has_refused = true;
    errno = ENOMEM;
    return true;
}

UNCHECKED static void *given(void *memory)
{
#    ifndef HEAP_IS_CHECKED /* whose strdup does not call malloc */
    blocks += memory != NULL;
#    endif
    return memory;
}

/* Allocates, or returns NULL if this allocation is to fail. */
#    define ANSWER(allocate)                                                                       \
        return is_refused(__builtin_return_address(0), bytes, false) ? NULL : given(allocate)

UNCHECKED void *malloc(size_t bytes)
{
    ANSWER(BELOW(malloc)(bytes));
}

UNCHECKED void *calloc(size_t count, size_t bytes)
{
    return is_refused(__builtin_return_address(0), count * bytes, count > 1 && bytes == 8)
               ? NULL
               : given(BELOW(calloc)(count, bytes));
}

UNCHECKED void *memalign(size_t alignment, size_t bytes)
{
    ANSWER(BELOW(memalign)(alignment, bytes));
}

UNCHECKED void *aligned_alloc(size_t alignment, size_t bytes)
{
    ANSWER(BELOW(memalign)(alignment, bytes));
}

UNCHECKED int posix_memalign(void **ret, size_t alignment, size_t bytes)
{
    void *memory = is_refused(__builtin_return_address(0), bytes, false)
                       ? NULL
                       : given(BELOW(memalign)(alignment, bytes));
    if (!memory)
        return ENOMEM;
    *ret = memory;
    return 0;
}

UNCHECKED void *realloc(void *old, size_t bytes)
{
    if (is_refused(__builtin_return_address(0), bytes, false))
        return NULL;
    void *memory = BELOW(realloc)(old, bytes);
#    ifndef HEAP_IS_CHECKED
    if (memory && !old)
        blocks++;
    else if (old && !memory && bytes == 0)
        blocks--;
#    endif
    return memory;
}

UNCHECKED void free(void *memory)
{
#    ifndef HEAP_IS_CHECKED
    blocks -= memory != NULL;
#    endif
    BELOW(free)(memory);
}

#endif

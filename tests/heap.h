/*
 * heap.h - counts allocations and makes them fail: heap.c's malloc replaces the C library's
 * or AddressSanitizer's in the whole process. ThreadSanitizer's is part of the program; with it
 * none of this works.
 *
 * Neither counted nor failed are allocations of libraries that would end the process or ignore
 * the failure: OpenMP, GnuTLS with GMP and libtasn1. The same holds for libmicrohttpd's array for
 * poll: it retries at once, but forgets which connections to resume. Those are cut off after 5 s
 * (http_answer), too late for these tests.
 */
#ifndef PPM_TESTS_HEAP_H
#define PPM_TESTS_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define MALLOC_IS_TAKEN
#    endif
#elif defined(__SANITIZE_THREAD__)
#    define MALLOC_IS_TAKEN
#elif defined(__SANITIZE_ADDRESS__)
#    define HEAP_IS_CHECKED
#endif

/* False if another malloc is in use, such as valgrind's. */
bool heap_is_ours(void);

/* Starts counting all threads' calls of malloc, calloc, posix_memalign and realloc. Not free:
 * OpenMP's library tail-calls it, so its caller is unknown.
 */
void heap_count(void);

/* Stops counting; returns the number of allocations. */
size_t heap_counted(void);
size_t heap_counted_bytes(void); /* and their total size */

/* Whose allocations fail. */
enum heap_threads { HEAP_THIS_THREAD, HEAP_OTHER_THREADS, HEAP_ALL_THREADS };

/* Makes `count` allocations in a row fail, starting with allocation number `first` from now, from
 * 0. */
void heap_refuse(enum heap_threads threads, long first, long count);
enum { HEAP_WITHOUT_END = 1 << 30 };

void heap_relent(void);      /* stops failing */
bool heap_has_refused(void); /* since the last heap_refuse */

/* All threads; with AddressSanitizer, which allocates as each thread starts, only this one. */
#ifdef HEAP_IS_CHECKED
#    define HEAP_STARTED_THREADS HEAP_THIS_THREAD
#else
#    define HEAP_STARTED_THREADS HEAP_ALL_THREADS
#endif

/* The number of blocks in use. Always 0 with AddressSanitizer, which checks this itself. */
size_t heap_blocks(void);

/* Whether AddressSanitizer finds leaked memory; false without it. */
bool heap_leaks(void);

#endif

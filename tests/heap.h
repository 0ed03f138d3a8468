/*
 * heap.h - requests for memory, counted and refused: heap.c's malloc stands in for the C library's
 * or AddressSanitizer's, in the whole process. ThreadSanitizer's is part of the program; with it
 * there is none of this.
 *
 * Never refused, nor counted, is what libraries ask for that end the process when there is none,
 * or go on without looking: OpenMP's, GnuTLS with GMP and libtasn1. Nor is it what libmicrohttpd
 * polls with: it tries again at once, but forgets whom it was to resume. They are cut off after 5 s
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

/* False when another malloc is in place after all, such as valgrind's. */
bool heap_is_ours(void);

/* From now on counts what all threads ask of malloc, calloc, posix_memalign and realloc. Not free:
 * OpenMP's library ends functions with it, and then it seems to be called by whoever called them.
 */
void heap_count(void);

/* Stops counting; returns how many requests there were. */
size_t heap_counted(void);
size_t heap_counted_bytes(void); /* and how much they asked for in all */

/* Whose requests are refused. */
enum heap_threads { HEAP_THIS_THREAD, HEAP_OTHER_THREADS, HEAP_ALL_THREADS };

/* Refuses so many requests in a row, the first of them the first-th from now, from 0. */
void heap_refuse(enum heap_threads threads, long first, long count);
enum { HEAP_WITHOUT_END = 1 << 30 };

void heap_relent(void);      /* refuses no more */
bool heap_has_refused(void); /* since the last heap_refuse */

/* All threads; but where each begins with AddressSanitizer's own needs, this one. */
#ifdef HEAP_IS_CHECKED
#    define HEAP_STARTED_THREADS HEAP_THIS_THREAD
#else
#    define HEAP_STARTED_THREADS HEAP_ALL_THREADS
#endif

/* Blocks that are in use. Always 0 where AddressSanitizer knows better. */
size_t heap_blocks(void);

/* Whether AddressSanitizer finds memory that nobody knows of any more; false without it. */
bool heap_leaks(void);

#endif

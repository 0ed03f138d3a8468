/*
 * heap.h - requests for memory, counted: by test_memory.c, whose malloc stands in for the C
 * library's. The sanitizers bring a malloc of their own; then there is none of this.
 */
#ifndef PPM_TESTS_HEAP_H
#define PPM_TESTS_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define MALLOC_IS_TAKEN
#    endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define MALLOC_IS_TAKEN
#endif

/* From now on counts what all threads ask of malloc, calloc, posix_memalign and realloc, but for
 * OpenMP's library. Not free: that library ends functions with it, and then it seems to be called
 * by whoever called them. */
void heap_count(void);

/* Stops counting; returns how many requests there were. */
size_t heap_counted(void);

#endif

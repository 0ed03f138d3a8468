/*
 * shared_memory_view.h - parts of a region: which bytes they are, and which of them have memory.
 *
 * An object may have holes: pages without memory. The first access allocates each, even a read.
 * Holes that an answer will fill are taken from the budget (memory.h) until the region is unmapped
 * or its owner frees them (shared_memory_sweep). shared_memory_read reads holes without allocating.
 */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_VIEW_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_VIEW_H

#include "core/ppm.h"

/* Part of a region, held from shared_memory_hold to shared_memory_release. */
struct shared_memory_view {
    void *data; /* readable and writable; aligned as the client chose */
    size_t bytes;
    size_t region, backed_bytes; /* private */
};

/* Whether part of it has no memory yet. */
bool shared_memory_has_holes(const struct shared_memory_view *view);

/* Whether two views share bytes of an object, through one region or two. Either may be {0}. */
bool shared_memory_overlap(const struct shared_memory_view *a, const struct shared_memory_view *b);

/* Takes from the budget what writing to all of it may allocate. PPM_NO_MEMORY: the budget has too
 * little left; PPM_TOO_LARGE: it is too small. */
enum ppm_status shared_memory_back(struct shared_memory_view *view, struct ppm_error *error);

/* Copies bytes from offset on to ret, holes as 0. PPM_UNFIT: the object was truncated. */
enum ppm_status shared_memory_read(const struct shared_memory_view *view, size_t offset, void *ret,
                                   size_t bytes, struct ppm_error *error);

/* Bytes of a view in holes; 0 also if that is unknown. shared_memory_mutex is held. */
size_t shared_memory_hole_bytes(const struct shared_memory_view *view);

#endif

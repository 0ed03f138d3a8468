/*
 * shared_memory.h - POSIX shared memory of clients on this machine. They register it by name, so
 * that tensors are read from it and written to it (the semantics of Triton's system shared memory).
 *
 * A region is byte_size bytes of the object key (in /dev/shm), from offset on. Requests hold parts
 * of it; an unregistered region lives until the last of them is released.
 *
 * The object's owner may truncate it at any time. shared_memory_bus.h keeps the server alive then,
 * and marks the region as broken: shared_memory_is_intact says so, and the request is refused. The
 * last release unmaps a broken region; its name can only be unregistered.
 *
 * Any thread may call. shared_memory_allow comes first.
 */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_H

#include "server/shared_memory/shared_memory_view.h"

enum {
    SHARED_MEMORY_REGIONS_MAX = 1024, /* each has a file descriptor */
    SHARED_MEMORY_NAME_BYTES = 256,   /* '\0' included, here and below */
    SHARED_MEMORY_KEY_BYTES = 257,    /* a '/' before a file's name */
};

struct shared_memory_info {
    char name[SHARED_MEMORY_NAME_BYTES], key[SHARED_MEMORY_KEY_BYTES]; /* key: as it was given */
    size_t offset, byte_size;
};

/* Bounds the bytes mapped at a time, in whole pages; unbounded before the first call. */
void shared_memory_set_max(size_t bytes);

/* key is "/x" or "x". PPM_MALFORMED: a bad name or key, or byte_size is 0. PPM_UNFIT: the name is
 * taken, or the object is missing, not readable and writable, or ends before offset + byte_size.
 * PPM_TOO_LARGE: SHARED_MEMORY_REGIONS_MAX regions exist, or too many bytes are mapped.
 * PPM_NO_MEMORY or PPM_IO: it cannot be mapped. */
enum ppm_status shared_memory_register(const char *name, const char *key, size_t offset,
                                       size_t byte_size, struct ppm_error *error);

/* False: no region has that name. */
bool shared_memory_unregister(const char *name);
void shared_memory_unregister_all(void);

bool shared_memory_find(const char *name, struct shared_memory_info *ret_info);

/* Iterates over the regions: *at starts at 0; false after the last one. May miss regions that come
 * or go meanwhile. */
bool shared_memory_next(size_t *at, struct shared_memory_info *ret_info);

/* Holds bytes of the named region from offset on. PPM_UNFIT: no region has that name, it is
 * smaller, or its object was truncated since; *ret_view is untouched then. */
enum ppm_status shared_memory_hold(const char *name, size_t offset, size_t bytes,
                                   struct shared_memory_view *ret_view, struct ppm_error *error);

/* Call it after reading or writing, before using the data. False and PPM_UNFIT: the object was
 * truncated, so any of it may be wrong. */
bool shared_memory_is_intact(const struct shared_memory_view *view, struct ppm_error *error);

/* Returns to the budget the pages that owners took away by truncating or punching holes. Call it
 * periodically. */
void shared_memory_sweep(void);

/* *view becomes {0}; releasing {0} does nothing. */
void shared_memory_release(struct shared_memory_view *view);

#endif

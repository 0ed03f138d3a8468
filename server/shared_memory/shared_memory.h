/*
 * shared_memory.h - POSIX shared memory that clients of this machine register by a name, to have
 * tensors read from it and written to it (the semantics of Triton's system shared memory).
 *
 * A region is length byte_size of the object key (of /dev/shm), from offset on. Requests hold parts
 * of it; one that is unregistered meanwhile lives until the last of them lets go.
 *
 * The object belongs to its owner, who may truncate it at any time. Whoever then reads or writes a
 * page that is no more gets SIGBUS, on whatever thread. The handler of shared_memory_allow puts
 * other memory there, 8 MiB that all such pages share, so that the thread goes on with whatever it
 * reads, and marks the region as broken: shared_memory_is_intact tells, and the request is refused
 * in the end. The region is unmapped with its last holder, and its name is good for nothing but to
 * be unregistered. The same holds where the memory of /dev/shm runs out. A system call gets EFAULT
 * instead: hand none of this memory to one.
 *
 * An object may have holes: pages without memory, which the kernel allocates with the first access,
 * to read as well. Those that an answer is to be written to count as taken from the budget
 * (memory.h) until the region is unmapped (shared_memory_back) or its owner takes them away
 * (shared_memory_sweep); others are to be read by shared_memory_read, which allocates nothing.
 *
 * Any thread may call. No function but shared_memory_allow is called before it.
 */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_H

#include "core/ppm.h"

enum {
    SHARED_MEMORY_REGIONS_MAX = 1024, /* each has a file descriptor */
    SHARED_MEMORY_NAME_BYTES = 256,   /* '\0' included, here and below */
    SHARED_MEMORY_KEY_BYTES = 257,    /* a '/' before a file's name */
};

struct shared_memory_info {
    char name[SHARED_MEMORY_NAME_BYTES], key[SHARED_MEMORY_KEY_BYTES]; /* key: as it was given */
    size_t offset, byte_size;
};

/* Part of a region; held until shared_memory_release. */
struct shared_memory_view {
    void *data; /* may be read and written; aligned as the client chose */
    size_t bytes;
    size_t region, backed_bytes; /* private */
};

/* Installs the handler for SIGBUS, once; it hands what is not in a region to the one before it, or
 * lets it end the process as ever. PPM_IO when it cannot. */
enum ppm_status shared_memory_allow(struct ppm_error *error);

/* How many bytes may be mapped at a time, in whole pages; without it any number. */
void shared_memory_set_max(size_t bytes);

/* key is "/x" or "x". PPM_MALFORMED: name or key is none, or byte_size is 0. PPM_UNFIT: the name is
 * taken; the object is not there, may not be read and written, or ends before offset + byte_size.
 * PPM_TOO_LARGE: there are SHARED_MEMORY_REGIONS_MAX, or too many bytes. PPM_NO_MEMORY or PPM_IO:
 * it cannot be mapped.
 */
enum ppm_status shared_memory_register(const char *name, const char *key, size_t offset,
                                       size_t byte_size, struct ppm_error *error);

/* False: there is none of that name. */
bool shared_memory_unregister(const char *name);
void shared_memory_unregister_all(void);

bool shared_memory_find(const char *name, struct shared_memory_info *ret_info);

/* The next region, and moves *at, which is 0 at first; false: that was all of them. Those that come
 * or go meanwhile may be left out. */
bool shared_memory_next(size_t *at, struct shared_memory_info *ret_info);

/* Holds bytes from offset on of the region of that name. PPM_UNFIT: there is none, it has fewer, or
 * its object was truncated since; *ret_view is then left alone. */
enum ppm_status shared_memory_hold(const char *name, size_t offset, size_t bytes,
                                   struct shared_memory_view *ret_view, struct ppm_error *error);

/* To be asked when what was read or written is complete, and before it is used. False, and
 * PPM_UNFIT: the object was truncated, so that all of it may be wrong. */
bool shared_memory_is_intact(const struct shared_memory_view *view, struct ppm_error *error);

/* Whether some of it has no memory yet. */
bool shared_memory_has_holes(const struct shared_memory_view *view);

/* Whether two views share bytes of one object, by one region or by two. One may be {0}. */
bool shared_memory_overlap(const struct shared_memory_view *a, const struct shared_memory_view *b);

/* Takes from the budget what writing to all of it may allocate. PPM_NO_MEMORY: the budget lacks it;
 * PPM_TOO_LARGE: it always will. */
enum ppm_status shared_memory_back(struct shared_memory_view *view, struct ppm_error *error);

/* ret[bytes] = what stands there from offset on, holes as 0. PPM_UNFIT: not all of it is there. */
enum ppm_status shared_memory_read(const struct shared_memory_view *view, size_t offset, void *ret,
                                   size_t bytes, struct ppm_error *error);

/* Gives back to the budget what objects do not have any more: their owners truncated them, or
 * punched holes. To be called every now and then. */
void shared_memory_sweep(void);

/* *view becomes {0}, which may be released too. */
void shared_memory_release(struct shared_memory_view *view);

#endif

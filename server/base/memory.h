/*
 * memory.h - the budget of memory for all requests: memory_max_bytes, for the whole process.
 *
 * Bytes are taken before they are allocated, and given back after they are freed. Memory that a
 * request leaves may be kept for the next one. It counts too, and is freed when a request needs the
 * bytes, the oldest first. So taken and kept bytes never exceed the budget, and kept memory never
 * causes a refusal. Any thread may call.
 */
#ifndef PPM_SERVER_BASE_MEMORY_H
#define PPM_SERVER_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MEMORY_MAPPED_BYTES_MIN = 1 << 18, /* larger allocations return to the kernel when freed */
    MEMORY_KEPT_MAX = 256,             /* number of items kept */
};

/* 0 at first: nothing may be taken or kept. */
void memory_set_max(size_t bytes_max);
size_t memory_max(void);

/* False: the budget lacks the bytes, even if nothing were kept. */
bool memory_take(size_t bytes);
void memory_give(size_t bytes);

size_t memory_taken(void);
size_t memory_kept(void);

/* ---- kept memory ---- */

/* Embedded in whatever can be kept. The caller sets kind and bytes; the rest is private. */
struct memory_kept {
    const struct memory_kind *kind;
    size_t bytes;
    struct memory_kept *next;
    double idle_since_s;
};

struct memory_kind {
    bool (*fits)(const struct memory_kept *kept, const void *wanted);
    void (*free)(struct memory_kept *kept);
};

/* Keeps it, or frees it if it exceeds the budget. Its bytes remain taken: next, the caller gives
 * them back, or uses them for another allocation after memory_make_room. */
void memory_keep(struct memory_kept *kept);

/* Hands the newest one of that kind that fits to the caller. NULL: none fits. */
struct memory_kept *memory_reuse(const struct memory_kind *kind, const void *wanted);

/* Call it before allocating bytes that were taken before something was kept. */
void memory_make_room(void);

/* Frees what was not reused for that many seconds; and the C library's free memory, once nothing
 * was taken for that long. Call it regularly. */
void memory_trim(double idle_s);

#endif

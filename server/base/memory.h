/*
 * memory.h - the one budget of memory for requests: memory_max_bytes, for the whole process.
 *
 * Bytes are taken before they are allocated, and given back after they are freed. What a request
 * leaves may be kept for the next one: it counts as well, and gives way to whatever is taken, the
 * oldest first. So taken and kept bytes together never exceed the budget, and what is kept never
 * refuses anybody. Any thread may call.
 */
#ifndef PPM_SERVER_BASE_MEMORY_H
#define PPM_SERVER_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MEMORY_MAPPED_BYTES_MIN =
        1 << 18,           /* allocations from here on return to the kernel when freed */
    MEMORY_KEPT_MAX = 256, /* things kept at a time */
};

/* 0 until it is set: nothing may be taken or kept. */
void memory_set_max(size_t bytes_max);
size_t memory_max(void);

/* False: the budget lacks them, even without anything kept. */
bool memory_take(size_t bytes);
void memory_give(size_t bytes);

size_t memory_taken(void);
size_t memory_kept(void);

/* ---- what is kept ---- */

/* Embedded in whatever can be kept; private but for its kind and size. */
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

/* Keeps it, or frees it where it exceeds the budget. Its bytes are still taken: the caller gives
 * them back next, or allocates something else for them after memory_make_room. */
void memory_keep(struct memory_kept *kept);

/* The one kept last of a kind that fits; it is the caller's then. NULL: none does. */
struct memory_kept *memory_reuse(const struct memory_kind *kind, const void *wanted);

/* Before an allocation of bytes that were taken before something was kept. */
void memory_make_room(void);

/* Frees what nobody has reused for that many seconds, and what the C library holds once nobody has
 * taken anything for as long. To be called every now and then. */
void memory_trim(double idle_s);

#endif

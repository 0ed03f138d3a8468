/* shared_memory_private.h - the table of regions, for the files shared_memory*.c. */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_PRIVATE_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_PRIVATE_H

#include "server/shared_memory/shared_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* A place for a region: free unless it is registered or has holders. The atomics are for the signal
 * handler, which can take no lock; all else is guarded by the mutex, and does not change while
 * there are holders. */
struct region {
    atomic_uintptr_t start; /* of the mapping, which begins and ends with a page; 0: none */
    atomic_size_t bytes;
    atomic_uint version; /* odd while start and bytes change */
    int descriptor;
    dev_t device; /* and inode: which object it is */
    ino_t inode;
    struct shared_memory_info info;
    size_t holders;
    size_t backed_bytes; /* taken from the budget: pages that the object has got for answers */
    atomic_bool is_broken;
    bool is_registered; /* by its name; else it is there for its holders */
};

extern pthread_mutex_t shared_memory_mutex;
extern struct region shared_memory_regions[SHARED_MEMORY_REGIONS_MAX];
extern size_t shared_memory_page_bytes;

/* ---- shared_memory_view.c ---- */

/* Bytes of a view that have no memory yet: the first access to each page allocates it. 0 also where
 * nobody can tell. The mutex is held. */
size_t shared_memory_hole_bytes(const struct shared_memory_view *view);

/* ---- shared_memory_bus.c ---- */

/* Gives the pages back that stood in for those of a region that broke, which is not mapped any
 * more. What others see of them becomes 0. */
void shared_memory_drop_stand_in(void);

#endif

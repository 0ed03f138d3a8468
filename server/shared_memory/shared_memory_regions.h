/* shared_memory_regions.h - the table of regions, for the files of this folder. */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_REGIONS_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_REGIONS_H

#include "server/shared_memory/shared_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/* A slot of the table; free unless it is registered or has holders. The signal handler, which can
 * take no lock, reads the atomics. The mutex guards the rest, which is constant while there are
 * holders. */
struct region {
    atomic_uintptr_t start; /* of the mapping, which begins and ends with a page; 0: none */
    atomic_size_t bytes;
    atomic_uint version; /* odd while start and bytes change */
    int descriptor;
    dev_t device; /* and inode: identify the object */
    ino_t inode;
    struct shared_memory_info info;
    size_t holders;
    size_t backed_bytes; /* pages allocated for answers, taken from the budget */
    atomic_bool is_broken;
    bool is_registered; /* otherwise it exists for its holders */
};

extern pthread_mutex_t shared_memory_mutex;
extern struct region shared_memory_regions[SHARED_MEMORY_REGIONS_MAX];
extern size_t shared_memory_page_bytes; /* set by shared_memory_allow */

#endif

/* memory.h - aligned memory, and several arrays in one block of it. */
#ifndef PPM_CORE_BASE_MEMORY_H
#define PPM_CORE_BASE_MEMORY_H

#include "core/base/size.h"
#include "core/ppm.h"

/* Memory aligned to 64 bytes, freed with free(). NULL with PPM_NO_MEMORY on failure. */
void *core_allocate(size_t bytes, struct ppm_error *error);

/* Several arrays in one block of memory, each starting on a cache line. Without a base, room_take
 * only adds up their bytes, which stop at SIZE_MAX. */
struct room {
    char *base; /* aligned to 64 bytes, or NULL */
    size_t bytes;
};

/* Takes the next count elements of the given size. NULL without a base. */
void *room_take(struct room *room, size_t count, size_t element_bytes);

#endif

/* memory.c - see memory.h. */
#include "core/base/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { CACHE_LINE_BYTES = 64, HUGE_PAGE_BYTES = 2 << 20 };

void *core_allocate(size_t bytes, struct ppm_error *error)
{
    /* rows of a large map are pages apart: on small pages each would cost a table walk */
    const bool is_large = bytes >= HUGE_PAGE_BYTES;
    void *memory = NULL;
    if (posix_memalign(&memory, is_large ? HUGE_PAGE_BYTES : CACHE_LINE_BYTES, bytes) != 0) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory: %zu bytes could not be allocated", bytes);
        return NULL;
    }
    if (is_large)
        madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void *room_take(struct room *room, size_t count, size_t element_bytes)
{
    const size_t bytes = size_plus(size_times(count, element_bytes), CACHE_LINE_BYTES - 1);
    void *ret = room->base ? room->base + room->bytes : NULL;
    room->bytes = size_plus(room->bytes, bytes & ~(size_t)(CACHE_LINE_BYTES - 1));
    return ret;
}

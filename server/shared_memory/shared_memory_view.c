/* shared_memory_view.c - see shared_memory_view.h. */
#include "server/shared_memory/shared_memory_view.h"
#include "server/base/memory.h"
#include "server/shared_memory/shared_memory_regions.h"

#include <errno.h>
#include <unistd.h>

/* Its offset in the object. */
static size_t object_offset(const struct shared_memory_view *view)
{
    const struct region *region = &shared_memory_regions[view->region];
    const size_t before = region->info.offset % shared_memory_page_bytes;
    return region->info.offset - before +
           (size_t)((uintptr_t)view->data - atomic_load(&region->start));
}

size_t shared_memory_hole_bytes(const struct shared_memory_view *view)
{
    const int descriptor = shared_memory_regions[view->region].descriptor;
    const off_t start = (off_t)object_offset(view), end = start + (off_t)view->bytes;
    size_t bytes = 0;
    for (off_t at = start; at < end;) {
        off_t hole = lseek(descriptor, at, SEEK_HOLE);
        if (hole < 0 && errno == ENXIO) /* the object was truncated */
            hole = at;
        if (hole < 0 || hole >= end)
            break;
        const off_t data = lseek(descriptor, hole, SEEK_DATA); /* < 0: no more data */
        at = data < 0 || data > end ? end : data;
        bytes += (size_t)(at - hole);
    }
    return bytes;
}

bool shared_memory_has_holes(const struct shared_memory_view *view)
{
    pthread_mutex_lock(&shared_memory_mutex);
    const bool has = shared_memory_hole_bytes(view) > 0;
    pthread_mutex_unlock(&shared_memory_mutex);
    return has;
}

bool shared_memory_overlap(const struct shared_memory_view *a, const struct shared_memory_view *b)
{
    if (!a->data || !b->data)
        return false;
    pthread_mutex_lock(&shared_memory_mutex);
    const struct region *region = &shared_memory_regions[a->region],
                        *other = &shared_memory_regions[b->region];
    const size_t start = object_offset(a), other_start = object_offset(b);
    const bool is_same = region->device == other->device && region->inode == other->inode;
    pthread_mutex_unlock(&shared_memory_mutex);
    return is_same && start < other_start + b->bytes && other_start < start + a->bytes;
}

enum ppm_status shared_memory_back(struct shared_memory_view *view, struct ppm_error *error)
{
    pthread_mutex_lock(&shared_memory_mutex);
    struct region *region = &shared_memory_regions[view->region];
    const size_t holes = shared_memory_hole_bytes(view);
    const size_t most = atomic_load(&region->bytes) - region->backed_bytes;
    const size_t bytes = size_min(holes, most);
    if (memory_take(bytes)) {
        region->backed_bytes += bytes;
        view->backed_bytes += bytes;
    } else {
        ppm_fail(error, holes > memory_max() ? PPM_TOO_LARGE : PPM_NO_MEMORY,
                 "shared memory region '%.60s': the answer would allocate %zu bytes in '%s', "
                 "expected at most what is left of memory_max_bytes",
                 region->info.name, holes, region->info.key);
    }
    pthread_mutex_unlock(&shared_memory_mutex);
    return error->status;
}

enum ppm_status shared_memory_read(const struct shared_memory_view *view, size_t offset, void *ret,
                                   size_t bytes, struct ppm_error *error)
{
    const struct region *region =
        &shared_memory_regions[view->region]; /* constant while it is held */
    const off_t start = (off_t)(object_offset(view) + offset);
    for (size_t done = 0; done < bytes;) {
        const ssize_t got =
            pread(region->descriptor, (char *)ret + done, bytes - done, start + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ppm_fail(
                error, PPM_UNFIT,
                "shared memory region '%.60s': '%s' was truncated while it was read, expected "
                "%zu bytes",
                region->info.name, region->info.key, bytes);
        done += (size_t)got;
    }
    return PPM_OK;
}

/* shared_memory.c - see shared_memory.h. */
#include "server/shared_memory/shared_memory.h"
#include "server/base/memory.h"
#include "server/shared_memory/shared_memory_bus.h"
#include "server/shared_memory/shared_memory_regions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct region *const regions = shared_memory_regions;
static size_t mapped_bytes, mapped_bytes_max = SIZE_MAX; /* guarded by the mutex as well */

/* ---- the table; the mutex is held ---- */

static struct region *find_name(const char *name)
{
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++)
        if (regions[i].is_registered && strcmp(regions[i].info.name, name) == 0)
            return &regions[i];
    return NULL;
}

static struct region *find_free(void)
{
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++)
        if (!regions[i].is_registered && regions[i].holders == 0)
            return &regions[i];
    return NULL;
}

static void set_mapping(struct region *region, void *start, size_t bytes)
{
    atomic_fetch_add(&region->version, 1);
    atomic_store(&region->start, (uintptr_t)start);
    atomic_store(&region->bytes, bytes);
    atomic_fetch_add(&region->version, 1);
}

static void unmap(struct region *region)
{
    void *start = (void *)atomic_load(&region->start);
    const size_t bytes = atomic_load(&region->bytes);
    if (!start)
        return;
    set_mapping(region, NULL, 0);
    munmap(start, bytes);
    close(region->descriptor);
    mapped_bytes -= bytes;
    memory_give(region->backed_bytes);
    region->backed_bytes = 0;
    if (atomic_load(&region->is_broken))
        shared_memory_drop_stand_in();
}

/* A broken region is useless, but its name stays until it is unregistered. */
static void unmap_if_unused(struct region *region)
{
    if (region->holders == 0 && (!region->is_registered || atomic_load(&region->is_broken)))
        unmap(region);
}

/* ---- registering ---- */

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static enum ppm_status check_names(const char *name, const char *key, struct ppm_error *error)
{
    const char *file = key + (*key == '/');
    if (!*name || strlen(name) >= SHARED_MEMORY_NAME_BYTES || !is_printable(name))
        return ppm_fail(
            error, PPM_MALFORMED,
            "the name of a shared memory region has %zu byte%s, expected 1 to %d, all printable",
            strlen(name), ppm_plural(strlen(name)), SHARED_MEMORY_NAME_BYTES - 1);
    if (!*file || strlen(file) > NAME_MAX || strchr(file, '/') || strcmp(file, ".") == 0 ||
        strcmp(file, "..") == 0 || !is_printable(file))
        return ppm_fail(error, PPM_MALFORMED,
                        "shared memory region '%.60s': found the key \"%.60s\", expected a name "
                        "like \"/name\" of at most %d bytes, with no other '/'",
                        name, key, NAME_MAX);
    return PPM_OK;
}

/* Whether the object contains the whole region. *ret_bytes is the object's size, 0 if unknown. */
static bool holds(int descriptor, const struct shared_memory_info *info, size_t *ret_bytes)
{
    struct stat status;
    size_t end;
    *ret_bytes = 0;
    if (fstat(descriptor, &status) != 0)
        return false;
    *ret_bytes = (size_t)status.st_size;
    return !__builtin_add_overflow(info->offset, info->byte_size, &end) && end <= *ret_bytes;
}

/* Opens the object of a region; -1: refused. */
static int open_object(const struct shared_memory_info *info, struct ppm_error *error)
{
    size_t object_bytes;
    const int descriptor = shm_open(info->key, O_RDWR, 0);
    if (descriptor < 0) {
        ppm_fail(error, errno == EMFILE || errno == ENFILE ? PPM_IO : PPM_UNFIT,
                 "Unable to open shared memory region: '%s': %s, expected a readable and writable "
                 "object",
                 info->key, strerror(errno));
        return -1;
    }
    if (holds(descriptor, info, &object_bytes))
        return descriptor;
    ppm_fail(error, PPM_UNFIT,
             "shared memory region '%.60s': found %zu byte%s in '%s', expected %zu from offset %zu "
             "on",
             info->name, object_bytes, ppm_plural(object_bytes), info->key, info->byte_size,
             info->offset);
    close(descriptor);
    return -1;
}

/* Maps a region within the limit; NULL: refused. bytes: whole pages. */
static void *map_pages(int descriptor, const struct shared_memory_info *info, size_t bytes,
                       off_t offset, struct ppm_error *error)
{
    if (bytes > mapped_bytes_max - mapped_bytes) {
        ppm_fail(error, PPM_TOO_LARGE,
                 "shared memory region '%.60s': found %zu bytes besides %zu registered or in use, "
                 "expected at most %zu in all (shared_memory_max_bytes)",
                 info->name, bytes, mapped_bytes, mapped_bytes_max);
        return NULL;
    }
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset);
    if (start != MAP_FAILED)
        return start;
    ppm_fail(error, errno == ENOMEM ? PPM_NO_MEMORY : PPM_IO,
             "shared memory region '%.60s' cannot be mapped: %s", info->name, strerror(errno));
    return NULL;
}

/* Opens and maps the object into a free slot. */
static enum ppm_status map_region(struct region *region, const struct shared_memory_info *info,
                                  struct ppm_error *error)
{
    const size_t before = info->offset % shared_memory_page_bytes;
    const int descriptor = open_object(info, error);
    if (descriptor < 0)
        return error->status;
    const size_t bytes = (before + info->byte_size + shared_memory_page_bytes - 1) /
                         shared_memory_page_bytes * shared_memory_page_bytes;
    void *start = map_pages(descriptor, info, bytes, (off_t)(info->offset - before), error);
    if (!start) {
        close(descriptor);
        return error->status;
    }
    struct stat status = {.st_ino = 0};
    fstat(descriptor, &status);
    region->info = *info;
    region->descriptor = descriptor;
    region->device = status.st_dev;
    region->inode = status.st_ino;
    region->backed_bytes = 0;
    region->holders = 0;
    region->is_registered = true;
    atomic_store(&region->is_broken, false);
    set_mapping(region, start, bytes);
    mapped_bytes += bytes;
    return PPM_OK;
}

void shared_memory_set_max(size_t bytes)
{
    pthread_mutex_lock(&shared_memory_mutex);
    mapped_bytes_max = bytes;
    pthread_mutex_unlock(&shared_memory_mutex);
}

enum ppm_status shared_memory_register(const char *name, const char *key, size_t offset,
                                       size_t byte_size, struct ppm_error *error)
{
    struct shared_memory_info info = {.offset = offset, .byte_size = byte_size};
    if (check_names(name, key, error) != PPM_OK)
        return error->status;
    if (byte_size == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "shared memory region '%.60s': found 0 bytes, expected at least 1", name);
    memcpy(info.name, name, strlen(name) + 1);
    memcpy(info.key, key, strlen(key) + 1);
    pthread_mutex_lock(&shared_memory_mutex);
    struct region *region = find_free();
    if (find_name(name))
        ppm_fail(
            error, PPM_UNFIT,
            "shared memory region '%.60s' already in manager, expected it to be unregistered first",
            name);
    else if (!region)
        ppm_fail(error, PPM_TOO_LARGE,
                 "found %d shared memory regions registered or in use, expected fewer",
                 SHARED_MEMORY_REGIONS_MAX);
    else
        map_region(region, &info, error);
    pthread_mutex_unlock(&shared_memory_mutex);
    return error->status;
}

bool shared_memory_unregister(const char *name)
{
    pthread_mutex_lock(&shared_memory_mutex);
    struct region *region = find_name(name);
    if (region) {
        region->is_registered = false;
        unmap_if_unused(region);
    }
    pthread_mutex_unlock(&shared_memory_mutex);
    return region != NULL;
}

void shared_memory_unregister_all(void)
{
    pthread_mutex_lock(&shared_memory_mutex);
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++) {
        regions[i].is_registered = false;
        unmap_if_unused(&regions[i]);
    }
    pthread_mutex_unlock(&shared_memory_mutex);
}

bool shared_memory_find(const char *name, struct shared_memory_info *ret_info)
{
    pthread_mutex_lock(&shared_memory_mutex);
    const struct region *region = find_name(name);
    if (region)
        *ret_info = region->info;
    pthread_mutex_unlock(&shared_memory_mutex);
    return region != NULL;
}

bool shared_memory_next(size_t *at, struct shared_memory_info *ret_info)
{
    bool is_found = false;
    pthread_mutex_lock(&shared_memory_mutex);
    for (; *at < SHARED_MEMORY_REGIONS_MAX && !is_found; (*at)++)
        if (regions[*at].is_registered) {
            *ret_info = regions[*at].info;
            is_found = true;
        }
    pthread_mutex_unlock(&shared_memory_mutex);
    return is_found;
}

/* ---- holding ---- */

static bool is_whole(const struct region *region, struct ppm_error *error)
{
    size_t object_bytes;
    if (atomic_load(&region->is_broken))
        ppm_fail(error, PPM_UNFIT,
                 "shared memory region '%.60s' lost memory while in use: '%s' was truncated or "
                 "/dev/shm is full; expected it to be registered again",
                 region->info.name, region->info.key);
    else if (!holds(region->descriptor, &region->info, &object_bytes))
        ppm_fail(error, PPM_UNFIT,
                 "shared memory region '%.60s': found %zu bytes left in '%s', expected %zu from "
                 "offset %zu on, as registered",
                 region->info.name, object_bytes, region->info.key, region->info.byte_size,
                 region->info.offset);
    else
        return true;
    return false;
}

static enum ppm_status hold_region(struct region *region, size_t offset, size_t bytes,
                                   struct shared_memory_view *ret_view, struct ppm_error *error)
{
    size_t end;
    const struct shared_memory_info *info = &region->info;
    if (__builtin_add_overflow(offset, bytes, &end) || end > info->byte_size)
        return ppm_fail(error, PPM_UNFIT,
                        "Invalid offset + byte size for shared memory region: '%.60s': found %zu + "
                        "%zu, expected at most its size, %zu",
                        info->name, offset, bytes, info->byte_size);
    if (!is_whole(region, error))
        return error->status;
    region->holders++;
    *ret_view = (struct shared_memory_view){
        .data =
            (char *)atomic_load(&region->start) + info->offset % shared_memory_page_bytes + offset,
        .bytes = bytes,
        .region = (size_t)(region - regions),
    };
    return PPM_OK;
}

enum ppm_status shared_memory_hold(const char *name, size_t offset, size_t bytes,
                                   struct shared_memory_view *ret_view, struct ppm_error *error)
{
    pthread_mutex_lock(&shared_memory_mutex);
    struct region *region = find_name(name);
    if (region)
        hold_region(region, offset, bytes, ret_view, error);
    else
        ppm_fail(error, PPM_UNFIT,
                 "Unable to find shared memory region: '%.60s', expected one that is registered",
                 name);
    pthread_mutex_unlock(&shared_memory_mutex);
    return error->status;
}

bool shared_memory_is_intact(const struct shared_memory_view *view, struct ppm_error *error)
{
    return is_whole(&regions[view->region], error);
}

void shared_memory_release(struct shared_memory_view *view)
{
    if (!view->data)
        return;
    pthread_mutex_lock(&shared_memory_mutex);
    struct region *region = &regions[view->region];
    if (view->backed_bytes > 0) { /* pages not written after all were never allocated */
        const size_t holes = shared_memory_hole_bytes(view);
        const size_t unused = size_min(holes, view->backed_bytes);
        region->backed_bytes -= unused;
        memory_give(unused);
    }
    region->holders--;
    unmap_if_unused(region);
    pthread_mutex_unlock(&shared_memory_mutex);
    *view = (struct shared_memory_view){0};
}

/* An object that has fewer pages than answers allocated in it has lost them to its owner. */
static void give_back_lost(struct region *region)
{
    enum { BLOCK_BYTES = 512 };
    struct stat status;
    if (region->backed_bytes == 0 || region->holders > 0 || fstat(region->descriptor, &status) != 0)
        return;
    const size_t bytes = (size_t)status.st_blocks * BLOCK_BYTES;
    if (bytes < region->backed_bytes) {
        memory_give(region->backed_bytes - bytes);
        region->backed_bytes = bytes;
    }
}

void shared_memory_sweep(void)
{
    pthread_mutex_lock(&shared_memory_mutex);
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++)
        give_back_lost(&regions[i]);
    pthread_mutex_unlock(&shared_memory_mutex);
}

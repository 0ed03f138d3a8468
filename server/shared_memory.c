/* shared_memory.c - see shared_memory.h. */
#include "server/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place for a region; one with start 0 is free. The atomics are for the signal handler, which can
 * take no lock; all else is guarded by the mutex, and does not change while there are holders. */
struct region {
    atomic_uintptr_t start; /* of the mapping, which begins and ends with a page */
    atomic_size_t bytes;
    atomic_uint version; /* odd while start and bytes change */
    int descriptor;
    struct shared_memory_info info;
    size_t holders;
    atomic_bool is_broken;
    bool is_registered; /* by its name; else it is there for its holders */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct region regions[SHARED_MEMORY_REGIONS_MAX];
static size_t page_bytes;
static struct sigaction previous_action;

/* ---- SIGBUS ---- */

/* The region that holds address. The one whose page is missing has a holder, so that it is not
 * changing: any that is, or has been meanwhile, is another. */
static struct region *find_address(uintptr_t address, uintptr_t *ret_end)
{
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++) {
        struct region *region = &regions[i];
        const unsigned version = atomic_load(&region->version);
        const uintptr_t start = atomic_load(&region->start);
        const size_t bytes = atomic_load(&region->bytes);
        if (version % 2 == 0 && atomic_load(&region->version) == version && address >= start &&
            address - start < bytes) {
            *ret_end = start + bytes;
            return region;
        }
    }
    return NULL;
}

/* Anonymous memory from the page of address to the end of its region. False: it is in none. */
static bool replace_rest(uintptr_t address)
{
    uintptr_t end;
    struct region *region = find_address(address, &end);
    if (!region)
        return false;
    const uintptr_t page = address & ~((uintptr_t)page_bytes - 1);
    atomic_store(&region->is_broken, true); /* before anyone can read what comes there */
    return mmap((void *)page, end - page, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    const int saved_errno = errno;
    if (info->si_code == BUS_ADRERR && replace_rest((uintptr_t)info->si_addr)) {
        errno = saved_errno;
        return;
    }
    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(signal, info, context);
        return;
    }
    /* Back to what was before, and the access that failed is tried again; whoever sent it as a
     * signal does so once. */
    sigaction(SIGBUS, &previous_action, NULL);
    if (info->si_code <= 0)
        raise(SIGBUS);
    errno = saved_errno;
}

static int install_error;

static void install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    action.sa_sigaction = on_bus_error;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &previous_action) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
        install_error = errno;
}

enum ppm_status shared_memory_allow(struct ppm_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    if (install_error)
        return ppm_fail(error, PPM_IO, "no handler for SIGBUS: %s", strerror(install_error));
    return PPM_OK;
}

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
        if (atomic_load(&regions[i].start) == 0)
            return &regions[i];
    return NULL;
}

static void set_mapping(struct region *region, void *start, size_t bytes)
{
    atomic_fetch_add(&region->version, 1);
    atomic_store(&region->start, (uintptr_t)start);
    atomic_store(&region->bytes, bytes);
    atomic_store(&region->is_broken, false);
    atomic_fetch_add(&region->version, 1);
}

static void close_if_unused(struct region *region)
{
    void *start = (void *)atomic_load(&region->start);
    const size_t bytes = atomic_load(&region->bytes);
    if (!start || region->is_registered || region->holders > 0)
        return;
    set_mapping(region, NULL, 0);
    munmap(start, bytes);
    close(region->descriptor);
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
            "the name of a shared memory region has %zu bytes, expected 1 to %d that can "
            "be printed",
            strlen(name), SHARED_MEMORY_NAME_BYTES - 1);
    if (!*file || strlen(file) > NAME_MAX || strchr(file, '/') || strcmp(file, ".") == 0 ||
        strcmp(file, "..") == 0 || !is_printable(file))
        return ppm_fail(
            error, PPM_MALFORMED,
            "shared memory region '%.60s': found the key \"%.60s\", expected one such as "
            "\"/name\", without another '/', of at most %d bytes",
            name, key, NAME_MAX);
    return PPM_OK;
}

/* Whether the object has all of the region; its size at ret. What is no file has none. */
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

/* Opens and maps it into a free place. */
static enum ppm_status map_region(struct region *region, const struct shared_memory_info *info,
                                  struct ppm_error *error)
{
    size_t object_bytes;
    const size_t before = info->offset % page_bytes;
    const int descriptor = shm_open(info->key, O_RDWR, 0);
    if (descriptor < 0)
        return ppm_fail(
            error, errno == EMFILE || errno == ENFILE ? PPM_IO : PPM_UNFIT,
            "Unable to open shared memory region: '%s': %s, expected an object that may "
            "be read and written",
            info->key, strerror(errno));
    if (!holds(descriptor, info, &object_bytes)) {
        close(descriptor);
        return ppm_fail(error, PPM_UNFIT,
                        "shared memory region '%.60s': found %zu bytes in '%s', expected %zu from "
                        "offset %zu on",
                        info->name, object_bytes, info->key, info->byte_size, info->offset);
    }
    const size_t bytes = (before + info->byte_size + page_bytes - 1) / page_bytes * page_bytes;
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                       (off_t)(info->offset - before));
    if (start == MAP_FAILED) {
        const int cause = errno;
        close(descriptor);
        return ppm_fail(error, cause == ENOMEM ? PPM_NO_MEMORY : PPM_IO,
                        "shared memory region '%.60s' cannot be mapped: %s", info->name,
                        strerror(cause));
    }
    region->info = *info;
    region->descriptor = descriptor;
    region->holders = 0;
    region->is_registered = true;
    set_mapping(region, start, bytes);
    return PPM_OK;
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
    pthread_mutex_lock(&mutex);
    struct region *region = find_free();
    if (find_name(name))
        ppm_fail(
            error, PPM_UNFIT,
            "shared memory region '%.60s' already in manager, expected that it is unregistered "
            "first",
            name);
    else if (!region)
        ppm_fail(error, PPM_TOO_LARGE,
                 "found %d shared memory regions registered or still in use, expected fewer",
                 SHARED_MEMORY_REGIONS_MAX);
    else
        map_region(region, &info, error);
    pthread_mutex_unlock(&mutex);
    return error->status;
}

bool shared_memory_unregister(const char *name)
{
    pthread_mutex_lock(&mutex);
    struct region *region = find_name(name);
    if (region) {
        region->is_registered = false;
        close_if_unused(region);
    }
    pthread_mutex_unlock(&mutex);
    return region != NULL;
}

void shared_memory_unregister_all(void)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++) {
        regions[i].is_registered = false;
        close_if_unused(&regions[i]);
    }
    pthread_mutex_unlock(&mutex);
}

bool shared_memory_find(const char *name, struct shared_memory_info *ret_info)
{
    pthread_mutex_lock(&mutex);
    const struct region *region = find_name(name);
    if (region)
        *ret_info = region->info;
    pthread_mutex_unlock(&mutex);
    return region != NULL;
}

bool shared_memory_next(size_t *at, struct shared_memory_info *ret_info)
{
    bool is_found = false;
    pthread_mutex_lock(&mutex);
    for (; *at < SHARED_MEMORY_REGIONS_MAX && !is_found; (*at)++)
        if (regions[*at].is_registered) {
            *ret_info = regions[*at].info;
            is_found = true;
        }
    pthread_mutex_unlock(&mutex);
    return is_found;
}

/* ---- holding ---- */

static bool is_whole(const struct region *region, struct ppm_error *error)
{
    size_t object_bytes;
    if (atomic_load(&region->is_broken))
        ppm_fail(error, PPM_UNFIT,
                 "shared memory region '%.60s' has lost memory while it was in use: '%s' was "
                 "truncated or /dev/shm is full; expected that it is registered anew",
                 region->info.name, region->info.key);
    else if (!holds(region->descriptor, &region->info, &object_bytes))
        ppm_fail(error, PPM_UNFIT,
                 "shared memory region '%.60s': found %zu bytes left in '%s', expected %zu from "
                 "offset %zu on as it was registered",
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
                        "%zu, expected at most its %zu bytes",
                        info->name, offset, bytes, info->byte_size);
    if (!is_whole(region, error))
        return error->status;
    region->holders++;
    *ret_view = (struct shared_memory_view){
        .data = (char *)atomic_load(&region->start) + info->offset % page_bytes + offset,
        .bytes = bytes,
        .region = (size_t)(region - regions),
    };
    return PPM_OK;
}

enum ppm_status shared_memory_hold(const char *name, size_t offset, size_t bytes,
                                   struct shared_memory_view *ret_view, struct ppm_error *error)
{
    pthread_mutex_lock(&mutex);
    struct region *region = find_name(name);
    if (region)
        hold_region(region, offset, bytes, ret_view, error);
    else
        ppm_fail(error, PPM_UNFIT,
                 "Unable to find shared memory region: '%.60s', expected one that is registered",
                 name);
    pthread_mutex_unlock(&mutex);
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
    pthread_mutex_lock(&mutex);
    regions[view->region].holders--;
    close_if_unused(&regions[view->region]);
    pthread_mutex_unlock(&mutex);
    *view = (struct shared_memory_view){0};
}

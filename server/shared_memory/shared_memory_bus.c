/* shared_memory_bus.c - see shared_memory_bus.h. */
#include "server/shared_memory/shared_memory_bus.h"
#include "server/shared_memory/shared_memory_regions.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STAND_IN_BYTES = 8 << 20 };

static int stand_in = -1; /* a descriptor */
static struct sigaction previous_action;

/* The region that contains address. The one whose page is missing has a holder, so it is not
 * changing; skip any that is. */
static struct region *find_address(uintptr_t address, uintptr_t *ret_end)
{
    for (size_t i = 0; i < SHARED_MEMORY_REGIONS_MAX; i++) {
        struct region *region = &shared_memory_regions[i];
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

/* Maps the shared stand-in from the page of address on; if there are too many mappings for that,
 * anonymous memory over the rest of the region. False: address is in no region. */
static bool replace_page(uintptr_t address)
{
    uintptr_t end;
    struct region *region = find_address(address, &end);
    if (!region)
        return false;
    const uintptr_t page = address & ~((uintptr_t)shared_memory_page_bytes - 1);
    const size_t left = end - page, bytes = size_min(left, STAND_IN_BYTES);
    atomic_store(&region->is_broken, true); /* before anyone can read the new memory */
    return mmap((void *)page, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, stand_in, 0) !=
               MAP_FAILED ||
           mmap((void *)page, left, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
    const int saved_errno = errno;
    if (info->si_code == BUS_ADRERR && replace_page((uintptr_t)info->si_addr)) {
        errno = saved_errno;
        return;
    }
    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(signal, info, context);
        return;
    }
    /* Restore the previous action, under which the access fails again; a signal that was sent is
     * raised again. */
    sigaction(SIGBUS, &previous_action, NULL);
    if (info->si_code <= 0)
        raise(SIGBUS);
    errno = saved_errno;
}

static int install_error;

static void install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    shared_memory_page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    action.sa_sigaction = on_bus_error;
    sigemptyset(&action.sa_mask);
    stand_in = memfd_create("ppm-stand-in", MFD_CLOEXEC);
    if (stand_in < 0 || ftruncate(stand_in, STAND_IN_BYTES) != 0 ||
        sigaction(SIGBUS, NULL, &previous_action) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
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

void shared_memory_drop_stand_in(void)
{
    fallocate(stand_in, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, STAND_IN_BYTES);
}

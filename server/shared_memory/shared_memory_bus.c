/*
 * shared_memory_bus.c - SIGBUS: what a thread reads and writes where a region has lost its memory.
 *
 * All such pages are one piece of memory, mapped again and again: nobody will use what is written
 * there, so it need not be kept apart, and no client can have the server allocate more than that.
 */
#include "server/shared_memory/shared_memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STAND_IN_BYTES = 8 << 20 };

static int stand_in = -1; /* the piece's descriptor */
static struct sigaction previous_action;
size_t shared_memory_page_bytes;

/* The region that holds address. The one whose page is missing has a holder, so that it is not
 * changing: any that is, or has been meanwhile, is another. */
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

/* Puts other memory where the region's is gone: the stand-in, which all share, over a piece that
 * begins with the page of address; or where there are too many mappings for that, anonymous memory
 * over the rest. False: address is in no region. */
static bool replace_page(uintptr_t address)
{
    uintptr_t end;
    struct region *region = find_address(address, &end);
    if (!region)
        return false;
    const uintptr_t page = address & ~((uintptr_t)shared_memory_page_bytes - 1);
    const size_t left = end - page, bytes = left < STAND_IN_BYTES ? left : STAND_IN_BYTES;
    atomic_store(&region->is_broken, true); /* before anyone can read what comes there */
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

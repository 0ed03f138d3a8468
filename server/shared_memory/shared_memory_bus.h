/*
 * shared_memory_bus.h - SIGBUS, which a thread gets from a page that a region has lost: its owner
 * truncated the object, or /dev/shm is full.
 *
 * The handler maps other memory there, so that the thread goes on, and marks the region as broken.
 * All such pages share 8 MiB: nobody uses what is written there, and no client can make the server
 * allocate more. A system call gets EFAULT instead: pass none of this memory to one.
 */
#ifndef PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_BUS_H
#define PPM_SERVER_SHARED_MEMORY_SHARED_MEMORY_BUS_H

#include "core/ppm.h"

/* Installs the handler, once. SIGBUS outside of a region goes to the previous handler, or ends the
 * process as usual. PPM_IO on failure. */
enum ppm_status shared_memory_allow(struct ppm_error *error);

/* Frees the pages that replaced those of a broken region, which is no longer mapped. Other broken
 * regions then read 0. */
void shared_memory_drop_stand_in(void);

#endif

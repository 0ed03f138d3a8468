/*
 * service_manager.h - what a service manager passes to a process that it starts, and what it wants
 * to be told: the protocols of systemd's sd_listen_fds(3) and sd_notify(3), which others speak too.
 */
#ifndef PPM_SERVER_SERVICE_SERVICE_MANAGER_H
#define PPM_SERVER_SERVICE_SERVICE_MANAGER_H

#include "core/ppm.h"

/* The listening socket that LISTEN_PID and LISTEN_FDS say was passed to this process; 0: none was.
 * -1 and PPM_BAD_CONFIG when they are passed in another number than one. */
int service_manager_socket(struct ppm_error *error);

/* Tells $NOTIFY_SOCKET what happened, as lines of NAME=VALUE: "READY=1". Does nothing where there
 * is no such socket; waits a second at most for one that is full. Lines hold no text from outside.
 */
void service_manager_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/*
 * service_manager.h - the protocols between a service manager and a process that it starts:
 * systemd's sd_listen_fds(3) and sd_notify(3), which others use too.
 */
#ifndef PPM_SERVER_SERVICE_SERVICE_MANAGER_H
#define PPM_SERVER_SERVICE_SERVICE_MANAGER_H

#include "core/ppm.h"

/* The listening socket passed to this process, according to LISTEN_PID and LISTEN_FDS; 0: none. -1
 * and PPM_BAD_CONFIG if the number of sockets is not 1. */
int service_manager_socket(struct ppm_error *error);

/* Sends lines of NAME=VALUE, such as "READY=1", to $NOTIFY_SOCKET. Does nothing without that
 * variable; waits at most a second if the socket is full. Never pass text from outside. */
void service_manager_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

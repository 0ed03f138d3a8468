/* drain.h - the end of a server that loses no request. */
#ifndef PPM_SERVER_SERVICE_DRAIN_H
#define PPM_SERVER_SERVICE_DRAIN_H

#include "server/service/service.h"

/* Stops being ready, then stops accepting, then waits until no request is in flight for a moment:
 * an accepted connection may hold one that is not read yet. Requests on open connections are served
 * unless the drain takes long. A second signal ends the process at once. */
void drain(struct service *service);

#endif

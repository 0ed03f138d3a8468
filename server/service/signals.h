/* signals.h - SIGTERM and SIGINT, which stop the server, and SIGHUP, which reloads. */
#ifndef PPM_SERVER_SERVICE_SIGNALS_H
#define PPM_SERVER_SERVICE_SIGNALS_H

#include <stdbool.h>

/* Blocks them in this thread and in all that it starts, so that only the functions below take them.
 * Ignores SIGPIPE. */
void signals_block(void);

/* Waits for the next one. True: SIGHUP. */
bool signals_wait(void);

/* Waits at most s seconds for a signal to stop; true if it came. SIGHUP stays pending. */
bool signals_stop_within(double s);

#endif

/* watcher.h - the thread that looks after connections every 50 ms. */
#ifndef PPM_SERVER_HTTP_WATCHER_H
#define PPM_SERVER_HTTP_WATCHER_H

#include "server/http/http_server.h"

/* It cuts off connections that are late, and lingers. */
enum ppm_status http_start_watching(struct http_server *server, struct ppm_error *error);
void http_stop_watching(struct http_server *server);

#endif

/* idle.h - memory of bodies that stopped arriving. */
#ifndef PPM_SERVER_HTTP_IDLE_H
#define PPM_SERVER_HTTP_IDLE_H

#include "server/http/http.h"

/* Notes that bytes of the body have come. */
void http_note_arrival(struct http_request *request, size_t bytes);

/* What idle bodies have taken from the budget. */
size_t http_idle_bytes(struct http_server *server);

/* Makes idle bodies, except this request's, give back as much of the budget as it takes to have the
 * given bytes, the largest first. False: that would not be enough, and they go on. */
bool http_reclaim(struct http_request *request, size_t bytes);

#endif

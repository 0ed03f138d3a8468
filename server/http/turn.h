/* turn.h - how much a thread may work in one turn around its connections. */
#ifndef PPM_SERVER_HTTP_TURN_H
#define PPM_SERVER_HTTP_TURN_H

#include "server/http/http.h"

/* Around work on a body by a thread that has other connections to serve. False: it has spent its
 * 5 ms of this turn, and the work has to wait for another thread. */
bool http_begin_work(const struct http_request *request);
void http_end_work(void);
void http_forget_turn(const struct http_request *request); /* it ends */

#endif

/* deadlines.h - what a connection is waited for, and until when. */
#ifndef PPM_SERVER_HTTP_DEADLINES_H
#define PPM_SERVER_HTTP_DEADLINES_H

#include "server/http/connection.h"

/* Each sets what is waited for now, and its deadline: the rest of a head; the body of a request;
 * our own answer, which has no deadline here; the library to resume the connection, which it
 * forgets when memory runs out at that moment; the client to read the answer; the next request. */
void http_expect_head(struct http_connection *connection, const char *target);
void http_expect_body(struct http_connection *connection, struct http_request *request);
void http_expect_answer(struct http_connection *connection);
void http_expect_resumption(struct http_connection *connection);
void http_expect_reader(struct http_connection *connection);
void http_expect_next(struct http_connection *connection);

/* Cuts off connections that are late, telling them so where it can. */
void http_cut_off_late(struct http_server *server);

#endif

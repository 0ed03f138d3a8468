/* origin.h - the name that a request asks for, and the page that sends it. */
#ifndef PPM_SERVER_HTTP_ORIGIN_H
#define PPM_SERVER_HTTP_ORIGIN_H

#include "server/http/http.h"

/* Whether a socket is bound to an address that only this machine reaches. */
bool http_is_loopback(int descriptor);

/* Refuses a request for another server's name (421), and a page of another origin that would use
 * or change something here (403). */
enum http_next http_check_host(struct http_request *request);
enum http_next http_check_origin(struct http_request *request);

#endif

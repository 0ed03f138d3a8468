/* http_answer.h - responses to connections. */
#ifndef PPM_SERVER_HTTP_HTTP_ANSWER_H
#define PPM_SERVER_HTTP_HTTP_ANSWER_H

#include "server/http/http.h"

#include <microhttpd.h>

enum { HTTP_TIMING_BYTES = 256 }; /* of the value of Server-Timing */

/* Passes the response to the library, with its body. */
enum MHD_Result http_send(struct http_request *request);

#endif

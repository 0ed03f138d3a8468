/* v2_order.h - what requests below /v2 have in common: version, type, and a few words of JSON. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_ORDER_H
#define PPM_SERVER_HANDLERS_V2_V2_ORDER_H

#include "server/http/http.h"

struct json_t;

enum { V2_ORDER_BYTES_MAX = 4096 }; /* of a body, other than an inference's */

/* Refuses a Content-Type other than JSON or, if may_have_bytes, bytes. Triton's client sends none.
 */
enum http_next v2_refuse_type(struct http_request *request, bool may_have_bytes);

/* Answers 404 for any version but the only one. */
enum http_next v2_refuse_version(struct http_request *request);

/* The route->begin of a request with a few words of JSON. */
enum http_next v2_order_begin(struct http_request *request);

/* The JSON of its body, {} if that is empty; the caller releases it. NULL: refused. */
struct json_t *v2_read_body(struct http_request *request);

#endif

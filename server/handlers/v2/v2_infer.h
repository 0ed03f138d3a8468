/* v2_infer.h - POST /v2/models/{model}/infer: a tensor in and out by the Open Inference Protocol.
 */
#ifndef PPM_SERVER_HANDLERS_V2_V2_INFER_H
#define PPM_SERVER_HANDLERS_V2_V2_INFER_H

#include "server/http/http.h"

enum http_next v2_infer_begin(struct http_request *request);
enum http_next v2_infer_arrived(struct http_request *request);
void v2_infer_release(struct http_request *request);

#endif

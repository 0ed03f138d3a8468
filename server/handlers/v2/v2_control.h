/* v2_control.h - models loaded and unloaded by request. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_CONTROL_H
#define PPM_SERVER_HANDLERS_V2_V2_CONTROL_H

#include "server/http/http.h"

/* Reading a model takes long, so a separate thread does it and answers. */
enum http_next v2_load_finish(struct http_request *request);
enum http_next v2_unload_finish(struct http_request *request);

#endif

/* v2_shared_memory.h - /v2/systemsharedmemory: regions that tensors are read from and written to.
 */
#ifndef PPM_SERVER_HANDLERS_V2_V2_SHARED_MEMORY_H
#define PPM_SERVER_HANDLERS_V2_V2_SHARED_MEMORY_H

#include "server/http/http.h"

/* Each is a route->finish. */
enum http_next v2_regions_finish(struct http_request *request);
enum http_next v2_region_finish(struct http_request *request);
enum http_next v2_register_finish(struct http_request *request);
enum http_next v2_unregister_finish(struct http_request *request);
enum http_next v2_unregister_all_finish(struct http_request *request);

/* Answers 403 if the setting allow_shared_memory is off. */
enum http_next v2_refuse_shared_memory(struct http_request *request);

#endif

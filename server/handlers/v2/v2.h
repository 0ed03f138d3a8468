/*
 * v2.h - the routes below /v2: the Open Inference Protocol v2 over HTTP, for clients of KServe,
 * Triton and OpenVINO Model Server.
 */
#ifndef PPM_SERVER_HANDLERS_V2_V2_H
#define PPM_SERVER_HANDLERS_V2_V2_H

#include "server/codec/v2/v2.h"
#include "server/handlers/app.h"
#include "server/handlers/handlers.h"

/* ---- v2.c ---- */

enum http_next v2_server_finish(struct http_request *request);
enum http_next v2_live_finish(struct http_request *request);
enum http_next v2_ready_finish(struct http_request *request);
enum http_next v2_model_finish(struct http_request *request);
enum http_next v2_model_ready_finish(struct http_request *request);
enum http_next v2_model_config_finish(struct http_request *request);
enum http_next v2_model_stats_finish(struct http_request *request);
enum http_next v2_stats_finish(struct http_request *request);
enum http_next v2_index_finish(struct http_request *request);
enum http_next v2_load_finish(struct http_request *request);
enum http_next v2_unload_finish(struct http_request *request);

/* Refuses a body that says to be neither JSON nor, where there may be some, bytes. Triton's client
 * says nothing. */
enum http_next v2_refuse_type(struct http_request *request, bool may_have_bytes);

/* Of a request with a few words of JSON. */
enum http_next v2_order_begin(struct http_request *request);
enum { V2_ORDER_BYTES_MAX = 4096 }; /* of the body of a request that is no inference */

/* The JSON of such a body, or {} where there is none; the caller releases it. NULL: refused. */
struct json_t *v2_read_body(struct http_request *request);

/* A 404 for any version but the only one. */
enum http_next v2_refuse_version(struct http_request *request);

/* ---- v2_infer.c: POST /v2/models/{model}/infer ---- */

enum http_next v2_infer_begin(struct http_request *request);
void v2_infer_arrived(struct http_request *request);
void v2_infer_release(struct http_request *request);

/* ---- v2_shared_memory.c: /v2/systemsharedmemory/... ---- */

enum http_next v2_regions_finish(struct http_request *request);
enum http_next v2_region_finish(struct http_request *request);
enum http_next v2_register_finish(struct http_request *request);
enum http_next v2_unregister_finish(struct http_request *request);
enum http_next v2_unregister_all_finish(struct http_request *request);

/* A 403 where the setting allow_shared_memory is off. */
enum http_next v2_refuse_shared_memory(struct http_request *request);

#endif

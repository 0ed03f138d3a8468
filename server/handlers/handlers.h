/* handlers.h - what is served: the table of routes. */
#ifndef PPM_SERVER_HANDLERS_HANDLERS_H
#define PPM_SERVER_HANDLERS_HANDLERS_H

#include "server/codec/codec.h"
#include "server/http/http.h"
#include "server/models/registry.h"

/* Ended by a route without a pattern; the context of http_start is a struct app. */
extern const struct http_route handlers_routes[];

/* ---- infer.c: POST /ppm, POST /ppm/{model} ---- */

enum http_next infer_begin(struct http_request *request);
void infer_arrived(struct http_request *request);

/* ---- describe.c: GET /ppm, GET /ppm/{model} ---- */

enum http_next describe_finish(struct http_request *request);

/* ---- ops.c: GET /healthz, /readyz, /metrics ---- */

enum http_next healthz_finish(struct http_request *request);
enum http_next readyz_finish(struct http_request *request);
enum http_next metrics_finish(struct http_request *request);

/* ---- openapi.c: GET /openapi.json ---- */

enum http_next openapi_finish(struct http_request *request);

/* openapi.json with this program's version; the caller frees it. NULL: no memory. */
char *openapi_text(size_t *ret_bytes);

/* ---- page.c: GET /, GET /page/{file} ---- */

/* Open to everyone, since a browser's address line sends no key; what the page asks then is not. */
enum http_next page_finish(struct http_request *request);

/* ---- routes.c: what several handlers say ---- */

/* Answers 200 with this JSON and releases it; NULL: there was no memory for it. */
enum http_next handlers_respond_json(struct http_request *request, struct json_t *json);

/* Appends item to *list; *list becomes NULL when there is no memory for it, or item is NULL. */
void handlers_append(struct json_t **list, struct json_t *item);

/* A 404 for a model that is not there, naming those that are. */
enum http_next handlers_no_such_model(struct http_request *request, const struct registry *registry,
                                      const char *name);

/* Each reads a parameter of the query or the header that means the same, and responds with a 400
 * where the two disagree or the value makes no sense. */

/* shape or X-Tensor-Shape; NULL: neither. */
enum http_next handlers_read_shape(struct http_request *request, const char **ret_text);

/* layout or X-Tensor-Layout, or the default. */
enum http_next handlers_read_layout(struct http_request *request, enum ppm_layout standard,
                                    enum ppm_layout *ret_layout, bool *ret_is_explicit);

/* The parameter or the header of that name, which may be NULL, or float32. */
enum http_next handlers_read_dtype(struct http_request *request, const char *parameter,
                                   const char *header, enum codec_dtype *ret_dtype,
                                   bool *ret_is_explicit);

#endif

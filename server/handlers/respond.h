/* respond.h - answers shared by handlers. */
#ifndef PPM_SERVER_HANDLERS_RESPOND_H
#define PPM_SERVER_HANDLERS_RESPOND_H

#include "server/http/http.h"
#include "server/models/registry.h"

struct json_t;

/* Answers 200 with this JSON and releases it; 503 for lack of memory if it is NULL. */
enum http_next handlers_respond_json(struct http_request *request, struct json_t *json);

/* Appends item to *list. *list becomes NULL if there is no memory for that, or item is NULL. */
void handlers_append(struct json_t **list, struct json_t *item);

/* Answers 404 for an unknown model, and names the known ones. */
enum http_next handlers_no_such_model(struct http_request *request, const struct registry *registry,
                                      const char *name);

#endif

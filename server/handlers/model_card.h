/* model_card.h - GET /ppm and GET /ppm/{model}: a description of the model, and the cost of a
 * shape. */
#ifndef PPM_SERVER_HANDLERS_MODEL_CARD_H
#define PPM_SERVER_HANDLERS_MODEL_CARD_H

#include "server/http/http.h"

enum http_next model_card_finish(struct http_request *request);

#endif

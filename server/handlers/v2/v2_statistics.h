/* v2_statistics.h - statistics of the models, in Triton's format. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_STATISTICS_H
#define PPM_SERVER_HANDLERS_V2_V2_STATISTICS_H

#include "server/http/http.h"

enum http_next v2_model_stats_finish(struct http_request *request);
enum http_next v2_stats_finish(struct http_request *request);

#endif

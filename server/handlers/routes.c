/* routes.c - the table of routes. */
#include "server/handlers/routes.h"
#include "server/handlers/inference/infer.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/model_card.h"
#include "server/handlers/openapi.h"
#include "server/handlers/ops.h"
#include "server/handlers/page.h"
#include "server/handlers/v2/v2_control.h"
#include "server/handlers/v2/v2_infer.h"
#include "server/handlers/v2/v2_models.h"
#include "server/handlers/v2/v2_order.h"
#include "server/handlers/v2/v2_shared_memory.h"
#include "server/handlers/v2/v2_statistics.h"

#define MODEL   "/v2/models/{model}"
#define VERSION MODEL "/versions/{version}"
#define REGIONS "/v2/systemsharedmemory"
#define REGION  REGIONS "/region/{region}"

/* The query parameters of a request to compute, and of a question about a shape. */
static const char infer_parameters[] = "shape layout dtype out_dtype stages";
static const char shape_parameters[] = "shape layout";
static const char no_parameters[] = "";

/* Browsers and balancers add parameters of their own, so the page and health checks ignore theirs.
 */
#define GET(pattern, finish)                                                                       \
    {                                                                                              \
        "GET", pattern, NULL, NULL, finish, NULL, no_parameters, false, false, 0                   \
    }
#define MODEL_CARD(pattern)                                                                        \
    {                                                                                              \
        "GET", pattern, NULL, NULL, model_card_finish, NULL, shape_parameters, false, false, 0     \
    }
#define PAGE(pattern)                                                                              \
    {                                                                                              \
        "GET", pattern, NULL, NULL, page_finish, NULL, NULL, true, false, 0                        \
    }
#define HEALTH(pattern, finish)                                                                    \
    {                                                                                              \
        "GET", pattern, NULL, NULL, finish, NULL, NULL, true, true, 0                              \
    }
#define INFER(pattern)                                                                             \
    {                                                                                              \
        "POST", pattern, infer_begin, infer_arrived, inference_finish, inference_release,          \
            infer_parameters, false, false, HTTP_BODY_ANY                                          \
    }
#define V2_INFER(pattern)                                                                          \
    {                                                                                              \
        "POST", pattern, v2_infer_begin, v2_infer_arrived, inference_finish, v2_infer_release,     \
            shape_parameters, false, false, HTTP_BODY_ANY                                          \
    }
#define DO(pattern, finish)                                                                        \
    {                                                                                              \
        "POST", pattern, v2_order_begin, NULL, finish, NULL, no_parameters, false, false,          \
            V2_ORDER_BYTES_MAX                                                                     \
    }

const struct http_route handlers_routes[] = {
    INFER("/ppm"),
    INFER("/ppm/{model}"),
    MODEL_CARD("/ppm"),
    MODEL_CARD("/ppm/{model}"),
    HEALTH("/healthz", healthz_finish),
    HEALTH("/readyz", readyz_finish),
    {"GET", "/metrics", NULL, NULL, metrics_finish, NULL, no_parameters, false, true, 0},
    GET("/openapi.json", openapi_finish),
    PAGE("/"),
    PAGE("/page/{file}"),
    GET("/v2", v2_server_finish),
    HEALTH("/v2/health/live", v2_live_finish),
    HEALTH("/v2/health/ready", v2_ready_finish),
    GET("/v2/models/stats", v2_stats_finish),
    GET(MODEL, v2_model_finish),
    GET(MODEL "/ready", v2_model_ready_finish),
    GET(MODEL "/config", v2_model_config_finish),
    GET(MODEL "/stats", v2_model_stats_finish),
    V2_INFER(MODEL "/infer"),
    GET(VERSION, v2_model_finish),
    GET(VERSION "/ready", v2_model_ready_finish),
    GET(VERSION "/config", v2_model_config_finish),
    GET(VERSION "/stats", v2_model_stats_finish),
    V2_INFER(VERSION "/infer"),
    DO("/v2/repository/index", v2_index_finish),
    DO("/v2/repository/models/{model}/load", v2_load_finish),
    DO("/v2/repository/models/{model}/unload", v2_unload_finish),
    GET(REGIONS "/status", v2_regions_finish),
    GET(REGION "/status", v2_region_finish),
    DO(REGION "/register", v2_register_finish),
    DO(REGION "/unregister", v2_unregister_finish),
    DO(REGIONS "/unregister", v2_unregister_all_finish),
    {0},
};

/* routes.c - the table of routes. */
#include "server/handlers/routes.h"
#include "server/handlers/inference/infer.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/model_card.h"
#include "server/handlers/openapi.h"
#include "server/handlers/ops.h"
#include "server/handlers/page.h"
#include "server/handlers/v1/v1_models.h"
#include "server/handlers/v1/v1_predict.h"
#include "server/handlers/v2/v2_control.h"
#include "server/handlers/v2/v2_infer.h"
#include "server/handlers/v2/v2_models.h"
#include "server/handlers/v2/v2_order.h"
#include "server/handlers/v2/v2_shared_memory.h"
#include "server/handlers/v2/v2_statistics.h"

#define MODEL   "/v2/models/{model}"
#define VERSION MODEL "/versions/{version}"
#define V1      "/v1/models/{model}"
#define V1_OF   V1 "/versions/{version}"
#define REGIONS "/v2/systemsharedmemory"
#define REGION  REGIONS "/region/{region}"

/* Query parameters. Browsers and balancers add some of their own, so the page and health checks
 * ignore theirs. */
#define OF_INFERENCE    "shape layout dtype out_dtype stages size priority overlay labels"
#define OF_V2_INFERENCE "shape layout size priority"
#define OF_V1_INFERENCE "layout size priority"
#define OF_SHAPE        "shape layout size"
#define NONE            ""

#define GET(path, handler)                                                                         \
    {                                                                                              \
        .method = "GET", .pattern = (path), .finish = (handler), .parameters = NONE                \
    }
#define MODEL_CARD(path)                                                                           \
    {                                                                                              \
        .method = "GET", .pattern = (path), .finish = model_card_finish, .parameters = OF_SHAPE    \
    }
#define PAGE(path)                                                                                 \
    {                                                                                              \
        .method = "GET", .pattern = (path), .finish = page_finish, .is_open = true                 \
    }
#define HEALTH(path, handler)                                                                      \
    {                                                                                              \
        .method = "GET", .pattern = (path), .finish = (handler), .is_open = true, .is_vital = true \
    }
#define METRICS(path)                                                                              \
    {                                                                                              \
        .method = "GET", .pattern = (path), .finish = metrics_finish, .parameters = NONE,          \
        .is_vital = true                                                                           \
    }
#define INFER(verb, path)                                                                          \
    {                                                                                              \
        .method = (verb), .pattern = (path), .begin = infer_begin, .arrived = infer_arrived,       \
        .finish = inference_finish, .release = inference_release, .parameters = OF_INFERENCE,      \
        .body_bytes_max = HTTP_BODY_ANY                                                            \
    }
#define V2_INFER(path)                                                                             \
    {                                                                                              \
        .method = "POST", .pattern = (path), .begin = v2_infer_begin, .arrived = v2_infer_arrived, \
        .finish = inference_finish, .release = v2_infer_release, .parameters = OF_V2_INFERENCE,    \
        .body_bytes_max = HTTP_BODY_ANY                                                            \
    }
#define V1_PREDICT(path)                                                                           \
    {                                                                                              \
        .method = "POST", .pattern = (path), .begin = v1_predict_begin,                            \
        .arrived = v1_predict_arrived, .finish = inference_finish, .release = inference_release,   \
        .parameters = OF_V1_INFERENCE, .body_bytes_max = HTTP_BODY_ANY                             \
    }
#define ORDER(path, handler)                                                                       \
    {                                                                                              \
        .method = "POST", .pattern = (path), .begin = v2_order_begin, .finish = (handler),         \
        .parameters = NONE, .body_bytes_max = V2_ORDER_BYTES_MAX                                   \
    }

const struct http_route handlers_routes[] = {
    INFER("POST", "/ppm"),
    INFER("POST", "/ppm/{model}"),
    INFER("PUT", "/ppm"), /* as curl -T sends a file */
    INFER("PUT", "/ppm/{model}"),
    MODEL_CARD("/ppm"),
    MODEL_CARD("/ppm/{model}"),
    HEALTH("/healthz", healthz_finish),
    HEALTH("/readyz", readyz_finish),
    METRICS("/metrics"),
    GET("/openapi.json", openapi_finish),
    PAGE("/"),
    PAGE("/page/{file}"),
    GET("/v1/models", v1_models_finish),
    V1_PREDICT(V1 ":predict"),
    V1_PREDICT(V1_OF ":predict"),
    GET(V1, v1_model_finish),
    GET(V1_OF, v1_model_finish),
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
    ORDER("/v2/repository/index", v2_index_finish),
    ORDER("/v2/repository/models/{model}/load", v2_load_finish),
    ORDER("/v2/repository/models/{model}/unload", v2_unload_finish),
    GET(REGIONS "/status", v2_regions_finish),
    GET(REGION "/status", v2_region_finish),
    ORDER(REGION "/register", v2_register_finish),
    ORDER(REGION "/unregister", v2_unregister_finish),
    ORDER(REGIONS "/unregister", v2_unregister_all_finish),
    {0},
};

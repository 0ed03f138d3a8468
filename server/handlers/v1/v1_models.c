/* v1_models.c - see v1_models.h. */
#include "server/handlers/v1/v1_models.h"
#include "server/codec/v2/v2.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"
#include "server/handlers/v2/v2_models.h"

#include <jansson.h>
#include <string.h>

/* {"models": ["a", "b"]}, of those that are loaded. */
enum http_next v1_models_finish(struct http_request *request)
{
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    json_t *list = json_array();
    for (size_t i = 0; i < registry_count(registry); i++) {
        const struct registry_entry entry = registry_entry(registry, i);
        if (entry.model)
            handlers_append(&list, json_string(entry.name));
    }
    registry_release(registry);
    return handlers_respond_json(request, json_pack("{s:o}", "models", list));
}

/* KServe's clients read name and ready, those of TensorFlow Serving the rest. */
static json_t *status_json(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:b, s:[{s:s, s:s, s:{s:s, s:s}}]}", "name", info->name, "ready", 1,
                     "model_version_status", "version", V2_VERSION, "state", "AVAILABLE", "status",
                     "error_code", "OK", "error_message", "");
}

enum http_next v1_model_finish(struct http_request *request)
{
    const char *verb = strrchr(request->arguments[0], ':');
    if (verb && strcmp(verb, ":predict") == 0) {
        http_add_header(request, "Allow", "POST");
        return http_problem(request, 405, "%s is not served here, expected POST", request->method);
    }
    return v2_respond_model(request, status_json);
}

/* v2_shared_memory.c - see v2_shared_memory.h. */
#include "server/handlers/v2/v2_shared_memory.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"
#include "server/handlers/v2/v2_order.h"
#include "server/shared_memory/shared_memory.h"

#include <jansson.h>

enum http_next v2_refuse_shared_memory(struct http_request *request)
{
    const struct app *app = request->context;
    if (app->settings.allow_shared_memory)
        return HTTP_PROCEED;
    return http_problem(request, 403,
                        "shared memory is off, expected the setting allow_shared_memory");
}

/* ---- what there is ---- */

static json_t *region_json(const struct shared_memory_info *info)
{
    return json_pack("{s:s, s:s, s:I, s:I}", "name", info->name, "key", info->key, "offset",
                     (json_int_t)info->offset, "byte_size", (json_int_t)info->byte_size);
}

enum http_next v2_regions_finish(struct http_request *request)
{
    struct shared_memory_info info;
    if (v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    json_t *list = json_array();
    for (size_t at = 0; shared_memory_next(&at, &info);)
        handlers_append(&list, region_json(&info));
    return handlers_respond_json(request, list);
}

enum http_next v2_region_finish(struct http_request *request)
{
    struct shared_memory_info info;
    if (v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (!shared_memory_find(request->arguments[0], &info))
        return http_problem(request, 404, "no region \"%.64s\" is registered",
                            request->arguments[0]);
    json_t *region = region_json(&info);
    return handlers_respond_json(request, json_pack("[o]", region));
}

/* ---- coming and going ---- */

/* Reads an integer of at least 0; *ret_size is untouched if it is missing. */
static enum http_next read_size(struct http_request *request, const json_t *body, const char *key,
                                size_t *ret_size)
{
    const json_t *value = json_object_get(body, key);
    if (!value)
        return HTTP_PROCEED;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return http_problem(request, 400, "%s: expected an integer of at least 0", key);
    *ret_size = (size_t)json_integer_value(value);
    return HTTP_PROCEED;
}

static void register_region(struct http_request *request, const json_t *body)
{
    struct ppm_error error = {0};
    size_t offset = 0, bytes = 0;
    const char *key = json_string_value(json_object_get(body, "key"));
    if (!key) {
        http_problem(request, 400,
                     "key: found none, expected the name of a shared memory object as a string");
        return;
    }
    if (read_size(request, body, "offset", &offset) != HTTP_PROCEED ||
        read_size(request, body, "byte_size", &bytes) != HTTP_PROCEED)
        return;
    if (shared_memory_register(request->arguments[0], key, offset, bytes, &error) == PPM_OK)
        handlers_respond_json(request, json_object());
    else
        http_problem_of(request, &error);
}

enum http_next v2_register_finish(struct http_request *request)
{
    json_t *body = v2_refuse_shared_memory(request) == HTTP_PROCEED ? v2_read_body(request) : NULL;
    if (body)
        register_region(request, body);
    json_decref(body);
    return HTTP_RESPOND;
}

/* As in Triton, unregistering an unknown region succeeds. */
enum http_next v2_unregister_finish(struct http_request *request)
{
    if (v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    shared_memory_unregister(request->arguments[0]);
    return handlers_respond_json(request, json_object());
}

enum http_next v2_unregister_all_finish(struct http_request *request)
{
    if (v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    shared_memory_unregister_all();
    return handlers_respond_json(request, json_object());
}

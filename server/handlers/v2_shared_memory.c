/* v2_shared_memory.c - /v2/systemsharedmemory: regions that tensors are read from and written to.
 */
#include "server/handlers/v2.h"
#include "server/shared_memory.h"

#include <jansson.h>
#include <stdlib.h>

/* True: refused. */
static bool refuse_unallowed(struct http_request *request)
{
    const struct service *service = request->context;
    return !service->settings.allow_shared_memory &&
           http_problem(request, 403,
                        "shared memory is not used here, expected the setting allow_shared_memory");
}

bool v2_regions_finish(struct http_request *request)
{
    if (refuse_unallowed(request))
        return true;
    (void)request;
    return true;
}

static void respond_done(struct http_request *request, const struct ppm_error *error)
{
    if (error->status == PPM_OK)
        handlers_respond_json(request, json_object());
    else
        http_problem_of(request, error);
}

/* A whole number of at least 0 of the body, or the default. False: refused. */
static bool read_size(struct http_request *request, const json_t *body, const char *key,
                      bool is_needed, size_t *ret_size)
{
    const json_t *value = json_object_get(body, key);
    if (!value && !is_needed)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return !http_problem(request, 400, "%s: expected a whole number of at least 0", key);
    *ret_size = (size_t)json_integer_value(value);
    return true;
}

bool v2_register_finish(struct http_request *request)
{
    struct ppm_error error = {0};
    size_t offset = 0, bytes = 0;
    json_t *body = refuse_unallowed(request) ? NULL : v2_read_body(request);
    const char *key = json_string_value(json_object_get(body, "key"));
    if (!body)
        return true;
    if (!key)
        http_problem(request, 400, "key: expected the name of a shared memory object");
    else if (read_size(request, body, "offset", false, &offset) &&
             read_size(request, body, "byte_size", true, &bytes)) {
        shared_memory_register(request->arguments[0], key, offset, bytes, &error);
        respond_done(request, &error);
    }
    json_decref(body);
    return true;
}

bool v2_unregister_finish(struct http_request *request)
{
    struct ppm_error error = {0};
    if (!refuse_unallowed(request)) {
        shared_memory_unregister(request->arguments[0], &error);
        respond_done(request, &error);
    }
    return true;
}

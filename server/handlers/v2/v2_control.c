/* v2_control.c - see v2_control.h. */
#include "server/handlers/v2/v2_control.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"

#include <jansson.h>
#include <pthread.h>

/* Abandons a load at the deadline of its request, or when the server stops. */
static bool is_abandoned(void *context)
{
    const struct http_request *request = context;
    const struct app *app = request->context;
    return http_is_past(&request->deadline) || atomic_load(&app->is_leaving);
}

static void refuse_abandoned(struct http_request *request)
{
    if (http_is_past(&request->deadline))
        http_problem(request, 504, "not loaded after %zu ms (%s)", request->deadline.ms,
                     request->deadline.setting);
    else
        http_problem(request, 503, "the server is stopping; try another one");
}

static void change_model(struct http_request *request, bool is_loaded)
{
    struct app *app = request->context;
    struct ppm_error error = {0};
    const struct ppm_progress progress = {.is_cancelled = is_abandoned, .context = request};
    served_change_model(&app->served, app->executor, request->arguments[0], is_loaded, &progress,
                        &error);
    atomic_flag_clear(&app->is_changing_model);
    if (error.status == PPM_OK)
        handlers_respond_json(request, json_object());
    else if (error.status == PPM_CANCELLED)
        refuse_abandoned(request);
    else
        http_problem(request,
                     error.status == PPM_UNFIT       ? 404
                     : error.status == PPM_NO_MEMORY ? 503
                                                     : 400,
                     "%s", error.text);
    http_answer(request);
}

static void *load(void *request)
{
    change_model(request, true);
    return NULL;
}

static void *unload(void *request)
{
    change_model(request, false);
    return NULL;
}

static enum http_next start_change(struct http_request *request, void *(*change)(void *request))
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct app *app = request->context;
    if (!app->settings.allow_model_control)
        return http_problem(request, 403,
                            "loading and unloading models by request is off, expected the setting "
                            "allow_model_control");
    if (atomic_flag_test_and_set(&app->is_changing_model))
        return http_problem(request, 503, "another model is being loaded or unloaded; try again");
    http_answer_later(request);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, change, request) != 0) {
        atomic_flag_clear(&app->is_changing_model);
        http_problem(request, 503, "cannot start a thread for this");
        http_answer(request);
    }
    pthread_attr_destroy(&attributes);
    return HTTP_LATER;
}

enum http_next v2_load_finish(struct http_request *request)
{
    return start_change(request, load);
}

enum http_next v2_unload_finish(struct http_request *request)
{
    return start_change(request, unload);
}

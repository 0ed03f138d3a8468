/* serve.c - the start and stop of the server, in order. */
#include "server/service/serve.h"
#include "server/base/memory.h"
#include "server/config/settings_check.h"
#include "server/config/settings_names.h"
#include "server/config/settings_print.h"
#include "server/handlers/application.h"
#include "server/observe/log.h"
#include "server/service/configuration.h"
#include "server/service/drain.h"
#include "server/service/observe.h"
#include "server/service/reload.h"
#include "server/service/service_manager.h"
#include "server/service/signals.h"
#include "server/shared_memory/shared_memory.h"
#include "server/shared_memory/shared_memory_bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LOAD_STEP_MS = 5, SPARE_DESCRIPTORS = 64, MEMORY_KEPT_S = 5 };

/* Drops queued jobs that nobody waits for, whatever is being computed. */
static void on_tick(void *context)
{
    struct app *app = context;
    executor_sweep(app->executor);
    memory_trim(MEMORY_KEPT_S);
    shared_memory_sweep();
    log_tick();
}

static void log_start(struct app *app, const struct warm_up_report *report)
{
    char names[512], quota[64] = "no CPU quota";
    struct ppm_cores cores;
    ppm_count_cores(&cores);
    struct registry *registry = served_hold(&app->served);
    registry_names(registry, names, sizeof names);
    registry_release(registry);
    log_line(LOG_INFO, "models: %s; %zu shape%s warm in %.1f ms", names, report->shapes,
             ppm_plural(report->shapes), report->ms);
    if (cores.quota > 0)
        snprintf(quota, sizeof quota, "a CPU quota worth %d", cores.quota);
    log_line(LOG_INFO,
             "%zu computing thread%s (%s: %d core%s in the affinity mask, %s), kernels: %s",
             app->threads, ppm_plural(app->threads),
             app->settings.threads > 0 ? "as configured" : "one per core", cores.affinity,
             ppm_plural((size_t)cores.affinity), quota, ppm_isa_name());
}

/* Each connection and each region of shared memory takes a descriptor; with too few, accept() fails
 * in a loop. */
static enum ppm_status raise_descriptor_limit(const struct settings *settings,
                                              struct ppm_error *error)
{
    struct rlimit limit;
    const size_t connections_max = settings->http.connections_max;
    const size_t regions_max = settings->allow_shared_memory ? SHARED_MEMORY_REGIONS_MAX : 0;
    const rlim_t needed = connections_max + regions_max + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return PPM_OK;
    if (limit.rlim_max < needed)
        return ppm_fail(
            error, PPM_BAD_CONFIG,
            "connections_max: found %zu, which%s takes %zu file descriptors, expected at "
            "most %zu (ulimit -n)",
            connections_max, regions_max ? " with allow_shared_memory" : "", (size_t)needed,
            (size_t)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return PPM_OK;
    return ppm_fail(error, PPM_IO, "cannot raise the limit of file descriptors to %zu: %s",
                    (size_t)needed, strerror(errno));
}

/* No client is connected yet, so a signal to stop ends the process at once. */
static void wait_until_loaded(struct service *service)
{
    while (reload_is_busy(service->reloader))
        if (signals_stop_within(1e-3 * LOAD_STEP_MS)) {
            log_line(LOG_INFO, "stopped before the models were loaded");
            _Exit(0);
        }
}

enum { OVERTAKEN_S = 10 }; /* docs/operating.md says so */

static enum ppm_status start_executor(struct app *app, struct ppm_error *error)
{
    const struct settings *s = &app->settings;
    const struct executor_options options = {.threads = (int)app->threads,
                                             .queue_max = s->queue_max,
                                             .batch_max = s->max_batch,
                                             .batch_delay_us = s->max_queue_delay_us,
                                             .overtaken_s = OVERTAKEN_S};
    app->executor = executor_start(&options, error);
    return error->status;
}

static enum ppm_status start_http(struct service *service, int listener, struct ppm_error *error)
{
    const struct http_options options = {
        .settings = service->app.settings.http,
        .listener = listener,
        .application = &handlers_application,
        .context = &service->app,
        .on_answer = observe_answer,
        .on_refusal = observe_refusal,
        .on_abort = observe_abort,
        .on_message = observe_message,
        .on_tick = on_tick,
    };
    service->http = http_start(&options, error);
    return error->status;
}

static enum ppm_status set_limits(const struct settings *settings, struct ppm_error *error)
{
    if (raise_descriptor_limit(settings, error) != PPM_OK ||
        (settings->allow_shared_memory && shared_memory_allow(error) != PPM_OK))
        return error->status;
    memory_set_max(settings->memory_max_bytes);
    shared_memory_set_max(settings->shared_memory_max_bytes);
    return PPM_OK;
}

/* Models come first: once the server listens, it can answer. */
static enum ppm_status start(struct service *service, int count, char *const *arguments,
                             struct ppm_error *error)
{
    struct app *app = &service->app;
    struct warm_up_report report;
    struct timespec now;
    const int listener = service_manager_socket(error);
    clock_gettime(CLOCK_REALTIME, &now);
    app->started_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    app->threads = settings_threads(&app->settings);
    if (listener < 0 || set_limits(&app->settings, error) != PPM_OK ||
        start_executor(app, error) != PPM_OK ||
        !(service->reloader = reload_start(app, count, arguments, error)))
        return error->status;
    wait_until_loaded(service);
    if (reload_first_result(service->reloader, &report, error) != PPM_OK)
        return error->status;
    atomic_store(&app->is_ready, true);
    if (start_http(service, listener, error) != PPM_OK)
        return error->status;
    log_start(app, &report);
    if (listener > 0)
        log_line(LOG_INFO, "using the socket passed to this process; host, port and "
                           "socket_mode are ignored");
    return PPM_OK;
}

/* Stops what was started, in reverse. */
static void stop(struct service *service)
{
    http_stop(service->http); /* first: /metrics asks the executor, and a drain leaves no job */
    reload_stop(service->reloader);
    executor_stop(service->app.executor);
    shared_memory_unregister_all();
    served_exchange(&service->app.served, NULL);
    http_access_use(NULL);
    log_flush();
}

static void warn_of_variables(void)
{
    char unknown[256];
    for (size_t at = 0; settings_unknown_variable(&at, unknown, sizeof unknown);)
        log_line(LOG_WARN, "%s", unknown);
}

static enum ppm_status check_variables(struct ppm_error *error)
{
    char unknown[256];
    size_t at = 0;
    if (settings_unknown_variable(&at, unknown, sizeof unknown))
        ppm_fail(error, PPM_BAD_CONFIG, "%s", unknown);
    return error->status;
}

static enum ppm_status run_service(struct service *service, int count, char *const *arguments,
                                   struct ppm_error *error)
{
    const struct settings *settings = &service->app.settings;
    signals_block();
    observe_configure(settings);
    warn_of_variables();
    if (start(service, count, arguments, error) == PPM_OK) {
        log_announce("listening on %s", http_address(service->http));
        service_manager_notify("READY=1\nSTATUS=serving");
        while (signals_wait())
            reload_request(service->reloader);
        drain(service);
    }
    stop(service);
    return error->status;
}

enum ppm_status serve(int count, char *const *arguments, struct ppm_error *error)
{
    static struct service service = {
        .app = {.served = SERVED_INITIALIZER, .is_changing_model = ATOMIC_FLAG_INIT}};
    struct settings *settings = &service.app.settings;
    if (settings_read(count, arguments, settings, error) != PPM_OK ||
        settings_check(settings, error) != PPM_OK)
        ;
    else if (settings->print_config)
        settings_print(settings, stdout, error);
    else if (settings->check_config && check_variables(error) != PPM_OK)
        ;
    else if (settings->check_config)
        configuration_check(settings, error);
    else
        run_service(&service, count, arguments, error);
    settings_release(settings);
    return error->status;
}

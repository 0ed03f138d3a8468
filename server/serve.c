/* serve.c - start-up, reload and drain, in the order in which they happen. */
#include "server/serve.h"
#include "server/handlers/handlers.h"
#include "server/log.h"
#include "server/progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DRAIN_STEP_MS = 5, DRAIN_QUIET_STEPS = 4, SPARE_DESCRIPTORS = 64 };

/* The set being served: a reload exchanges it under the lock. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct registry *current_registry;

struct registry *service_registry(struct service *service)
{
    (void)service;
    pthread_mutex_lock(&registry_mutex);
    struct registry *registry = registry_hold(current_registry);
    pthread_mutex_unlock(&registry_mutex);
    return registry;
}

static void exchange_registry(struct registry *registry)
{
    pthread_mutex_lock(&registry_mutex);
    struct registry *old = current_registry;
    current_registry = registry;
    pthread_mutex_unlock(&registry_mutex);
    registry_release(old);
}

static struct registry *load_models(const struct settings *settings, struct ppm_error *error)
{
    const struct ppm_progress progress = progress_start("loading");
    struct registry *registry = registry_load(settings, &progress, error);
    progress_end();
    return registry;
}

static void on_answer(const struct http_request *request)
{
    struct service *service = request->context;
    const double total_ms = http_elapsed_ms(request);
    metrics_count(service->metrics, request->route ? request->route->pattern : "",
                  request->response.status, total_ms / 1e3, request->queue_ms / 1e3,
                  request->compute_ms / 1e3);
    log_line(LOG_INFO, "%s %.400s %u in=%zu out=%zu total=%.1fms queue=%.1fms compute=%.1fms id=%s",
             request->method, request->target, request->response.status, request->body_bytes,
             request->response.body_bytes, total_ms, request->queue_ms, request->compute_ms,
             request->id);
}

static void on_message(const char *text)
{
    log_line(LOG_DEBUG, "http: %s", text);
}

/* A descriptor for each connection, or accept() fails in a loop. */
static enum ppm_status raise_descriptor_limit(size_t connections_max, struct ppm_error *error)
{
    struct rlimit limit;
    const rlim_t needed = connections_max + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return PPM_OK;
    if (limit.rlim_max < needed)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "connections_max: %zu connections need %zu file descriptors, found a limit "
                        "of %zu (ulimit -n)",
                        connections_max, (size_t)needed, (size_t)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return PPM_OK;
    return ppm_fail(error, PPM_IO, "cannot raise the limit of file descriptors to %zu: %s",
                    (size_t)needed, strerror(errno));
}

/* Starts the parts, models first, so that whatever listens can answer. */
static enum ppm_status start(struct service *service, struct ppm_error *error)
{
    const struct settings *s = &service->settings;
    const struct http_options options = {.host = s->host,
                                         .port = s->port,
                                         .threads = s->http_threads,
                                         .connections_max = s->connections_max,
                                         .body_max_bytes = s->body_max_bytes,
                                         .memory_max_bytes = s->memory_max_bytes,
                                         .request_timeout_ms = s->request_timeout_ms,
                                         .idle_timeout_s = s->idle_timeout_s,
                                         .routes = handlers_routes,
                                         .context = service,
                                         .on_answer = on_answer,
                                         .on_message = on_message};
    service->threads = s->threads ? s->threads : (size_t)ppm_default_threads();
    if (raise_descriptor_limit(s->connections_max, error) != PPM_OK)
        return error->status;
    exchange_registry(load_models(s, error));
    if (error->status != PPM_OK)
        return error->status;
    if (!(service->metrics = metrics_create()))
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (!(service->engine = ppm_engine_create(error)))
        return error->status;
    if (!(service->executor = executor_start(s->queue_max, error)))
        return error->status;
    atomic_store(&service->is_ready, true);
    if (!(service->http = http_start(&options, error)))
        return error->status;

    char names[512];
    registry_names(current_registry, names, sizeof names);
    log_line(LOG_INFO, "models: %s", names);
    log_line(LOG_INFO, "%zu threads compute (%d cores may be used), kernels: %s", service->threads,
             ppm_default_threads(), ppm_isa_name());
    return PPM_OK;
}

/* Whatever was started, in reverse. */
static void stop(struct service *service)
{
    http_stop(service->http); /* a drain leaves no job behind, and /metrics asks the executor */
    executor_stop(service->executor);
    ppm_engine_free(service->engine);
    metrics_free(service->metrics);
    exchange_registry(NULL);
}

/* Waits so long, or until a second signal, which leaves at once; a reload is for those who stay. */
static void wait_or_leave(struct service *service, const sigset_t *signals, size_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    sigset_t leaving = *signals;
    sigdelset(&leaving, SIGHUP);
    int signal = sigtimedwait(&leaving, NULL, &time);
    if (signal != SIGTERM && signal != SIGINT)
        return;
    log_line(LOG_WARN, "stopped by a second signal, %zu requests lost",
             http_in_flight(service->http));
    _Exit(1);
}

/* Not ready, then not accepting, then nothing in flight for a moment: a connection may have been
 * accepted whose request has not been read yet. */
static void drain(struct service *service, const sigset_t *signals)
{
    atomic_store(&service->is_leaving, true);
    atomic_store(&service->is_ready, false);
    log_line(LOG_INFO, "stopping: %zu requests in flight", http_in_flight(service->http));
    wait_or_leave(service, signals, service->settings.drain_delay_ms);
    atomic_store(&service->is_refusing, true);
    http_stop_accepting(service->http);
    for (int quiet_steps = 0; quiet_steps < DRAIN_QUIET_STEPS; quiet_steps++) {
        if (http_in_flight(service->http) > 0)
            quiet_steps = 0;
        wait_or_leave(service, signals, DRAIN_STEP_MS);
    }
    log_line(LOG_INFO, "stopped");
}

/* SIGHUP: the new configuration as a whole, or the old one and the reason why. */
static void reload(struct service *service, int count, char *const *arguments)
{
    struct ppm_error error = {0};
    struct settings settings;
    struct registry *registry = NULL;
    if (settings_read(count, arguments, &settings, &error) == PPM_OK)
        registry = load_models(&settings, &error);
    if (registry) {
        exchange_registry(registry);
        log_set_level((enum log_level)settings.log_level);
        log_line(LOG_INFO, "reloaded: %zu models; other settings change at a restart",
                 registry_count(registry));
    } else {
        log_line(LOG_ERROR, "not reloaded, the old models go on: %s", error.text);
    }
    (void)service;
    settings_release(&settings);
}

static void run_until_signal(struct service *service, const sigset_t *signals, int count,
                             char *const *arguments)
{
    for (int signal = 0; sigwait(signals, &signal) == 0;) {
        if (signal != SIGHUP)
            break;
        reload(service, count, arguments);
    }
    drain(service, signals);
}

/* All threads inherit the mask, so that the main thread alone waits for these signals. */
static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static enum ppm_status check_config(const struct settings *settings, struct ppm_error *error)
{
    struct registry *registry = load_models(settings, error);
    if (registry)
        printf("configuration is good: %zu models\n", registry_count(registry));
    registry_release(registry);
    return error->status;
}

static enum ppm_status run_service(struct service *service, int count, char *const *arguments,
                                   struct ppm_error *error)
{
    sigset_t signals;
    block_signals(&signals);
    log_set_level((enum log_level)service->settings.log_level);
    if (start(service, error) == PPM_OK) {
        fprintf(stderr, "listening on %s\n", http_address(service->http));
        run_until_signal(service, &signals, count, arguments);
    }
    stop(service);
    return error->status;
}

enum ppm_status serve(int count, char *const *arguments, struct ppm_error *error)
{
    static struct service service;
    struct settings *settings = &service.settings;
    if (settings_read(count, arguments, settings, error) != PPM_OK)
        ;
    else if (settings->print_config)
        settings_print(settings, stdout, error);
    else if (settings->check_config)
        check_config(settings, error);
    else
        run_service(&service, count, arguments, error);
    settings_release(settings);
    return error->status;
}

/* serve.c - start-up, signals and drain, in the order in which they happen. */
#include "server/service/serve.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/handlers/handlers.h"
#include "server/observe/log.h"
#include "server/service/service_manager.h"
#include "server/shared_memory/shared_memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    LOAD_STEP_MS = 5,
    DRAIN_STEP_MS = 5,
    DRAIN_QUIET_STEPS = 4,
    DRAIN_WELCOME_S = 1,
    SPARE_DESCRIPTORS = 64,
    MEMORY_KEPT_S = 5
};

static const double same_signal_s = 0.1;

/* What waits in vain makes way, however long the computation takes that it waits for. */
static void on_tick(void *context)
{
    struct service *service = context;
    executor_sweep(service->executor);
    memory_trim(MEMORY_KEPT_S);
    shared_memory_sweep();
}

static void log_start(struct service *service, const struct warm_up_report *report)
{
    char names[512], quota[64] = "no CPU quota";
    struct ppm_cores cores;
    ppm_count_cores(&cores);
    struct registry *registry = service_registry(service);
    registry_names(registry, names, sizeof names);
    registry_release(registry);
    log_line(LOG_INFO, "models: %s; %zu shape%s warm in %.1f ms", names, report->shapes,
             ppm_plural(report->shapes), report->ms);
    if (cores.quota > 0)
        snprintf(quota, sizeof quota, "a CPU quota worth %d", cores.quota);
    log_line(LOG_INFO,
             "%zu computing thread%s (%s: %d core%s in the affinity mask, %s), kernels: %s",
             service->threads, ppm_plural(service->threads),
             service->settings.threads > 0 ? "as configured" : "as many as cores", cores.affinity,
             ppm_plural((size_t)cores.affinity), quota, ppm_isa_name());
}

/* A descriptor for each connection, or accept() fails in a loop; and for each region of memory. */
static enum ppm_status raise_descriptor_limit(const struct settings *settings,
                                              struct ppm_error *error)
{
    struct rlimit limit;
    const size_t connections_max = settings->connections_max;
    const size_t regions_max = settings->allow_shared_memory ? SHARED_MEMORY_REGIONS_MAX : 0;
    const rlim_t needed = connections_max + regions_max + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return PPM_OK;
    if (limit.rlim_max < needed)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "connections_max: %zu connections%s need %zu file descriptors, found a "
                        "limit of %zu (ulimit -n)",
                        connections_max, regions_max ? " and allow_shared_memory" : "",
                        (size_t)needed, (size_t)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return PPM_OK;
    return ppm_fail(error, PPM_IO, "cannot raise the limit of file descriptors to %zu: %s",
                    (size_t)needed, strerror(errno));
}

static bool is_to_leave(int signal)
{
    return signal == SIGTERM || signal == SIGINT;
}

static int wait_for_signal(const sigset_t *signals, double s)
{
    const struct timespec time = {.tv_sec = (time_t)s,
                                  .tv_nsec = (long)(1e9 * (s - (double)(time_t)s))};
    return sigtimedwait(signals, NULL, &time);
}

/* Nobody has been accepted yet: who is told to leave does, whatever is being loaded. SIGHUP waits.
 */
static void wait_until_loaded(struct service *service, const sigset_t *signals)
{
    sigset_t leaving = *signals;
    sigdelset(&leaving, SIGHUP);
    while (loader_is_busy(service->loader))
        if (is_to_leave(wait_for_signal(&leaving, 1e-3 * LOAD_STEP_MS))) {
            log_line(LOG_INFO, "stopped before the models were loaded");
            _Exit(0);
        }
}

/* Starts the parts, models first, so that whatever listens can answer. */
static enum ppm_status start(struct service *service, const sigset_t *signals, int count,
                             char *const *arguments, struct ppm_error *error)
{
    const struct settings *s = &service->settings;
    const int listener = service_manager_socket(error);
    const struct http_options options = {.listener = listener,
                                         .host = s->host,
                                         .port = s->port,
                                         .socket_mode = s->socket_mode,
                                         .cors_origins = s->cors_origins,
                                         .allowed_hosts = s->allowed_hosts,
                                         .has_tls = *s->tls_certificate != '\0',
                                         .threads = s->http_threads,
                                         .connections_max = s->connections_max,
                                         .connections_per_address_max =
                                             s->connections_per_address_max,
                                         .connection_memory_bytes = s->connection_memory_bytes,
                                         .body_max_bytes = s->body_max_bytes,
                                         .request_timeout_ms = s->request_timeout_ms,
                                         .head_timeout_ms = s->head_timeout_ms,
                                         .body_timeout_ms = s->body_timeout_ms,
                                         .response_timeout_ms = s->response_timeout_ms,
                                         .idle_timeout_s = s->idle_timeout_s,
                                         .routes = handlers_routes,
                                         .context = service,
                                         .on_answer = observe_answer,
                                         .on_message = observe_message,
                                         .on_tick = on_tick};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    service->started_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    service->threads = settings_threads(s);
    const struct executor_options executor_options = {.threads = (int)service->threads,
                                                      .queue_max = s->queue_max,
                                                      .batch_max = s->max_batch,
                                                      .batch_delay_us = s->max_queue_delay_us};
    if (listener < 0 || raise_descriptor_limit(s, error) != PPM_OK ||
        (s->allow_shared_memory && shared_memory_allow(error) != PPM_OK))
        return error->status;
    memory_set_max(s->memory_max_bytes);
    shared_memory_set_max(s->shared_memory_max_bytes);
    struct warm_up_report report;
    if (!(service->executor = executor_start(&executor_options, error)) ||
        !(service->loader = loader_start(service, count, arguments, error)))
        return error->status;
    wait_until_loaded(service, signals);
    if (loader_result(service->loader, &report, error) != PPM_OK)
        return error->status;
    atomic_store(&service->is_ready, true);
    if (!(service->http = http_start(&options, error)))
        return error->status;
    log_start(service, &report);
    if (listener > 0)
        log_line(LOG_INFO, "the socket was passed to this process: host, port and socket_mode are "
                           "not used");
    return PPM_OK;
}

/* Whatever was started, in reverse. */
static void stop(struct service *service)
{
    http_stop(service->http); /* a drain leaves no job behind, and /metrics asks the executor */
    loader_stop(service->loader);
    executor_stop(service->executor);
    shared_memory_unregister_all();
    service_exchange_registry(NULL);
    http_access_use(NULL);
}

/* Waits so long, or until a second signal, which leaves at once; a reload is for those who stay.
 * What sends a signal to a process and to its group, as timeout(1) does, means it once. */
static void wait_or_leave(struct service *service, const sigset_t *signals, size_t ms)
{
    const double end_s = clock_now_s() + (double)ms / 1e3;
    sigset_t leaving = *signals;
    sigdelset(&leaving, SIGHUP);
    for (double left_s; (left_s = end_s - clock_now_s()) > 0;) {
        if (!is_to_leave(wait_for_signal(&leaving, left_s)) ||
            clock_now_s() - service->leaving_s < same_signal_s)
            continue;
        log_line(LOG_WARN, "stopped by a second signal; requests lost: %zu",
                 http_in_flight(service->http));
        _Exit(1);
    }
}

/* Not ready, then not accepting, then nothing in flight for a moment: a connection may have been
 * accepted whose request has not been read yet. What comes over connections that stand is served,
 * unless the drain takes long. */
static void drain(struct service *service, const sigset_t *signals)
{
    service->leaving_s = clock_now_s();
    atomic_store(&service->is_leaving, true);
    atomic_store(&service->is_ready, false);
    log_line(LOG_INFO, "stopping; requests in flight: %zu", http_in_flight(service->http));
    service_manager_notify("STOPPING=1\nSTATUS=finishing what was accepted");
    wait_or_leave(service, signals, service->settings.drain_delay_ms);
    http_stop_accepting(service->http);
    const double refuse_at_s = clock_now_s() + DRAIN_WELCOME_S;
    for (int quiet_steps = 0; quiet_steps < DRAIN_QUIET_STEPS; quiet_steps++) {
        if (clock_now_s() > refuse_at_s)
            atomic_store(&service->is_refusing, true);
        if (!http_is_quiet(service->http) || loader_is_busy(service->loader))
            quiet_steps = 0;
        wait_or_leave(service, signals, DRAIN_STEP_MS);
    }
    log_line(LOG_INFO, "stopped");
}

static void run_until_signal(struct service *service, const sigset_t *signals)
{
    for (int signal = 0; sigwait(signals, &signal) == 0;) {
        if (signal != SIGHUP)
            break;
        loader_reload(service->loader);
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
    sigset_t signals;
    block_signals(&signals);
    log_set_format((enum log_format)service->settings.log_format);
    log_set_level((enum log_level)service->settings.log_level);
    warn_of_variables();
    if (start(service, &signals, count, arguments, error) == PPM_OK) {
        log_announce("listening on %s", http_address(service->http));
        service_manager_notify("READY=1\nSTATUS=serving");
        run_until_signal(service, &signals);
    }
    stop(service);
    return error->status;
}

enum ppm_status serve(int count, char *const *arguments, struct ppm_error *error)
{
    static struct service service;
    struct settings *settings = &service.settings;
    if (settings_read(count, arguments, settings, error) != PPM_OK ||
        settings_check(settings, error) != PPM_OK)
        ;
    else if (settings->print_config)
        settings_print(settings, stdout, error);
    else if (settings->check_config && check_variables(error) != PPM_OK)
        ;
    else if (settings->check_config)
        loader_check(settings, error);
    else
        run_service(&service, count, arguments, error);
    settings_release(settings);
    return error->status;
}

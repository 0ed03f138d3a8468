/* loader.c - the thread that loads: what the settings name at the start, and again for each SIGHUP.
 * The thread that hears signals never waits for it. */
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/commands/progress.h"
#include "server/observe/log.h"
#include "server/service/serve.h"
#include "server/service/service_manager.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    struct service *service;
    int count;
    char *const *arguments;
    pthread_t thread;
    struct ppm_error error; /* of the load at the start, and its report */
    struct warm_up_report report;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool is_wanted, is_busy, is_ending;
};

/* Keys and models of one configuration. */
struct loaded {
    struct http_access *access;
    struct registry *registry;
    struct warm_up_report report;
};

static void warn(const char *text)
{
    log_line(LOG_WARN, "%s", text);
}

static struct http_access *read_access(const struct settings *settings, struct ppm_error *error)
{
    const struct http_access_files files = {.keys = settings->keys_file,
                                            .tls_certificate = settings->tls_certificate,
                                            .tls_key = settings->tls_key};
    return http_access_read(&files, warn, error);
}

/* Ready to serve. Abandoned when the service is about to leave. */
static enum ppm_status prepare(struct service *service, const struct settings *settings,
                               struct loaded *ret_loaded, struct ppm_error *error)
{
    struct ppm_progress progress = progress_start("loading");
    progress.is_cancelled = service_is_leaving;
    progress.context = service;
    struct loaded loaded = {.access = read_access(settings, error)};
    if (loaded.access)
        loaded.registry = registry_load(settings, &progress, error);
    progress_end();
    if (loaded.registry &&
        warm_up(loaded.registry, service->executor, &progress, &loaded.report, error) == PPM_OK) {
        *ret_loaded = loaded;
        return PPM_OK;
    }
    registry_release(loaded.registry);
    http_access_free(loaded.access);
    return error->status;
}

enum ppm_status loader_check(const struct settings *settings, struct ppm_error *error)
{
    const struct ppm_progress progress = progress_start("loading");
    struct http_access *access = read_access(settings, error);
    struct registry *registry = access ? registry_load(settings, &progress, error) : NULL;
    progress_end();
    memory_set_max(settings->memory_max_bytes);
    if (registry && warm_up_check(registry, (int)settings_threads(settings), error) == PPM_OK)
        printf("configuration is good: %zu model%s\n", registry_count(registry),
               ppm_plural(registry_count(registry)));
    registry_release(registry);
    http_access_free(access);
    return error->status;
}

/* ---- the start, and reloads ---- */

static void load_first(struct loader *loader)
{
    struct loaded loaded = {0};
    if (prepare(loader->service, &loader->service->settings, &loaded, &loader->error) != PPM_OK)
        return;
    http_access_use(loaded.access);
    service_exchange_registry(loaded.registry);
    loader->report = loaded.report;
}

static enum ppm_status check_reload(const struct service *service, const struct settings *settings,
                                    struct ppm_error *error)
{
    if (!*settings->tls_certificate == !*service->settings.tls_certificate)
        return settings_check(settings, error);
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "tls_certificate: turning TLS on or off needs a restart");
}

static void take_over(const struct settings *settings, const struct loaded *loaded)
{
    http_access_use(loaded->access);
    service_exchange_registry(loaded->registry);
    log_set_format((enum log_format)settings->log_format);
    log_set_level((enum log_level)settings->log_level);
    log_line(LOG_INFO,
             "reloaded: %zu model%s, %zu shape%s warm in %.1f ms, keys and certificate; other "
             "settings need a restart",
             registry_count(loaded->registry), ppm_plural(registry_count(loaded->registry)),
             loaded->report.shapes, ppm_plural(loaded->report.shapes), loaded->report.ms);
}

/* The new configuration as a whole, or the old one and the reason why. */
static void reload(struct loader *loader)
{
    struct service *service = loader->service;
    struct ppm_error error = {0};
    struct settings settings;
    struct loaded loaded = {0};
    service_manager_notify("RELOADING=1\nMONOTONIC_USEC=%.0f\nSTATUS=reloading",
                           1e6 * clock_now_s());
    service_begin_change();
    if (settings_read(loader->count, loader->arguments, &settings, &error) == PPM_OK &&
        check_reload(service, &settings, &error) == PPM_OK &&
        prepare(service, &settings, &loaded, &error) == PPM_OK)
        take_over(&settings, &loaded);
    else if (error.status == PPM_CANCELLED)
        log_line(LOG_INFO, "not reloaded, the server is stopping");
    else
        log_line(LOG_ERROR, "not reloaded, still serving the old models: %s", error.text);
    settings_release(&settings);
    service_end_change();
    if (!service_is_leaving(service))
        service_manager_notify(
            "READY=1\nSTATUS=serving%s",
            error.status == PPM_OK ? "" : "; the last reload failed, the log says why");
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct loader *loader = context;
    load_first(loader);
    pthread_mutex_lock(&loader->mutex);
    loader->is_busy = false;
    while (!loader->is_ending) {
        if (!loader->is_wanted || service_is_leaving(loader->service)) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        loader->is_wanted = false;
        loader->is_busy = true;
        pthread_mutex_unlock(&loader->mutex);
        reload(loader);
        pthread_mutex_lock(&loader->mutex);
        loader->is_busy = false;
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

struct loader *loader_start(struct service *service, int count, char *const *arguments,
                            struct ppm_error *error)
{
    struct loader *loader = calloc(1, sizeof *loader);
    if (!loader) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    loader->service = service;
    loader->count = count;
    loader->arguments = arguments;
    loader->is_busy = true;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    const int result = pthread_create(&loader->thread, NULL, run, loader);
    if (result == 0)
        return loader;
    ppm_fail(error, PPM_NO_MEMORY, "cannot start the loading thread: %s", strerror(result));
    free(loader);
    return NULL;
}

bool loader_is_busy(struct loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    const bool is_busy = loader->is_busy;
    pthread_mutex_unlock(&loader->mutex);
    return is_busy;
}

enum ppm_status loader_result(const struct loader *loader, struct warm_up_report *ret_report,
                              struct ppm_error *error)
{
    if (loader->error.status != PPM_OK)
        return ppm_fail(error, loader->error.status, "%s", loader->error.text);
    *ret_report = loader->report;
    return PPM_OK;
}

void loader_reload(struct loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    loader->is_wanted = true;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
}

void loader_stop(struct loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->mutex);
    loader->is_ending = true;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    pthread_join(loader->thread, NULL);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    free(loader);
}

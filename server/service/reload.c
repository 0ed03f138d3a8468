/* reload.c - see reload.h. */
#include "server/service/reload.h"
#include "server/base/clock.h"
#include "server/config/settings_check.h"
#include "server/config/settings_waiting.h"
#include "server/observe/log.h"
#include "server/service/configuration.h"
#include "server/service/observe.h"
#include "server/service/service_manager.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct reloader {
    struct app *app;
    int count;
    char *const *arguments;
    pthread_t thread;
    struct ppm_error error; /* of the load at the start, and its report */
    struct warm_up_report report;
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t changed;
    bool is_wanted, is_busy, is_ending;
};

/* ---- the start, and reloads ---- */

static void load_first(struct reloader *reloader)
{
    struct loaded loaded = {0};
    struct app *app = reloader->app;
    if (configuration_load(app, &app->settings, &loaded, &reloader->error) != PPM_OK)
        return;
    http_access_use(loaded.access);
    served_exchange(&app->served, loaded.registry);
    reloader->report = loaded.report;
}

static enum ppm_status check_reload(const struct app *app, const struct settings *settings,
                                    struct ppm_error *error)
{
    if (!*settings->http.tls_certificate == !*app->settings.http.tls_certificate)
        return settings_check(settings, error);
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "tls_certificate: turning TLS on or off needs a restart");
}

static void warn_of_waiting(const struct settings *in_use, const struct settings *wanted)
{
    enum { TEXT_BYTES = 1536 };
    char text[TEXT_BYTES];
    if (settings_waiting(in_use, wanted, text, sizeof text) > 0)
        log_line(LOG_WARN, "waiting for a restart: %s", text);
}

static void take_over(struct app *app, const struct settings *settings, const struct loaded *loaded)
{
    http_access_use(loaded->access);
    served_exchange(&app->served, loaded->registry);
    observe_configure(settings);
    log_line(LOG_INFO, "reloaded: %zu model%s, %zu shape%s warm in %.1f ms, keys and certificate",
             registry_count(loaded->registry), ppm_plural(registry_count(loaded->registry)),
             loaded->report.shapes, ppm_plural(loaded->report.shapes), loaded->report.ms);
    warn_of_waiting(&app->settings, settings);
}

/* Installs the whole new configuration, or keeps the old one and logs why. */
static void reload(struct reloader *reloader)
{
    struct app *app = reloader->app;
    struct ppm_error error = {0};
    struct settings settings;
    struct loaded loaded = {0};
    service_manager_notify("RELOADING=1\nMONOTONIC_USEC=%.0f\nSTATUS=reloading",
                           1e6 * clock_now_s());
    served_begin_change(&app->served);
    if (settings_read(reloader->count, reloader->arguments, &settings, &error) == PPM_OK &&
        check_reload(app, &settings, &error) == PPM_OK &&
        configuration_load(app, &settings, &loaded, &error) == PPM_OK)
        take_over(app, &settings, &loaded);
    else if (error.status == PPM_CANCELLED)
        log_line(LOG_INFO, "not reloaded, the server is stopping");
    else
        log_line(LOG_ERROR, "not reloaded, still serving the old models: %s", error.text);
    settings_release(&settings);
    served_end_change(&app->served);
    if (!atomic_load(&app->is_leaving))
        service_manager_notify(
            "READY=1\nSTATUS=serving%s",
            error.status == PPM_OK ? "" : "; the last reload failed, the log says why");
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct reloader *reloader = context;
    load_first(reloader);
    pthread_mutex_lock(&reloader->mutex);
    reloader->is_busy = false;
    while (!reloader->is_ending) {
        if (!reloader->is_wanted || atomic_load(&reloader->app->is_leaving)) {
            pthread_cond_wait(&reloader->changed, &reloader->mutex);
            continue;
        }
        reloader->is_wanted = false;
        reloader->is_busy = true;
        pthread_mutex_unlock(&reloader->mutex);
        reload(reloader);
        pthread_mutex_lock(&reloader->mutex);
        reloader->is_busy = false;
    }
    pthread_mutex_unlock(&reloader->mutex);
    return NULL;
}

struct reloader *reload_start(struct app *app, int count, char *const *arguments,
                              struct ppm_error *error)
{
    struct reloader *reloader = calloc(1, sizeof *reloader);
    if (!reloader) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    reloader->app = app;
    reloader->count = count;
    reloader->arguments = arguments;
    reloader->is_busy = true;
    pthread_mutex_init(&reloader->mutex, NULL);
    pthread_cond_init(&reloader->changed, NULL);
    const int result = pthread_create(&reloader->thread, NULL, run, reloader);
    if (result == 0)
        return reloader;
    ppm_fail(error, PPM_NO_MEMORY, "cannot start the loading thread: %s", strerror(result));
    free(reloader);
    return NULL;
}

bool reload_is_busy(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->mutex);
    const bool is_busy = reloader->is_busy;
    pthread_mutex_unlock(&reloader->mutex);
    return is_busy;
}

enum ppm_status reload_first_result(const struct reloader *reloader,
                                    struct warm_up_report *ret_report, struct ppm_error *error)
{
    if (reloader->error.status != PPM_OK)
        return ppm_fail(error, reloader->error.status, "%s", reloader->error.text);
    *ret_report = reloader->report;
    return PPM_OK;
}

void reload_request(struct reloader *reloader)
{
    pthread_mutex_lock(&reloader->mutex);
    reloader->is_wanted = true;
    pthread_cond_signal(&reloader->changed);
    pthread_mutex_unlock(&reloader->mutex);
}

void reload_stop(struct reloader *reloader)
{
    if (!reloader)
        return;
    pthread_mutex_lock(&reloader->mutex);
    reloader->is_ending = true;
    pthread_cond_signal(&reloader->changed);
    pthread_mutex_unlock(&reloader->mutex);
    pthread_join(reloader->thread, NULL);
    pthread_cond_destroy(&reloader->changed);
    pthread_mutex_destroy(&reloader->mutex);
    free(reloader);
}

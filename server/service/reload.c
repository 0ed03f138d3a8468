/* reload.c - see reload.h. */
#include "server/service/reload.h"
#include "server/base/clock.h"
#include "server/config/settings_check.h"
#include "server/config/settings_waiting.h"
#include "server/models/model_snapshot.h"
#include "server/observe/log.h"
#include "server/service/configuration.h"
#include "server/service/observe.h"
#include "server/service/service_manager.h"

#include <errno.h>
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
    /* Of the thread alone: the last settings that could be read, and the models' files before the
     * last load and at the last look. NULL: they were not looked at. */
    struct settings own;
    const struct settings *settings; /* own, or app's at first */
    struct model_snapshot *loaded, *seen;
    pthread_mutex_t mutex; /* guards the fields below */
    pthread_cond_t changed;
    bool is_wanted, is_busy, is_ending;
};

/* ---- the models' files ---- */

static struct model_snapshot *look(const struct reloader *reloader)
{
    return model_snapshot_take(reloader->settings,
                               reloader->seen ? reloader->seen : reloader->loaded);
}

/* What is loaded next is what these settings name, as it is now. */
static void remember_files(struct reloader *reloader)
{
    struct model_snapshot *now = reloader->settings->watch_models_s > 0 ? look(reloader) : NULL;
    model_snapshot_free(reloader->loaded);
    reloader->loaded = now;
}

/* Whether files differ from those of the last load, and have not changed since the last look: they
 * may be half written. */
static bool find_change(struct reloader *reloader)
{
    struct model_snapshot *now = look(reloader);
    const char *path = now ? model_snapshot_difference(reloader->loaded, now) : NULL;
    const bool is_stable = reloader->seen && !model_snapshot_difference(reloader->seen, now);
    if (path && is_stable)
        log_line(LOG_INFO, "reloading: %s has changed", path);
    model_snapshot_free(reloader->seen);
    reloader->seen = now;
    return path && is_stable;
}

/* Fails if files have changed since remember_files: a part of each may be loaded. */
static enum ppm_status check_files(const struct reloader *reloader, struct ppm_error *error)
{
    struct model_snapshot *now = look(reloader);
    const char *path = now ? model_snapshot_difference(reloader->loaded, now) : NULL;
    if (path)
        ppm_fail(error, PPM_IO,
                 "%s: changed while it was loaded; it is loaded again when it no "
                 "longer changes",
                 path);
    model_snapshot_free(now);
    return error->status;
}

/* ---- the start, and reloads ---- */

static void load_first(struct reloader *reloader)
{
    struct loaded loaded = {0};
    struct app *app = reloader->app;
    remember_files(reloader);
    if (configuration_load(app, reloader->settings, &loaded, &reloader->error) != PPM_OK)
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

/* Reads the settings and keeps them, if they are good. */
static enum ppm_status read_settings(struct reloader *reloader, struct ppm_error *error)
{
    struct settings settings;
    if (settings_read(reloader->count, reloader->arguments, &settings, error) != PPM_OK ||
        check_reload(reloader->app, &settings, error) != PPM_OK) {
        settings_release(&settings);
        return error->status;
    }
    settings_release(&reloader->own);
    reloader->own = settings;
    reloader->settings = &reloader->own;
    return PPM_OK;
}

static enum ppm_status load_again(struct reloader *reloader, struct loaded *ret_loaded,
                                  struct ppm_error *error)
{
    struct loaded loaded = {0};
    read_settings(reloader, error);
    remember_files(reloader);
    if (error->status != PPM_OK ||
        configuration_load(reloader->app, reloader->settings, &loaded, error) != PPM_OK)
        return error->status;
    if (reloader->settings->watch_models_s == 0 || check_files(reloader, error) == PPM_OK) {
        *ret_loaded = loaded;
        return PPM_OK;
    }
    registry_release(loaded.registry);
    http_access_free(loaded.access);
    return error->status;
}

/* Installs the whole new configuration, or keeps the old one and logs why. */
static void reload(struct reloader *reloader)
{
    struct app *app = reloader->app;
    struct ppm_error error = {0};
    struct loaded loaded = {0};
    service_manager_notify("RELOADING=1\nMONOTONIC_USEC=%.0f\nSTATUS=reloading",
                           1e6 * clock_now_s());
    served_begin_change(&app->served);
    if (load_again(reloader, &loaded, &error) == PPM_OK)
        take_over(app, reloader->settings, &loaded);
    else if (error.status == PPM_CANCELLED)
        log_line(LOG_INFO, "not reloaded, the server is stopping");
    else
        log_line(LOG_ERROR, "not reloaded, still serving the old models: %s", error.text);
    served_end_change(&app->served);
    if (!atomic_load(&app->is_leaving))
        service_manager_notify(
            "READY=1\nSTATUS=serving%s",
            error.status == PPM_OK ? "" : "; the last reload failed, the log says why");
}

/* ---- the thread ---- */

/* With the mutex: waits for a change of what it guards, or until it is time to look at the models'
 * files, then true. */
static bool wait_for_look(struct reloader *reloader)
{
    struct timespec time;
    if (reloader->settings->watch_models_s == 0 || atomic_load(&reloader->app->is_leaving)) {
        pthread_cond_wait(&reloader->changed, &reloader->mutex);
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)reloader->settings->watch_models_s;
    return pthread_cond_timedwait(&reloader->changed, &reloader->mutex, &time) == ETIMEDOUT &&
           !atomic_load(&reloader->app->is_leaving);
}

/* Looks without the mutex. */
static void look_for_changes(struct reloader *reloader)
{
    pthread_mutex_unlock(&reloader->mutex);
    const bool is_changed = find_change(reloader);
    pthread_mutex_lock(&reloader->mutex);
    reloader->is_wanted = reloader->is_wanted || is_changed;
}

static void *run(void *context)
{
    struct reloader *reloader = context;
    load_first(reloader);
    pthread_mutex_lock(&reloader->mutex);
    reloader->is_busy = false;
    while (!reloader->is_ending) {
        if (!reloader->is_wanted || atomic_load(&reloader->app->is_leaving)) {
            if (wait_for_look(reloader))
                look_for_changes(reloader);
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
    reloader->settings = &app->settings;
    reloader->count = count;
    reloader->arguments = arguments;
    reloader->is_busy = true;
    pthread_mutex_init(&reloader->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&reloader->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
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
    settings_release(&reloader->own);
    model_snapshot_free(reloader->loaded);
    model_snapshot_free(reloader->seen);
    free(reloader);
}

/* configuration.c - see configuration.h. */
#include "server/service/configuration.h"
#include "server/base/memory.h"
#include "server/observe/log.h"
#include "server/observe/progress.h"

#include <stdio.h>

static void warn(const char *text)
{
    log_line(LOG_WARN, "%s", text);
}

static struct http_access *read_access(const struct settings *settings, struct ppm_error *error)
{
    const struct http_access_files files = {.keys = settings->http.keys_file,
                                            .tls_certificate = settings->http.tls_certificate,
                                            .tls_key = settings->http.tls_key};
    return http_access_read(&files, warn, error);
}

static bool is_leaving(void *app)
{
    return atomic_load(&((const struct app *)app)->is_leaving);
}

enum ppm_status configuration_load(struct app *app, const struct settings *settings,
                                   struct loaded *ret_loaded, struct ppm_error *error)
{
    struct ppm_progress progress = progress_start("loading");
    progress.is_cancelled = is_leaving;
    progress.context = app;
    struct loaded loaded = {.access = read_access(settings, error)};
    if (loaded.access)
        loaded.registry = registry_load(settings, &progress, error);
    progress_end();
    if (loaded.registry &&
        warm_up(loaded.registry, app->executor, &progress, &loaded.report, error) == PPM_OK) {
        *ret_loaded = loaded;
        return PPM_OK;
    }
    registry_release(loaded.registry);
    http_access_free(loaded.access);
    return error->status;
}

enum ppm_status configuration_check(const struct settings *settings, struct ppm_error *error)
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

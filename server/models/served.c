/* served.c - the set of models being served, and how it changes. */
#include "server/models/warm_up.h"
#include "server/observe/log.h"
#include "server/service/serve.h"

#include <pthread.h>
#include <string.h>

/* The set being served: a change exchanges it under the lock. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct registry *current_registry;

/* Held from the look at the old set to the exchange. */
static pthread_mutex_t change_mutex = PTHREAD_MUTEX_INITIALIZER;

struct registry *service_registry(struct service *service)
{
    (void)service;
    pthread_mutex_lock(&registry_mutex);
    struct registry *registry = registry_hold(current_registry);
    pthread_mutex_unlock(&registry_mutex);
    return registry;
}

void service_exchange_registry(struct registry *registry)
{
    pthread_mutex_lock(&registry_mutex);
    struct registry *old = current_registry;
    current_registry = registry;
    pthread_mutex_unlock(&registry_mutex);
    for (size_t i = 0; registry && i < registry_count(registry); i++)
        metrics_add_model(registry_entry(registry, i).name);
    registry_release(old);
}

void service_begin_change(void)
{
    pthread_mutex_lock(&change_mutex);
}

void service_end_change(void)
{
    pthread_mutex_unlock(&change_mutex);
}

bool service_is_leaving(void *service)
{
    return atomic_load(&((const struct service *)service)->is_leaving);
}

static struct ppm_model *load_again(struct service *service, const struct registry_entry *entry,
                                    const struct ppm_progress *progress, struct ppm_error *error)
{
    struct ppm_model_info info;
    struct ppm_model *model = ppm_model_load(entry->path, progress, error);
    if (!model)
        return NULL;
    ppm_model_info(model, &info);
    if (strcmp(info.name, entry->name) != 0)
        ppm_fail(error, PPM_BAD_CONFIG, "%s: name: found \"%s\", expected \"%s\", its name so far",
                 entry->path, info.name, entry->name);
    if (error->status == PPM_OK &&
        warm_up_model(model, service->executor, progress, error) == PPM_OK)
        return model;
    ppm_model_free(model);
    return NULL;
}

/* The set with another state of one model. NULL: that is not to be had. */
static struct registry *change_model(struct service *service, struct registry *registry,
                                     const char *name, bool is_loaded,
                                     const struct ppm_progress *progress, struct ppm_error *error)
{
    const size_t index = registry_index(registry, name);
    struct ppm_model *model = NULL;
    if (index == registry_count(registry)) {
        ppm_fail(error, PPM_UNFIT, "no model \"%.64s\" is configured", name);
        return NULL;
    }
    const struct registry_entry entry = registry_entry(registry, index);
    if (is_loaded && !(model = load_again(service, &entry, progress, error)))
        return NULL;
    return registry_with(registry, index, model, error);
}

enum ppm_status service_change_model(struct service *service, const char *name, bool is_loaded,
                                     const struct ppm_progress *progress, struct ppm_error *error)
{
    const char *what = is_loaded ? "loaded" : "unloaded";
    service_begin_change();
    struct registry *registry = service_registry(service);
    struct registry *changed = change_model(service, registry, name, is_loaded, progress, error);
    if (changed) {
        service_exchange_registry(changed);
        log_line(LOG_INFO, "%s by request: %s", what, name);
    } else {
        log_line(LOG_ERROR, "not %s: %s", what, error->text);
    }
    registry_release(registry);
    service_end_change();
    return error->status;
}

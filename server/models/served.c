/* served.c - see served.h. */
#include "server/models/served.h"
#include "server/models/warm_up.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"

#include <string.h>

struct registry *served_hold(struct served *served)
{
    pthread_mutex_lock(&served->mutex);
    struct registry *registry = registry_hold(served->registry);
    pthread_mutex_unlock(&served->mutex);
    return registry;
}

void served_exchange(struct served *served, struct registry *registry)
{
    pthread_mutex_lock(&served->mutex);
    struct registry *old = served->registry;
    served->registry = registry;
    pthread_mutex_unlock(&served->mutex);
    for (size_t i = 0; registry && i < registry_count(registry); i++)
        metrics_add_model(registry_entry(registry, i).name);
    registry_release(old);
}

void served_begin_change(struct served *served)
{
    pthread_mutex_lock(&served->change_mutex);
}

void served_end_change(struct served *served)
{
    pthread_mutex_unlock(&served->change_mutex);
}

static struct ppm_model *load_again(const struct registry_entry *entry, struct executor *executor,
                                    const struct ppm_progress *progress, struct ppm_error *error)
{
    struct ppm_model_info info;
    struct ppm_model *model = ppm_model_load(entry->path, progress, error);
    if (!model)
        return NULL;
    ppm_model_info(model, &info);
    if (strcmp(info.name, entry->name) != 0)
        ppm_fail(error, PPM_BAD_CONFIG,
                 "%s: name: found \"%s\", expected \"%s\", the name it is served under",
                 entry->path, info.name, entry->name);
    if (error->status == PPM_OK && warm_up_model(model, executor, progress, error) == PPM_OK)
        return model;
    ppm_model_free(model);
    return NULL;
}

/* The set with one model loaded anew or unloaded; NULL on failure. */
static struct registry *change_model(struct registry *registry, struct executor *executor,
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
    if (is_loaded && !(model = load_again(&entry, executor, progress, error)))
        return NULL;
    return registry_with(registry, index, model, error);
}

enum ppm_status served_change_model(struct served *served, struct executor *executor,
                                    const char *name, bool is_loaded,
                                    const struct ppm_progress *progress, struct ppm_error *error)
{
    const char *what = is_loaded ? "loaded" : "unloaded";
    served_begin_change(served);
    struct registry *registry = served_hold(served);
    struct registry *changed = change_model(registry, executor, name, is_loaded, progress, error);
    if (changed) {
        served_exchange(served, changed);
        log_line(LOG_INFO, "%s by request: %s", what, name);
    } else {
        log_line(LOG_ERROR, "not %s: %s", what, error->text);
    }
    registry_release(registry);
    served_end_change(served);
    return error->status;
}

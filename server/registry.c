/* registry.c - see registry.h. */
#include "server/registry.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct registry {
    atomic_size_t holders;
    size_t count;
    struct ppm_model *models[SETTINGS_MODELS_MAX];
    pthread_mutex_t engines_mutex;
    struct ppm_engine **engines; /* those that nobody has taken: a stack */
    size_t engine_count;
};

static const char *name_of(const struct ppm_model *model)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    return info.name;
}

static enum ppm_status add_model(struct registry *registry, const char *path,
                                 const struct ppm_progress *progress, struct ppm_error *error)
{
    struct ppm_model *model = ppm_model_load(path, progress, error);
    if (!model)
        return error->status;
    if (registry->count > 0 && registry_find(registry, name_of(model))) {
        ppm_fail(error, PPM_BAD_CONFIG,
                 "%s: name: found \"%s\", which another model has, expected one of its own", path,
                 name_of(model));
        ppm_model_free(model);
        return error->status;
    }
    registry->models[registry->count++] = model;
    return PPM_OK;
}

static enum ppm_status create_engines(struct registry *registry, size_t count,
                                      struct ppm_error *error)
{
    registry->engines = calloc(count, sizeof(struct ppm_engine *));
    if (!registry->engines)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    while (registry->engine_count < count) {
        struct ppm_engine *engine = ppm_engine_create(error);
        if (!engine)
            return error->status;
        registry->engines[registry->engine_count++] = engine;
    }
    return PPM_OK;
}

struct registry *registry_load(const struct settings *settings, size_t engine_count,
                               const struct ppm_progress *progress, struct ppm_error *error)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    atomic_init(&registry->holders, 1);
    pthread_mutex_init(&registry->engines_mutex, NULL);
    create_engines(registry, engine_count, error);
    for (size_t i = 0; i < settings->model_count && error->status == PPM_OK; i++) {
        char path[2 * SETTINGS_TEXT_BYTES];
        settings_model_path(settings, i, path, sizeof path);
        add_model(registry, path, progress, error);
    }
    if (error->status == PPM_OK)
        return registry;
    registry_release(registry);
    return NULL;
}

struct registry *registry_hold(struct registry *registry)
{
    atomic_fetch_add(&registry->holders, 1);
    return registry;
}

void registry_release(struct registry *registry)
{
    if (!registry || atomic_fetch_sub(&registry->holders, 1) > 1)
        return;
    for (size_t i = 0; i < registry->count; i++)
        ppm_model_free(registry->models[i]);
    for (size_t i = 0; i < registry->engine_count; i++)
        ppm_engine_free(registry->engines[i]);
    free(registry->engines);
    pthread_mutex_destroy(&registry->engines_mutex);
    free(registry);
}

struct ppm_engine *registry_take_engine(struct registry *registry)
{
    pthread_mutex_lock(&registry->engines_mutex);
    assert(registry->engine_count > 0);
    struct ppm_engine *engine = registry->engines[--registry->engine_count];
    pthread_mutex_unlock(&registry->engines_mutex);
    return engine;
}

void registry_give_engine(struct registry *registry, struct ppm_engine *engine)
{
    pthread_mutex_lock(&registry->engines_mutex);
    registry->engines[registry->engine_count++] = engine;
    pthread_mutex_unlock(&registry->engines_mutex);
}

struct ppm_engine **registry_engines(struct registry *registry, size_t *ret_count)
{
    *ret_count = registry->engine_count;
    return registry->engines;
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

const struct ppm_model *registry_model(const struct registry *registry, size_t index)
{
    return registry->models[index];
}

const struct ppm_model *registry_find(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++)
        if (!*name || strcmp(name, name_of(registry->models[i])) == 0)
            return registry->models[i];
    return NULL;
}

void registry_names(const struct registry *registry, char *ret_names, size_t ret_bytes)
{
    size_t at = 0;
    ret_names[0] = '\0';
    for (size_t i = 0; i < registry->count && at < ret_bytes; i++)
        at += (size_t)snprintf(ret_names + at, ret_bytes - at, "%s%s", i ? ", " : "",
                               name_of(registry->models[i]));
}

/* registry.c - see registry.h. */
#include "server/models/registry.h"
#include "server/models/model_paths.h"
#include "server/observe/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry, shared by sets. */
struct entry {
    atomic_size_t holders;
    char *path, *name;
    struct ppm_model *model; /* NULL: not loaded */
};

struct registry {
    atomic_size_t holders;
    size_t count;
    struct entry *entries[SETTINGS_MODELS_MAX];
};

/* ---- entries ---- */

static void release_entry(struct entry *entry)
{
    if (!entry || atomic_fetch_sub(&entry->holders, 1) > 1)
        return;
    ppm_model_free(entry->model);
    free(entry->path);
    free(entry->name);
    free(entry);
}

/* Entries that nothing reads cost nothing, but may be a name that was mistyped. bfloat16 that saves
 * no time only loses precision; this is no error, as another program may have disturbed the
 * measurement. */
static void warn_of_model(const char *path, const struct ppm_model *model)
{
    static const double worthwhile = 0.8;
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    if (*info.unused)
        log_line(LOG_WARN, "%s: network: found what nothing reads, expected none: %s", path,
                 info.unused);
    if (info.compute_share > worthwhile)
        log_line(LOG_WARN,
                 "%s: compute: bfloat16 products take %.2f of float32's time here (%s kernels), "
                 "expected at most %.1f; \"float32\" is more precise",
                 path, info.compute_share, info.isa, worthwhile);
}

/* Takes model over, even on failure. */
static struct entry *create_entry(const char *path, const char *name, struct ppm_model *model,
                                  struct ppm_error *error)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        ppm_model_free(model);
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    atomic_init(&entry->holders, 1);
    entry->model = model;
    entry->path = strdup(path);
    entry->name = strdup(name);
    if (entry->path && entry->name) {
        if (model)
            warn_of_model(path, model);
        return entry;
    }
    release_entry(entry);
    ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    return NULL;
}

static enum ppm_status add_model(struct registry *registry, const char *path,
                                 const struct ppm_progress *progress, struct ppm_error *error)
{
    struct ppm_model_info info;
    struct ppm_model *model = ppm_model_load(path, progress, error);
    if (!model)
        return error->status;
    ppm_model_info(model, &info);
    if (registry_index(registry, info.name) < registry->count) {
        ppm_fail(error, PPM_BAD_CONFIG,
                 "%s: name: found \"%s\", which another model has, expected a unique name", path,
                 info.name);
        ppm_model_free(model);
        return error->status;
    }
    struct entry *entry = create_entry(path, info.name, model, error);
    if (entry)
        registry->entries[registry->count++] = entry;
    return error->status;
}

/* Whether to load it: a folder may have other files of JSON. */
static bool is_wanted(const struct model_path *path, struct ppm_error *error)
{
    struct ppm_model_files files;
    if (!path->folder)
        return true;
    if (ppm_model_files(path->path, &files, error) != PPM_OK)
        return false;
    if (!files.is_model)
        log_line(LOG_WARN, "%s: found neither \"input\" nor \"inputs\": no model, left out",
                 path->path);
    return files.is_model;
}

/* ---- sets ---- */

static struct registry *create_registry(struct ppm_error *error)
{
    struct registry *registry = calloc(1, sizeof *registry);
    if (registry)
        atomic_init(&registry->holders, 1);
    else
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    return registry;
}

struct registry *registry_load(const struct settings *settings, const struct ppm_progress *progress,
                               struct ppm_error *error)
{
    struct model_paths paths;
    struct registry *registry = create_registry(error);
    if (!registry)
        return NULL;
    model_paths_find(settings, &paths, error);
    for (size_t i = 0; i < paths.count && error->status == PPM_OK; i++)
        if (is_wanted(&paths.paths[i], error))
            add_model(registry, paths.paths[i].path, progress, error);
    if (error->status == PPM_OK && registry->count == 0)
        ppm_fail(error, PPM_BAD_CONFIG,
                 "%s: found no model among its *.json, expected at least one",
                 paths.paths[0].folder);
    model_paths_release(&paths);
    if (error->status == PPM_OK)
        return registry;
    registry_release(registry);
    return NULL;
}

struct registry *registry_with(const struct registry *registry, size_t index,
                               struct ppm_model *model, struct ppm_error *error)
{
    const struct entry *old = registry->entries[index];
    struct entry *entry = create_entry(old->path, old->name, model, error);
    if (!entry)
        return NULL;
    struct registry *changed = create_registry(error);
    if (!changed) {
        release_entry(entry);
        return NULL;
    }
    changed->count = registry->count;
    for (size_t i = 0; i < registry->count; i++) {
        changed->entries[i] = i == index ? entry : registry->entries[i];
        if (i != index)
            atomic_fetch_add(&registry->entries[i]->holders, 1);
    }
    return changed;
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
        release_entry(registry->entries[i]);
    free(registry);
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

struct registry_entry registry_entry(const struct registry *registry, size_t index)
{
    const struct entry *entry = registry->entries[index];
    return (struct registry_entry){entry->path, entry->name, entry->model};
}

size_t registry_loaded(const struct registry *registry)
{
    size_t loaded = 0;
    for (size_t i = 0; i < registry->count; i++)
        loaded += registry->entries[i]->model ? 1 : 0;
    return loaded;
}

size_t registry_index(const struct registry *registry, const char *name)
{
    size_t index = 0;
    while (index < registry->count && strcmp(registry->entries[index]->name, name) != 0)
        index++;
    return index;
}

const struct ppm_model *registry_find(const struct registry *registry, const char *name)
{
    const size_t index = *name ? registry_index(registry, name) : 0;
    return index < registry->count ? registry->entries[index]->model : NULL;
}

void registry_names(const struct registry *registry, char *ret_names, size_t ret_bytes)
{
    size_t at = 0;
    ret_names[0] = '\0';
    for (size_t i = 0; i < registry->count && at < ret_bytes; i++)
        if (registry->entries[i]->model)
            at += (size_t)snprintf(ret_names + at, ret_bytes - at, "%s%s", at ? ", " : "",
                                   registry->entries[i]->name);
}

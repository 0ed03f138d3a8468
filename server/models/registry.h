/*
 * registry.h - an immutable set of models. A reload replaces the whole set; a set with one model
 * loaded or unloaded shares the others.
 *
 * Holding a set keeps all its models alive. A request holds the set that it began with.
 */
#ifndef PPM_SERVER_MODELS_REGISTRY_H
#define PPM_SERVER_MODELS_REGISTRY_H

#include "server/config/settings.h"

struct registry; /* counts its holders */

/* Loads all models that settings name; the caller releases the set. NULL on failure. */
struct registry *registry_load(const struct settings *settings, const struct ppm_progress *progress,
                               struct ppm_error *error);
struct registry *registry_hold(struct registry *registry); /* returns registry */
void registry_release(struct registry *registry);

/* A configured model. */
struct registry_entry {
    const char *path, *name;
    const struct ppm_model *model; /* NULL: not loaded */
};

size_t registry_count(const struct registry *registry);
size_t registry_loaded(const struct registry *registry);                  /* loaded models */
size_t registry_index(const struct registry *registry, const char *name); /* or registry_count */
struct registry_entry registry_entry(const struct registry *registry, size_t index);

/* The model of that name; that of the first entry if name is empty. NULL: unknown or not loaded. */
const struct ppm_model *registry_find(const struct registry *registry, const char *name);

/* A copy of the set with another model at index, or none if model is NULL; the caller releases it.
 * Takes model over, and frees it on failure: NULL and PPM_NO_MEMORY. */
struct registry *registry_with(const struct registry *registry, size_t index,
                               struct ppm_model *model, struct ppm_error *error);

/* The names of the loaded models, "a, b, c", cut to fit. */
void registry_names(const struct registry *registry, char *ret_names, size_t ret_bytes);

#endif

/*
 * registry.h - the models being served: an immutable set that a reload replaces as a whole. A
 * set with one model more or less shares the others.
 *
 * Who holds a set keeps every model in it alive; a request holds the set it was routed with.
 */
#ifndef PPM_SERVER_MODELS_REGISTRY_H
#define PPM_SERVER_MODELS_REGISTRY_H

#include "server/config/settings.h"

struct registry; /* counts its holders */

/* Loads every model that settings name. NULL on error; the caller releases the set. */
struct registry *registry_load(const struct settings *settings, const struct ppm_progress *progress,
                               struct ppm_error *error);
struct registry *registry_hold(struct registry *registry); /* returns registry */
void registry_release(struct registry *registry);

/* A configured model. */
struct registry_entry {
    const char *path, *name;
    const struct ppm_model *model; /* NULL: not loaded at present */
};

size_t registry_count(const struct registry *registry);
size_t registry_loaded(const struct registry *registry);                  /* those with a model */
size_t registry_index(const struct registry *registry, const char *name); /* or registry_count */
struct registry_entry registry_entry(const struct registry *registry, size_t index);

/* The model of that name, or NULL; an empty name is the first entry's. */
const struct ppm_model *registry_find(const struct registry *registry, const char *name);

/* The same set, but for the model of one entry, which is taken over; NULL: that one is not loaded.
 * NULL and PPM_NO_MEMORY on failure, and then model is freed. The caller releases the new set. */
struct registry *registry_with(const struct registry *registry, size_t index,
                               struct ppm_model *model, struct ppm_error *error);

/* "a, b, c", those that are loaded, cut to fit */
void registry_names(const struct registry *registry, char *ret_names, size_t ret_bytes);

#endif

/* served.h - the set of models being served, and how it changes while requests hold it. */
#ifndef PPM_SERVER_MODELS_SERVED_H
#define PPM_SERVER_MODELS_SERVED_H

#include "server/executor.h"
#include "server/models/registry.h"

#include <pthread.h>

/* Any thread may call the functions below. */
struct served {
    pthread_mutex_t mutex; /* guards registry */
    struct registry *registry;
    pthread_mutex_t change_mutex; /* held from reading the old set to exchanging it */
};

#define SERVED_INITIALIZER                                                                         \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .change_mutex = PTHREAD_MUTEX_INITIALIZER              \
    }

/* The current set; the caller releases it. */
struct registry *served_hold(struct served *served);

/* Replaces the set; takes registry over. NULL: no models. Call it between begin and end, which keep
 * other changes out. */
void served_exchange(struct served *served, struct registry *registry);
void served_begin_change(struct served *served);
void served_end_change(struct served *served);

/* Loads the model of that name again and warms it up, or unloads it, and exchanges the set. On
 * failure the set stays as it was; PPM_UNFIT: no such model is configured; PPM_CANCELLED: progress
 * said so. Takes as long as loading does. */
enum ppm_status served_change_model(struct served *served, struct executor *executor,
                                    const char *name, bool is_loaded,
                                    const struct ppm_progress *progress, struct ppm_error *error);

#endif

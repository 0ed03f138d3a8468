/*
 * reload.h - the thread that loads: at the start, again for each SIGHUP, and with watch_models_s
 * when files of models have changed.
 *
 * The thread that handles signals never waits for it.
 */
#ifndef PPM_SERVER_SERVICE_RELOAD_H
#define PPM_SERVER_SERVICE_RELOAD_H

#include "server/handlers/app.h"
#include "server/models/warm_up.h"

struct reloader;

/* Starts the thread, which loads what app's settings name; each reload reads the arguments again.
 * It abandons a load when app is leaving. The caller stops it. NULL and PPM_NO_MEMORY on failure.
 */
struct reloader *reload_start(struct app *app, int count, char *const *arguments,
                              struct ppm_error *error);

/* Whether it is loading. */
bool reload_is_busy(struct reloader *reloader);

/* The result of the load at the start, once that is over. */
enum ppm_status reload_first_result(const struct reloader *reloader,
                                    struct warm_up_report *ret_report, struct ppm_error *error);

/* Loads the configuration again; during a reload, once more after it. */
void reload_request(struct reloader *reloader);

/* Waits until it is not busy, and frees it. NULL is allowed. */
void reload_stop(struct reloader *reloader);

#endif

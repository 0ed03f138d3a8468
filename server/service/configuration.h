/* configuration.h - a configuration's keys, certificate and models, loaded and warm. */
#ifndef PPM_SERVER_SERVICE_CONFIGURATION_H
#define PPM_SERVER_SERVICE_CONFIGURATION_H

#include "server/handlers/app.h"
#include "server/http/http.h"
#include "server/models/warm_up.h"

struct loaded {
    struct http_access *access;
    struct registry *registry;
    struct warm_up_report report;
};

/* Loads what settings name, for app's executor; the caller takes over both parts. PPM_CANCELLED
 * once app is leaving. */
enum ppm_status configuration_load(struct app *app, const struct settings *settings,
                                   struct loaded *ret_loaded, struct ppm_error *error);

/* `serve --check-config`: loads what settings name, on this thread, prints that it is good and
 * frees it. */
enum ppm_status configuration_check(const struct settings *settings, struct ppm_error *error);

#endif

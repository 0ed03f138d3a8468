/* settings_check.h - settings that do not go together. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_CHECK_H
#define PPM_SERVER_CONFIG_SETTINGS_CHECK_H

#include "server/config/settings.h"

/* Refuses what cannot be served: PPM_BAD_CONFIG names the settings. */
enum ppm_status settings_check(const struct settings *settings, struct ppm_error *error);

#endif

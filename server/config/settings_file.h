/* settings_file.h - the settings of a configuration file. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_FILE_H
#define PPM_SERVER_CONFIG_SETTINGS_FILE_H

#include "server/config/settings.h"

/* Reads settings->config_path into *settings. */
enum ppm_status settings_read_file(struct settings *settings, struct ppm_error *error);

#endif

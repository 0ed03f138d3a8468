/* settings_print.h - the settings in effect, and their help. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_PRINT_H
#define PPM_SERVER_CONFIG_SETTINGS_PRINT_H

#include "server/config/settings.h"

#include <stdio.h>

/* As the JSON that --config reads. */
enum ppm_status settings_print(const struct settings *settings, FILE *file,
                               struct ppm_error *error);

/* A line for each flag: its value, what it is, and in brackets the default and a number's bounds.
 */
void settings_print_help(FILE *file);

#endif

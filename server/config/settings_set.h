/* settings_set.h - values of settings, from text. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_SET_H
#define PPM_SERVER_CONFIG_SETTINGS_SET_H

#include "server/config/settings_table.h"

/* where names the setting in an error. */
enum ppm_status settings_set_text(struct settings *settings, const struct setting *setting,
                                  const char *text, const char *where, struct ppm_error *error);

/* Models are set one at a time, and not by settings_set_text. */
void settings_forget_models(struct settings *settings);
enum ppm_status settings_add_model(struct settings *settings, const char *path, const char *where,
                                   struct ppm_error *error);

bool settings_is_boolean(const char *text); /* "true" or "false" */

#endif

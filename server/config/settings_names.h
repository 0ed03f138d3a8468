/* settings_names.h - names that are not settings. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_NAMES_H
#define PPM_SERVER_CONFIG_SETTINGS_NAMES_H

#include "server/config/settings_table.h"

/* Refuses a key, or a flag with its "--", that no setting has. where ends with ": " or is empty;
 * list is the flag of serve that lists them all. */
enum ppm_status settings_refuse_name(const char *where, const char *kind, const char *name,
                                     const char *list, struct ppm_error *error);

/* The setting that is most like a mistyped key, flag (without "--") or variable (without "PPM_").
 * NULL: none. */
const struct setting *settings_nearest(const char *name);

/* The next variable PPM_... of the environment that means nothing, from *at on, 0 at first. False:
 * there is none. Otherwise ret_text says so, and what may have been meant. */
bool settings_unknown_variable(size_t *at, char *ret_text, size_t bytes);

#endif

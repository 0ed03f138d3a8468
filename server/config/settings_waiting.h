/* settings_waiting.h - the settings that a running server cannot change. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_WAITING_H
#define PPM_SERVER_CONFIG_SETTINGS_WAITING_H

#include "server/config/settings.h"

/* Writes what a restart would change, "port 8080 -> 8081, page true -> false", from the settings in
 * use to the wanted ones; leaves out what a reload takes up. Long texts are cut, and of settings
 * that do not fit only the number is written. Returns their number. */
size_t settings_waiting(const struct settings *in_use, const struct settings *wanted,
                        char *ret_text, size_t bytes);

#endif

/* command_health.h - `health`: whether a running server is ready, by its /readyz, for container
 * checks. */
#ifndef PPM_SERVER_COMMANDS_COMMAND_HEALTH_H
#define PPM_SERVER_COMMANDS_COMMAND_HEALTH_H

#include "core/ppm.h"

/* Reads the arguments after the command's name and prints to stdout. */
enum ppm_status command_health(int count, char *const *arguments, struct ppm_error *error);

#endif

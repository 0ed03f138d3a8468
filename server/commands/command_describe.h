/* command_describe.h - `describe`: the layers of a model, and the cost of an input shape. */
#ifndef PPM_SERVER_COMMANDS_COMMAND_DESCRIBE_H
#define PPM_SERVER_COMMANDS_COMMAND_DESCRIBE_H

#include "core/ppm.h"

/* Reads the arguments after the command's name and prints to stdout. */
enum ppm_status command_describe(int count, char *const *arguments, struct ppm_error *error);

#endif

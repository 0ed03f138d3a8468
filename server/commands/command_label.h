/* command_label.h - `label`: images to labels, classes or overlays, file to file. */
#ifndef PPM_SERVER_COMMANDS_COMMAND_LABEL_H
#define PPM_SERVER_COMMANDS_COMMAND_LABEL_H

#include "core/ppm.h"

/* Reads the arguments after the command's name and prints to stdout. An image that fails is one
 * line on stderr, and the others are still done. */
enum ppm_status command_label(int count, char *const *arguments, struct ppm_error *error);

#endif

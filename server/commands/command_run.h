/* command_run.h - `run`: runs a tensor through a model, file to file: .npy, or PNG for a label map.
 */
#ifndef PPM_SERVER_COMMANDS_COMMAND_RUN_H
#define PPM_SERVER_COMMANDS_COMMAND_RUN_H

#include "core/ppm.h"

/* Reads the arguments after the command's name and prints to stdout. */
enum ppm_status command_run(int count, char *const *arguments, struct ppm_error *error);

#endif

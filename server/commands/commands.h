/* commands.h - the subcommands other than serve. */
#ifndef PPM_SERVER_COMMANDS_COMMANDS_H
#define PPM_SERVER_COMMANDS_COMMANDS_H

#include "core/ppm.h"

/* Each reads the arguments after its name and prints to stdout. On failure it sets *error; main.c
 * prints that and derives the exit status. */
enum ppm_status command_run(int count, char *const *arguments, struct ppm_error *error);
enum ppm_status command_describe(int count, char *const *arguments, struct ppm_error *error);
enum ppm_status command_bench(int count, char *const *arguments, struct ppm_error *error);
enum ppm_status command_health(int count, char *const *arguments, struct ppm_error *error);

enum { QUANTITY_BYTES = 32 };

/* "136.1 GFLOP", "29.5 MB", "12 B". Returns ret_text. */
const char *command_quantity(double value, const char *unit, char ret_text[QUANTITY_BYTES]);

/* Loads a model and shows progress. NULL on error. */
struct ppm_model *command_load_model(const char *path, struct ppm_error *error);

/* Reads --shape, N,C,H,W or C,H,W, as a tensor without data. */
enum ppm_status command_read_shape(const char *text, struct ppm_tensor *ret_tensor,
                                   struct ppm_error *error);

#endif

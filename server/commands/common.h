/* common.h - what several commands need. */
#ifndef PPM_SERVER_COMMANDS_COMMON_H
#define PPM_SERVER_COMMANDS_COMMON_H

#include "server/config/arguments.h"

enum { QUANTITY_BYTES = 32 };

/* "136.1 GFLOP", "29.5 MB", "12 B". Returns ret_text. */
const char *command_quantity(double value, const char *unit, char ret_text[QUANTITY_BYTES]);

/* Loads a model and shows progress. NULL on error. */
struct ppm_model *command_load_model(const char *path, struct ppm_error *error);

/* The extension of a file's name, with its dot; "" without one. */
const char *command_extension(const char *path);

/* Whether the model answers labels, at most colors_max of them with a color each (0: any number,
 * with or without), as shown in a file: `what` is "a PNG". PPM_UNFIT, which names path. */
enum ppm_status command_check_labels(const struct ppm_model_info *info, const char *what,
                                     size_t colors_max, const char *path, struct ppm_error *error);

/* Reads --shape of each input: N,C,H,W or C,H,W of the only one, or NAME=N,C,H,W; and --size, H,W
 * of the output or NULL. */
enum ppm_status command_read_sizes(const struct argument_list *shapes, const char *size,
                                   const struct ppm_model_info *info, struct ppm_sizes *ret_sizes,
                                   struct ppm_error *error);

#endif

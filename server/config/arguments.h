/* arguments.h - command-line flags: "--flag value", "--flag=value" and switches. */
#ifndef PPM_SERVER_CONFIG_ARGUMENTS_H
#define PPM_SERVER_CONFIG_ARGUMENTS_H

#include "core/ppm.h"

/* One flag of a command: exactly one of value and is_set receives what was given. */
struct argument {
    const char *flag;   /* "--model" */
    const char **value; /* points into the arguments */
    bool *is_set;       /* a switch */
    bool is_required;
};

/* If arguments[*at] is flag or flag=..., returns true with *ret_value its value, which may be the
 * next argument (then *at is advanced); PPM_BAD_CONFIG in *error when there is none. */
bool argument_match(const char *flag, int count, char *const *arguments, int *at,
                    const char **ret_value, struct ppm_error *error);

/* Reads all arguments by table, ended by {0}. PPM_BAD_CONFIG for an unknown or missing flag. */
enum ppm_status arguments_read(int count, char *const *arguments, const struct argument *table,
                               struct ppm_error *error);

/* text as an integer in [min, max]; an absent text (NULL) leaves *ret alone. */
enum ppm_status arguments_number(const char *flag, const char *text, size_t min, size_t max,
                                 size_t *ret, struct ppm_error *error);

#endif

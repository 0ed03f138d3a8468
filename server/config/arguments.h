/* arguments.h - command-line flags: "--flag value", "--flag=value" and switches; and words. */
#ifndef PPM_SERVER_CONFIG_ARGUMENTS_H
#define PPM_SERVER_CONFIG_ARGUMENTS_H

#include "core/ppm.h"

/* What a flag that may be there several times was given; strings point into the arguments. */
struct argument_list {
    const char *values[PPM_INPUTS_MAX];
    size_t count;
};

/* A flag of a command. Exactly one of value, is_set and list is not NULL, and receives what was
 * given. */
struct argument {
    const char *flag;   /* "--model" */
    const char **value; /* points into the arguments; the last one counts */
    bool *is_set;       /* a switch */
    bool is_required;
    struct argument_list *list;
};

/* Whether arguments[*at] is flag or flag=...; *ret_value is its value then, which may be the next
 * argument (*at is advanced). PPM_BAD_CONFIG in *error when there is no value. */
bool argument_match(const char *flag, int count, char *const *arguments, int *at,
                    const char **ret_value, struct ppm_error *error);

/* Reads all arguments by a table that ends with {0}. PPM_BAD_CONFIG: a flag is unknown, missing or
 * there too often. */
enum ppm_status arguments_read(int count, char *const *arguments, const struct argument *table,
                               struct ppm_error *error);

/* The same for a command that also takes words, such as names of files: ret_words, which has room
 * for count, receives those that belong to no flag, in their order. All that follows "--" is
 * words. */
enum ppm_status arguments_read_words(int count, char *const *arguments,
                                     const struct argument *table, const char **ret_words,
                                     size_t *ret_word_count, struct ppm_error *error);

/* Reads text as an integer in [min, max]. NULL leaves *ret alone. */
enum ppm_status arguments_number(const char *flag, const char *text, size_t min, size_t max,
                                 size_t *ret, struct ppm_error *error);

#endif

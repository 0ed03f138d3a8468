/* arguments.c - see arguments.h. */
#include "server/config/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool argument_match(const char *flag, int count, char *const *arguments, int *at,
                    const char **ret_value, struct ppm_error *error)
{
    const char *argument = arguments[*at];
    size_t length = strlen(flag);
    if (strncmp(argument, flag, length) != 0 || (argument[length] && argument[length] != '='))
        return false;
    if (argument[length] == '=')
        *ret_value = argument + length + 1;
    else if (*at + 1 < count)
        *ret_value = arguments[++*at];
    else
        ppm_fail(error, PPM_BAD_CONFIG, "%s: found nothing, expected a value", flag);
    return true;
}

static enum ppm_status refuse_unknown(const char *found, const struct argument *table,
                                      struct ppm_error *error)
{
    char known[200] = "";
    for (size_t at = 0; table->flag && at < sizeof known; table++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", table->flag);
    return ppm_fail(error, PPM_BAD_CONFIG, "%s \"%.60s\"; known flags are %s",
                    *found == '-' ? "unknown flag" : "expected a flag, found", found, known);
}

static enum ppm_status take_value(const struct argument *argument, const char *value,
                                  struct ppm_error *error)
{
    if (argument->value) {
        *argument->value = value;
        return PPM_OK;
    }
    if (argument->list->count == PPM_INPUTS_MAX)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found more than %d, expected one for each input", argument->flag,
                        PPM_INPUTS_MAX);
    argument->list->values[argument->list->count++] = value;
    return PPM_OK;
}

static enum ppm_status read_one(int count, char *const *arguments, int *at,
                                const struct argument *table, struct ppm_error *error)
{
    for (const struct argument *argument = table; argument->flag; argument++) {
        if (argument->is_set && strcmp(arguments[*at], argument->flag) == 0) {
            *argument->is_set = true;
            return PPM_OK;
        }
        const char *value = NULL;
        if (argument->is_set ||
            !argument_match(argument->flag, count, arguments, at, &value, error))
            continue;
        return error->status == PPM_OK ? take_value(argument, value, error) : error->status;
    }
    return refuse_unknown(arguments[*at], table, error);
}

static enum ppm_status check_required(const struct argument *table, struct ppm_error *error)
{
    for (const struct argument *argument = table; argument->flag; argument++)
        if (argument->is_required &&
            (argument->value ? !*argument->value : argument->list->count == 0))
            return ppm_fail(error, PPM_BAD_CONFIG, "%s is missing; --help shows an example",
                            argument->flag);
    return PPM_OK;
}

enum ppm_status arguments_read(int count, char *const *arguments, const struct argument *table,
                               struct ppm_error *error)
{
    for (int at = 0; at < count; at++)
        if (read_one(count, arguments, &at, table, error) != PPM_OK)
            return error->status;
    return check_required(table, error);
}

enum ppm_status arguments_read_words(int count, char *const *arguments,
                                     const struct argument *table, const char **ret_words,
                                     size_t *ret_word_count, struct ppm_error *error)
{
    size_t words = 0;
    bool are_flags_over = false;
    for (int at = 0; at < count; at++) {
        if (are_flags_over || arguments[at][0] != '-')
            ret_words[words++] = arguments[at];
        else if (strcmp(arguments[at], "--") == 0)
            are_flags_over = true;
        else if (read_one(count, arguments, &at, table, error) != PPM_OK)
            return error->status;
    }
    *ret_word_count = words;
    return check_required(table, error);
}

enum ppm_status arguments_number(const char *flag, const char *text, size_t min, size_t max,
                                 size_t *ret, struct ppm_error *error)
{
    char *end;
    if (!text)
        return PPM_OK;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number < min || number > max)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found \"%.40s\", expected an integer from %zu to %zu", flag, text, min,
                        max);
    *ret = (size_t)number;
    return PPM_OK;
}

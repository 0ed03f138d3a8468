/* json_read.c - see json_read.h. */
#include "core/base/json_read.h"
#include "core/base/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json_place json_member(const struct json_place *parent, const char *key)
{
    return (struct json_place){.file = parent->file, .parent = parent, .key = key};
}

struct json_place json_element(const struct json_place *parent, size_t index)
{
    return (struct json_place){.file = parent->file, .parent = parent, .index = index};
}

/* Writes "branch[0].conv.kernel", recursively from the document down: chains are short. */
static size_t write_place(const struct json_place *place, char *text, size_t bytes)
{
    if (!place->parent)
        return 0;
    size_t at = write_place(place->parent, text, bytes);
    int wrote = place->key ? snprintf(text + at, bytes - at, "%s%s", at ? "." : "", place->key)
                           : snprintf(text + at, bytes - at, "[%zu]", place->index);
    return size_min(at + (size_t)wrote, bytes - 1);
}

/* A value as JSON, truncated. False: no memory. */
static bool write_found(const json_t *found, char *text, size_t bytes)
{
    if (!found) {
        snprintf(text, bytes, "nothing");
        return true;
    }
    char *json = ppm_json_text(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII |
                                          JSON_REAL_PRECISION(15));
    if (json && strlen(json) >= bytes)
        snprintf(text, bytes, "%.*s...", (int)bytes - 4, json);
    else if (json)
        snprintf(text, bytes, "%s", json);
    const bool is_written = json != NULL;
    free(json);
    return is_written;
}

static enum ppm_status refuse(const char *where, const json_t *found, enum ppm_status status,
                              struct ppm_error *error, const char *expected_format,
                              va_list arguments)
{
    char what[64], expected[400];
    vsnprintf(expected, sizeof expected, expected_format, arguments);
    if (!write_found(found, what, sizeof what))
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", where);
    return ppm_fail(error, status, "%s: found %s, expected %s", where, what, expected);
}

enum ppm_status ppm_json_refuse(const char *where, const json_t *found, enum ppm_status status,
                                struct ppm_error *error, const char *expected_format, ...)
{
    va_list arguments;
    va_start(arguments, expected_format);
    refuse(where, found, status, error, expected_format, arguments);
    va_end(arguments);
    return error->status;
}

enum ppm_status json_refuse(const struct json_place *place, const json_t *found,
                            struct ppm_error *error, const char *expected_format, ...)
{
    char in_file[200] = "", where[PPM_ERROR_TEXT_BYTES];
    const size_t depth = write_place(place, in_file, sizeof in_file);
    snprintf(where, sizeof where, "%s%s%s", place->file, depth ? ": " : "", in_file);
    va_list arguments;
    va_start(arguments, expected_format);
    refuse(where, found, PPM_BAD_CONFIG, error, expected_format, arguments);
    va_end(arguments);
    return error->status;
}

static enum ppm_status refuse_key(const struct json_place *place, const char *key,
                                  const char *const *keys, struct ppm_error *error)
{
    char where[200] = "", known[200] = "";
    const size_t depth = write_place(place, where, sizeof where);
    for (size_t at = 0; *keys && at < sizeof known; keys++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", *keys);
    return ppm_fail(error, PPM_BAD_CONFIG, "%s: %s%sunknown key \"%.64s\"; %s%s", place->file,
                    where, depth ? ": " : "", key, *known ? "known keys are " : "it has no options",
                    known);
}

enum ppm_status json_check_keys(const json_t *object, const struct json_place *place,
                                const char *const *keys, struct ppm_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const char *const *known = keys;
        while (*known && strcmp(key, *known) != 0)
            known++;
        if (!*known)
            return refuse_key(place, key, keys, error);
    }
    return PPM_OK;
}

bool json_is_size(const json_t *value, size_t max)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
           json_integer_value(value) <= (json_int_t)max;
}

enum ppm_status json_read_bool(const json_t *object, const struct json_place *place,
                               const char *key, bool *ret, struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    struct json_place member = json_member(place, key);
    if (!value)
        return PPM_OK;
    if (!json_is_boolean(value))
        return json_refuse(&member, value, error, "true or false");
    *ret = json_is_true(value);
    return PPM_OK;
}

enum ppm_status json_read_size(const json_t *object, const struct json_place *place,
                               const char *key, size_t min, size_t max, size_t *ret,
                               struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    struct json_place member = json_member(place, key);
    if (!value)
        return PPM_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < (json_int_t)min || number > (json_int_t)max)
        return json_refuse(&member, value, error, "an integer from %zu to %zu", min, max);
    *ret = (size_t)number;
    return PPM_OK;
}

enum ppm_status json_read_pair(const json_t *object, const struct json_place *place,
                               const char *key, size_t min, size_t max, size_t ret[2],
                               struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    const struct json_place member = json_member(place, key);
    size_t read[2] = {0};
    if (!value)
        return PPM_OK;
    bool fits = !json_is_array(value) || json_array_size(value) == 2;
    for (size_t axis = 0; axis < 2 && fits; axis++) {
        const json_t *number = json_is_array(value) ? json_array_get(value, axis) : value;
        fits = json_is_integer(number) && json_integer_value(number) >= (json_int_t)min &&
               json_integer_value(number) <= (json_int_t)max;
        read[axis] = (size_t)json_integer_value(number);
    }
    if (!fits)
        return json_refuse(&member, value, error, "an integer from %zu to %zu, or [h, w] of such",
                           min, max);
    memcpy(ret, read, sizeof read);
    return PPM_OK;
}

enum ppm_status json_read_double(const json_t *object, const struct json_place *place,
                                 const char *key, double min, double max, double *ret,
                                 struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    struct json_place member = json_member(place, key);
    if (!value)
        return PPM_OK;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max))
        return json_refuse(&member, value, error, "a number from %g to %g", min, max);
    *ret = number;
    return PPM_OK;
}

enum ppm_status json_read_string(const json_t *object, const struct json_place *place,
                                 const char *key, char *ret, size_t ret_bytes,
                                 struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    struct json_place member = json_member(place, key);
    if (!value)
        return PPM_OK;
    if (!json_is_string(value) || json_string_length(value) >= ret_bytes)
        return json_refuse(&member, value, error, "a string of at most %zu bytes", ret_bytes - 1);
    memcpy(ret, json_string_value(value), json_string_length(value) + 1);
    return PPM_OK;
}

enum ppm_status json_read_choice(const json_t *object, const struct json_place *place,
                                 const char *key, const char *const *names, int *ret,
                                 struct ppm_error *error)
{
    const json_t *value = json_object_get(object, key);
    struct json_place member = json_member(place, key);
    char list[160] = "";
    size_t at = 0;
    if (!value)
        return PPM_OK;
    for (int i = 0; names[i]; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), names[i]) == 0) {
            *ret = i;
            return PPM_OK;
        }
        at += (size_t)snprintf(list + at, sizeof list - at, "%s\"%s\"",
                               i == 0         ? ""
                               : names[i + 1] ? ", "
                                              : " or ",
                               names[i]);
    }
    return json_refuse(&member, value, error, "%s", list);
}

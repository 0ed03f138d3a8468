/* json_read.h - typed reading of a JSON configuration. Errors name the file, the place, the value
 * found and the value expected. */
#ifndef PPM_CORE_BASE_JSON_READ_H
#define PPM_CORE_BASE_JSON_READ_H

#include "core/ppm.h"

#include <jansson.h>

/* The place of a value in its document: a chain on the reader's stack. */
struct json_place {
    const char *file;
    const struct json_place *parent; /* NULL: the document itself */
    const char *key;                 /* of a member of parent; NULL: an element, at index */
    size_t index;
};

struct json_place json_member(const struct json_place *parent, const char *key);
struct json_place json_element(const struct json_place *parent, size_t index);

/* Fails with PPM_BAD_CONFIG and "FILE: branch[0].conv.kernel: found 5, expected ...". found is NULL
 * if the member is missing. */
enum ppm_status json_refuse(const struct json_place *place, const json_t *found,
                            struct ppm_error *error, const char *expected_format, ...)
    __attribute__((format(printf, 4, 5)));

/* Refuses members that are not in keys, a list that ends with NULL. */
enum ppm_status json_check_keys(const json_t *object, const struct json_place *place,
                                const char *const *keys, struct ppm_error *error);

/* Whether value is an integer from 1 to max. */
bool json_is_size(const json_t *value, size_t max);

/* Each reads object[key] into *ret, and checks its type and bounds. If the member is missing, *ret
 * keeps its value, the default. */
enum ppm_status json_read_bool(const json_t *object, const struct json_place *place,
                               const char *key, bool *ret, struct ppm_error *error);
enum ppm_status json_read_size(const json_t *object, const struct json_place *place,
                               const char *key, size_t min, size_t max, size_t *ret,
                               struct ppm_error *error);
/* A number for both axes, or [h, w]. */
enum ppm_status json_read_pair(const json_t *object, const struct json_place *place,
                               const char *key, size_t min, size_t max, size_t ret[2],
                               struct ppm_error *error);
enum ppm_status json_read_double(const json_t *object, const struct json_place *place,
                                 const char *key, double min, double max, double *ret,
                                 struct ppm_error *error);
enum ppm_status json_read_string(const json_t *object, const struct json_place *place,
                                 const char *key, char *ret, size_t ret_bytes,
                                 struct ppm_error *error);
/* *ret = the index of the string in names, a list that ends with NULL. */
enum ppm_status json_read_choice(const json_t *object, const struct json_place *place,
                                 const char *key, const char *const *names, int *ret,
                                 struct ppm_error *error);

#endif

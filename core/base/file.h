/* file.h - files and JSON, for the whole program: ppm.h includes it. */
#ifndef PPM_CORE_BASE_FILE_H
#define PPM_CORE_BASE_FILE_H

#include "core/ppm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- files ----
 *
 * Only regular files are read: opening a FIFO would wait for its writer. */

/* Opens a file for reading, and tells its size. -1 with PPM_BAD_CONFIG, which says what was found,
 * such as "a FIFO". The caller closes the descriptor. */
int ppm_open_file(const char *path, size_t *ret_bytes, struct ppm_error *error);

/* The contents of a file, followed by '\0'. NULL with PPM_BAD_CONFIG (as above, or larger than
 * bytes_max), PPM_IO or PPM_NO_MEMORY. The caller frees them. */
char *ppm_read_file(const char *path, size_t bytes_max, size_t *ret_bytes, struct ppm_error *error);

/* The kind of data that starts with these bytes, for an error message: "gzip data", "an HTML page",
 * "JSON". NULL: unknown. */
const char *ppm_looks_like(const void *bytes, size_t count);

/* ---- JSON ----
 *
 * jansson's own json_load... and json_dumps are not safe when memory runs out; these are. */

/* Parses text; refuses duplicate keys. NULL on failure, with the cause, whose json_error_code is
 * json_error_out_of_memory if memory ran out. The caller releases the tree. */
struct json_t;
struct json_error_t;
struct json_t *ppm_json_load(const char *text, size_t bytes, struct json_error_t *ret_cause);

/* The JSON object in a file of at most bytes_max. NULL with PPM_BAD_CONFIG, which names the file
 * and the line and column, or what the file looks like instead; or PPM_NO_MEMORY. The caller
 * releases it. */
struct json_t *ppm_json_load_file(const char *path, size_t bytes_max, struct ppm_error *error);

/* The text of a value, with the flags of json_dumps. NULL if memory runs out. The caller frees it.
 */
char *ppm_json_text(const struct json_t *value, size_t flags);

/* "WHERE: found VALUE, expected ..." with VALUE as JSON, cut short; "nothing" for NULL. Returns
 * status. */
enum ppm_status ppm_json_refuse(const char *where, const struct json_t *found,
                                enum ppm_status status, struct ppm_error *error,
                                const char *expected_format, ...)
    __attribute__((format(printf, 5, 6)));

#ifdef __cplusplus
}
#endif

#endif

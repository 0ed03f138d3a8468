/* keys.h - the keys of clients, as digests. */
#ifndef PPM_SERVER_HTTP_KEYS_H
#define PPM_SERVER_HTTP_KEYS_H

#include "core/ppm.h"

struct keys;

/* Reads a file with one key on each line. NULL on error. */
struct keys *keys_read(const char *path, struct ppm_error *error);
void keys_free(struct keys *keys); /* NULL is fine */

/* Takes the same time for every key, right or wrong. */
bool keys_hold(const struct keys *keys, const char *key, size_t bytes);

#endif

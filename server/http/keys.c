/* keys.c - see keys.h. Digests compare in constant time, and a copy of memory reveals no key. */
#include "server/http/keys.h"
#include "server/http/secret.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_BYTES = 32, KEY_BYTES_MAX = 256 };

struct keys {
    size_t count;
    unsigned char digests[][DIGEST_BYTES];
};

static bool digest(const char *key, size_t bytes, unsigned char ret_digest[DIGEST_BYTES])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, key, bytes, ret_digest) == 0;
}

static bool is_visible(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return false;
    return true;
}

/* Adds the key of a line, if it has one. Errors do not show it. */
static enum ppm_status add_line(struct keys *keys, const char *line, size_t number,
                                const char *path, struct ppm_error *error)
{
    line += strspn(line, " \t");
    size_t bytes = strlen(line);
    while (bytes > 0 && strchr(" \t\r", line[bytes - 1]))
        bytes--;
    if (bytes == 0 || *line == '#')
        return PPM_OK;
    if (bytes > KEY_BYTES_MAX || !is_visible(line, bytes))
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "keys_file: %s: line %zu: expected a key of at most %d visible ASCII "
                        "characters without spaces, or a comment (#)",
                        path, number, KEY_BYTES_MAX);
    if (!digest(line, bytes, keys->digests[keys->count]))
        return ppm_fail(error, PPM_IO, "keys_file: %s: SHA-256 is not available", path);
    keys->count++;
    return PPM_OK;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    while ((text = strchr(text, '\n'))) {
        text++;
        count++;
    }
    return count;
}

static enum ppm_status add_lines(struct keys *keys, gnutls_datum_t file, const char *path,
                                 struct ppm_error *error)
{
    char *rest = (char *)file.data;
    if (strlen(rest) != file.size)
        return ppm_fail(error, PPM_BAD_CONFIG, "keys_file: %s: found a zero byte, expected text",
                        path);
    for (size_t number = 1; rest; number++)
        if (add_line(keys, strsep(&rest, "\n"), number, path, error) != PPM_OK)
            return error->status;
    if (keys->count == 0)
        ppm_fail(error, PPM_BAD_CONFIG, "keys_file: %s: found no key, expected one per line", path);
    return error->status;
}

struct keys *keys_read(const char *path, struct ppm_error *error)
{
    gnutls_datum_t file = {0};
    if (secret_read("keys_file", path, &file, error) != PPM_OK)
        return NULL;
    struct keys *keys =
        calloc(1, sizeof *keys + count_lines((const char *)file.data) * DIGEST_BYTES);
    if (!keys)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    else
        add_lines(keys, file, path, error);
    secret_forget(&file);
    if (error->status == PPM_OK)
        return keys;
    keys_free(keys);
    return NULL;
}

void keys_free(struct keys *keys)
{
    free(keys);
}

bool keys_hold(const struct keys *keys, const char *key, size_t bytes)
{
    unsigned char found[DIGEST_BYTES];
    bool is_held = false;
    if (!digest(key, bytes, found))
        return false;
    for (size_t i = 0; i < keys->count; i++)
        is_held = (gnutls_memcmp(keys->digests[i], found, sizeof found) == 0) | is_held;
    return is_held;
}

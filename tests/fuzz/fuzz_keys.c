/* fuzz_keys.c - key files: accepted or refused line by line, and exactly the listed keys are
 * stored.
 */
#include "server/http/keys.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 256 };

/* Whether a line is valid; its key, if it has one, must be stored. */
static bool check_line(const struct keys *keys, char *line, bool *is_any)
{
    char *key = line + strspn(line, " \t");
    size_t bytes = strlen(key);
    while (bytes > 0 && strchr(" \t\r", key[bytes - 1]))
        bytes--;
    key[bytes] = '\0';
    if (bytes == 0 || *key == '#')
        return true;
    if (bytes > KEY_BYTES_MAX || !fuzz_matches(key, "[!-~]+"))
        return false;
    *is_any = true;
    if (keys) {
        FUZZ_CHECK(keys_hold(keys, key, bytes), "\"%s\" is not held", key);
        FUZZ_CHECK(!keys_hold(keys, key, bytes + 1), "\"%s\" and a zero byte is held", key);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ppm_error error = {0};
    bool is_any = false, is_fine = !memchr(data, '\0', size);
    struct keys *keys = keys_read(fuzz_file(data, size), &error);
    if (!keys)
        fuzz_check_error(&error);
    char *text = fuzz_text(data, size), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        is_fine = check_line(keys, line, &is_any) && is_fine;
    FUZZ_CHECK((keys != NULL) == (is_fine && is_any), "%s", keys ? "taken" : error.text);
    FUZZ_CHECK(!keys || !keys_hold(keys, "", 0), "no key is one");
    free(text);
    keys_free(keys);
    return 0;
}

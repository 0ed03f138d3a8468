/* test_keys.c - keys as digests: each key in the file, and nothing else. */
#include "server/http/keys.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(keys, .init = support_open_folder, .fini = support_close_folder);

static bool holds(const struct keys *keys, const char *key)
{
    return keys_hold(keys, key, strlen(key));
}

Test(keys, hold_what_was_written_and_nothing_else)
{
    enum { COUNT_OF_KEYS = 100, COUNT_OF_OTHERS = 20000 };
    char text[COUNT_OF_KEYS * 16] = "", key[32];
    struct ppm_error error = {0};
    for (int i = 0; i < COUNT_OF_KEYS; i++) {
        snprintf(key, sizeof key, "key-%d\n", i);
        strcat(text, key);
    }
    struct keys *keys = keys_read(support_write("keys", text, strlen(text)), &error);
    cr_assert(keys != NULL, "%s", error.text);
    for (int i = 0; i < COUNT_OF_OTHERS; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        cr_assert(holds(keys, key) == (i < COUNT_OF_KEYS), "%s", key);
    }
    cr_assert(!holds(keys, "") && !holds(keys, "key-") && !holds(keys, "key-1\n"));
    keys_free(keys);
    keys_free(NULL);
}

Test(keys, of_a_file_with_a_zero_byte_are_refused)
{
    struct ppm_error error = {0};
    cr_assert(keys_read(support_write("keys", "secret\0more", 11), &error) == NULL);
    cr_assert(error.status == PPM_BAD_CONFIG && strstr(error.text, "zero byte") &&
                  !strstr(error.text, "secret"),
              "%s", error.text);
}

Test(keys, of_a_file_that_is_too_large_are_refused)
{
    static char text[(1 << 20) + 1];
    struct ppm_error error = {0};
    memset(text, '#', sizeof text);
    cr_assert(keys_read(support_write("keys", text, sizeof text), &error) == NULL);
    cr_assert(strstr(error.text, "1048576") != NULL, "%s", error.text);
}

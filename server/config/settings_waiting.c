/* settings_waiting.c - see settings_waiting.h. */
#include "server/config/settings_waiting.h"
#include "server/config/settings_table.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 64, CHANGE_BYTES = 192, REST_BYTES = 32 };

/* A value as in a configuration file. None of them is a secret: those are in files of their own. */
static void write_value(const struct settings *settings, const struct setting *setting,
                        char ret_text[VALUE_BYTES])
{
    const void *field = (const char *)settings + setting->offset;
    char choice[CHOICE_BYTES];
    if (setting->kind == KIND_NUMBER)
        snprintf(ret_text, VALUE_BYTES, "%zu", *(const size_t *)field);
    else if (setting->kind == KIND_SWITCH)
        snprintf(ret_text, VALUE_BYTES, "%s", *(const bool *)field ? "true" : "false");
    else if (setting->kind == KIND_MODE)
        snprintf(ret_text, VALUE_BYTES, "%04zo", *(const size_t *)field);
    else if (setting->kind == KIND_CHOICE)
        snprintf(ret_text, VALUE_BYTES, "%s",
                 settings_choice(setting, *(const size_t *)field, choice));
    else
        snprintf(ret_text, VALUE_BYTES, strlen(field) < VALUE_BYTES - 2 ? "\"%s\"" : "\"%.56s...\"",
                 (const char *)field);
}

static bool is_equal(const struct settings *a, const struct settings *b,
                     const struct setting *setting)
{
    const char *in_a = (const char *)a + setting->offset, *in_b = (const char *)b + setting->offset;
    if (setting->kind == KIND_TEXT || setting->kind == KIND_PATH || setting->kind == KIND_LIST)
        return strcmp(in_a, in_b) == 0;
    if (setting->kind == KIND_SWITCH)
        return *(const bool *)in_a == *(const bool *)in_b;
    return *(const size_t *)(const void *)in_a == *(const size_t *)(const void *)in_b;
}

size_t settings_waiting(const struct settings *in_use, const struct settings *wanted,
                        char *ret_text, size_t bytes)
{
    size_t count = 0, written = 0, at = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        char old[VALUE_BYTES], new[VALUE_BYTES], change[CHANGE_BYTES];
        if (setting->change == AT_RELOAD || is_equal(in_use, wanted, setting))
            continue;
        write_value(in_use, setting, old);
        write_value(wanted, setting, new);
        const int length = snprintf(change, sizeof change, "%s%s %s -> %s", written ? ", " : "",
                                    setting->key, old, new);
        count++;
        if (at + (size_t)length + REST_BYTES > bytes)
            continue;
        at += (size_t)sprintf(ret_text + at, "%s", change);
        written++;
    }
    if (written < count)
        snprintf(ret_text + at, bytes - at, ", and %zu more", count - written);
    return count;
}

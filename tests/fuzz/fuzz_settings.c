/* fuzz_settings.c - settings files: in bounds when taken, and the same when printed and read. */
#include "server/config/settings_check.h"
#include "server/config/settings_print.h"
#include "server/config/settings_table.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ppm_status read_text(const void *text, size_t size, struct settings *ret_settings,
                                 struct ppm_error *error)
{
    char flag[] = "--config", path[64];
    snprintf(path, sizeof path, "%s", fuzz_file(text, size));
    const enum ppm_status status = settings_read(2, (char *[]){flag, path}, ret_settings, error);
    return status == PPM_OK ? settings_check(ret_settings, error) : status;
}

static char *print(const struct settings *settings, size_t *ret_size)
{
    char *text = NULL;
    struct ppm_error error = {0};
    FILE *file = open_memstream(&text, ret_size);
    FUZZ_CHECK(file && settings_print(settings, file, &error) == PPM_OK, "%s", error.text);
    fclose(file);
    return text;
}

static void check_bounds(struct settings *settings)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        const void *field = settings_field(settings, setting);
        if (setting->kind == KIND_NUMBER || setting->kind == KIND_MODE)
            FUZZ_CHECK(*(const size_t *)field >= setting->min &&
                           *(const size_t *)field <= setting->max,
                       "%s is %zu", setting->key, *(const size_t *)field);
        else if (setting->kind != KIND_CHOICE && setting->kind != KIND_MODELS)
            FUZZ_CHECK(memchr(field, '\0', SETTINGS_TEXT_BYTES) && strlen(field) >= setting->min,
                       "%s has no end", setting->key);
    }
    FUZZ_CHECK(settings->model_count >= 1 && settings->model_count <= SETTINGS_MODELS_MAX,
               "%zu models", settings->model_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings, again;
    struct ppm_error error = {0};
    if (read_text(data, size, &settings, &error) != PPM_OK) {
        fuzz_check_error(&error);
        settings_release(&settings);
        return 0;
    }
    check_bounds(&settings);
    size_t bytes, again_bytes;
    char *text = print(&settings, &bytes);
    FUZZ_CHECK(read_text(text, bytes, &again, &error) == PPM_OK, "%s\n%s", error.text, text);
    char *again_text = print(&again, &again_bytes);
    FUZZ_CHECK(strcmp(text, again_text) == 0, "%s\n%s", text, again_text);
    settings_release(&settings);
    settings_release(&again);
    free(text);
    free(again_text);
    return 0;
}

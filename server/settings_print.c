/* settings_print.c - the settings in effect, and their help. */
#include "server/settings_table.h"

#include <jansson.h>
#include <string.h>

enum ppm_status settings_print(const struct settings *settings, FILE *file, struct ppm_error *error)
{
    json_t *root = json_object();
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        const void *field = (const char *)settings + setting->offset;
        json_t *value = NULL;
        if (setting->kind == KIND_TEXT)
            value = json_string(field);
        else if (setting->kind == KIND_NUMBER)
            value = json_integer((json_int_t) * (const size_t *)field);
        else if (setting->kind == KIND_LEVEL)
            value = json_string(settings_levels[*(const size_t *)field]);
        else
            value = json_array();
        for (size_t k = 0; setting->kind == KIND_MODELS && k < settings->model_count; k++)
            json_array_append_new(value, json_string(settings->models[k]));
        json_object_set_new(root, setting->key, value);
    }
    int result = json_dumpf(root, file, JSON_INDENT(2));
    json_decref(root);
    if (result != 0 || fputc('\n', file) == EOF || fflush(file) != 0)
        return ppm_fail(error, PPM_IO, "cannot print the configuration");
    return PPM_OK;
}

void settings_print_help(FILE *file)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        char flag[64], standard[64];
        settings_flag(setting, flag, sizeof flag);
        if (setting->kind == KIND_MODELS)
            snprintf(standard, sizeof standard, "the four listings");
        else if (setting->kind == KIND_NUMBER)
            snprintf(standard, sizeof standard, "%zu", setting->standard);
        else
            snprintf(standard, sizeof standard, "%s",
                     setting->kind == KIND_LEVEL ? settings_levels[setting->standard]
                                                 : setting->standard_text);
        size_t at = strlen(flag);
        snprintf(flag + at, sizeof flag - at, " %s", setting->value);
        fprintf(file, "  %-28s %s [%s]\n", flag, setting->help, standard);
    }
}

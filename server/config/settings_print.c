/* settings_print.c - see settings_print.h. */
#include "server/config/settings_print.h"
#include "server/config/settings_table.h"

#include <jansson.h>
#include <string.h>

static json_t *list_json(const char *origins)
{
    json_t *list = json_array();
    while (*origins) {
        const size_t bytes = strcspn(origins, ",");
        if (json_array_append_new(list, json_stringn(origins, bytes)) != 0) {
            json_decref(list);
            return NULL;
        }
        origins += bytes + (origins[bytes] ? 1 : 0);
    }
    return list;
}

enum ppm_status settings_print(const struct settings *settings, FILE *file, struct ppm_error *error)
{
    json_t *root = json_object();
    int result = 0;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        const void *field = (const char *)settings + setting->offset;
        char choice[CHOICE_BYTES];
        json_t *value = NULL;
        if (setting->kind == KIND_TEXT || setting->kind == KIND_PATH)
            value = json_string(field);
        else if (setting->kind == KIND_LIST)
            value = list_json(field);
        else if (setting->kind == KIND_SWITCH)
            value = json_boolean(*(const bool *)field);
        else if (setting->kind == KIND_MODE)
            value = json_sprintf("%04zo", *(const size_t *)field);
        else if (setting->kind == KIND_NUMBER)
            value = json_integer((json_int_t) * (const size_t *)field);
        else if (setting->kind == KIND_CHOICE)
            value = json_string(settings_choice(setting, *(const size_t *)field, choice));
        else
            value = json_array();
        for (size_t k = 0; setting->kind == KIND_MODELS && k < settings->model_count; k++)
            result |= json_array_append_new(value, json_string(settings->models[k]));
        result |= json_object_set_new(root, setting->key, value);
    }
    if (result == 0)
        result = json_dumpf(root, file, JSON_INDENT(2));
    json_decref(root);
    if (result != 0 || fputc('\n', file) == EOF || fflush(file) != 0)
        return ppm_fail(error, PPM_IO, "cannot print the configuration");
    return PPM_OK;
}

/* A setting's default and, of a number, its bounds. */
static void describe_standard(const struct setting *setting, char *ret, size_t bytes)
{
    char choice[CHOICE_BYTES];
    if (setting->kind == KIND_MODELS)
        snprintf(ret, bytes, "the four listings and street");
    else if (setting->kind == KIND_NUMBER)
        snprintf(ret, bytes, "%zu; %zu to %zu", setting->standard, setting->min, setting->max);
    else if (setting->kind == KIND_SWITCH)
        snprintf(ret, bytes, "%s", setting->standard ? "true" : "false");
    else if (setting->kind == KIND_MODE)
        snprintf(ret, bytes, "%04zo", setting->standard);
    else if (setting->kind == KIND_CHOICE)
        snprintf(ret, bytes, "%s", settings_choice(setting, setting->standard, choice));
    else
        snprintf(ret, bytes, "%s", *setting->standard_text ? setting->standard_text : "none");
}

static void print_help_of(const struct setting *setting, FILE *file)
{
    char flag[64], standard[64];
    settings_flag(setting, flag, sizeof flag);
    describe_standard(setting, standard, sizeof standard);
    const size_t at = strlen(flag);
    snprintf(flag + at, sizeof flag - at, " %s", setting->value);
    fprintf(file, "  %-28s %s [%s]\n", flag, setting->help, standard);
}

void settings_print_help(FILE *file)
{
    for (int group = 0; group < GROUP_COUNT; group++) {
        fprintf(file, "\n%s:\n", settings_groups[group]);
        for (size_t i = 0; i < settings_count; i++)
            if ((int)settings_table[i].group == group)
                print_help_of(&settings_table[i], file);
    }
}

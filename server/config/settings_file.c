/* settings_file.c - the settings of a configuration file. */
#include "server/config/settings_file.h"
#include "server/config/settings_names.h"
#include "server/config/settings_set.h"
#include "server/config/settings_table.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

static enum ppm_status refuse_element(const char *where, size_t index, const json_t *value,
                                      const char *expected, struct ppm_error *error)
{
    char element[SETTINGS_TEXT_BYTES + 96];
    snprintf(element, sizeof element, "%s[%zu]", where, index);
    return ppm_json_refuse(element, value, PPM_BAD_CONFIG, error, "%s", expected);
}

static enum ppm_status set_models_json(struct settings *settings, const json_t *value,
                                       const char *where, struct ppm_error *error)
{
    size_t i;
    json_t *model;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return ppm_json_refuse(where, value, PPM_BAD_CONFIG, error, "an array of model files");
    settings_forget_models(settings);
    json_array_foreach(value, i, model)
    {
        if (!json_is_string(model))
            return refuse_element(where, i, model, "the path of a model's JSON", error);
        if (settings_add_model(settings, json_string_value(model), where, error) != PPM_OK)
            return error->status;
    }
    const char *slash = strrchr(settings->config_path, '/');
    if (slash)
        snprintf(settings->models_directory, sizeof settings->models_directory, "%.*s",
                 (int)(slash - settings->config_path), settings->config_path);
    return PPM_OK;
}

/* ["https://a.example", "https://b.example"], to the text of a flag. */
static enum ppm_status set_list_json(struct settings *settings, const struct setting *setting,
                                     const json_t *list, const char *where, struct ppm_error *error)
{
    char text[SETTINGS_TEXT_BYTES] = "";
    size_t i, at = 0;
    json_t *origin;
    json_array_foreach(list, i, origin)
    {
        const char *name = json_string_value(origin);
        if (!name || !*name || strchr(name, ',') || at + strlen(name) + 2 > sizeof text)
            return refuse_element(where, i, origin,
                                  "a string without a comma, and at most 1023 bytes in all", error);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", name);
    }
    return settings_set_text(settings, setting, text, where, error);
}

static enum ppm_status set_json(struct settings *settings, const struct setting *setting,
                                const json_t *value, const char *where, struct ppm_error *error)
{
    char number[32];
    if (setting->kind == KIND_MODELS)
        return set_models_json(settings, value, where, error);
    if (setting->kind == KIND_NUMBER && json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return settings_set_text(settings, setting, number, where, error);
    }
    if (setting->kind == KIND_SWITCH && json_is_boolean(value))
        return settings_set_text(settings, setting, json_is_true(value) ? "true" : "false", where,
                                 error);
    if (setting->kind == KIND_LIST && json_is_array(value))
        return set_list_json(settings, setting, value, where, error);
    if (setting->kind == KIND_NUMBER)
        return ppm_json_refuse(where, value, PPM_BAD_CONFIG, error, "an integer from %zu to %zu",
                               setting->min, setting->max);
    if (setting->kind == KIND_SWITCH || !json_is_string(value))
        return ppm_json_refuse(where, value, PPM_BAD_CONFIG, error, "%s%s",
                               setting->kind == KIND_SWITCH   ? "true or false"
                               : setting->kind == KIND_LIST   ? "an array of strings"
                               : setting->kind == KIND_CHOICE ? "one of "
                                                              : "a string",
                               setting->kind == KIND_CHOICE ? setting->value : "");
    const char *text = json_string_value(value), *slash = strrchr(settings->config_path, '/');
    char path[2 * SETTINGS_TEXT_BYTES];
    if (setting->kind == KIND_PATH && slash && *text && *text != '/') {
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - settings->config_path),
                 settings->config_path, text);
        text = path;
    }
    return settings_set_text(settings, setting, text, where, error);
}

static const struct setting *find_key(const char *key)
{
    for (size_t i = 0; i < settings_count; i++)
        if (strcmp(settings_table[i].key, key) == 0)
            return &settings_table[i];
    return NULL;
}

enum ppm_status settings_read_file(struct settings *settings, struct ppm_error *error)
{
    const char *path = settings->config_path;
    const char *key;
    json_t *value;
    json_t *root = ppm_json_load_file(path, CONFIG_BYTES_MAX, error);
    json_object_foreach(root, key, value)
    {
        char where[SETTINGS_TEXT_BYTES + 64];
        const struct setting *setting = find_key(key);
        snprintf(where, sizeof where, "%s: %.40s", path, setting ? key : "");
        if (!setting)
            settings_refuse_name(where, "key", key, "--print-config", error);
        else if (set_json(settings, setting, value, where, error) != PPM_OK)
            break;
    }
    json_decref(root);
    return error->status;
}

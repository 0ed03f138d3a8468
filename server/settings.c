/* settings.c - see settings.h. */
#include "server/settings.h"
#include "server/arguments.h"
#include "server/settings_table.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

static void forget_models(struct settings *settings)
{
    for (size_t i = 0; i < settings->model_count; i++)
        free(settings->models[i]);
    settings->model_count = 0;
    settings->models_directory[0] = '\0';
}

static enum ppm_status add_model(struct settings *settings, const char *path, const char *where,
                                 struct ppm_error *error)
{
    if (settings->model_count == SETTINGS_MODELS_MAX)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found more than %d models", where,
                        SETTINGS_MODELS_MAX);
    if (!*path)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found an empty name, expected a model's JSON",
                        where);
    if (!(settings->models[settings->model_count] = strdup(path)))
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    settings->model_count++;
    return PPM_OK;
}

static enum ppm_status set_choice(struct settings *settings, const struct setting *setting,
                                  const char *text, const char *where, struct ppm_error *error)
{
    char name[CHOICE_BYTES];
    for (size_t i = 0; *settings_choice(setting, i, name); i++)
        if (strcmp(text, name) == 0) {
            *(size_t *)settings_field(settings, setting) = i;
            return PPM_OK;
        }
    return ppm_fail(error, PPM_BAD_CONFIG, "%s: found \"%.40s\", expected one of %s", where, text,
                    setting->value);
}

static bool is_boolean(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static enum ppm_status set_switch(struct settings *settings, const struct setting *setting,
                                  const char *text, const char *where, struct ppm_error *error)
{
    if (!is_boolean(text))
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found \"%.40s\", expected true or false", where,
                        text);
    *(bool *)settings_field(settings, setting) = *text == 't';
    return PPM_OK;
}

/* Three or four octal digits. */
static enum ppm_status set_mode(struct settings *settings, const struct setting *setting,
                                const char *text, const char *where, struct ppm_error *error)
{
    const size_t bytes = strlen(text);
    const unsigned long mode = strtoul(text, NULL, 8);
    if (bytes < 3 || bytes > 4 || strspn(text, "01234567") != bytes || mode > setting->max)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found \"%.40s\", expected octal digits such as 0660", where, text);
    *(size_t *)settings_field(settings, setting) = mode;
    return PPM_OK;
}

/* Sets a setting, but for the models, from text; where names it in an error. */
static enum ppm_status set_text(struct settings *settings, const struct setting *setting,
                                const char *text, const char *where, struct ppm_error *error)
{
    if (setting->kind == KIND_NUMBER)
        return arguments_number(where, text, setting->min, setting->max,
                                settings_field(settings, setting), error);
    if (setting->kind == KIND_SWITCH)
        return set_switch(settings, setting, text, where, error);
    if (setting->kind == KIND_MODE)
        return set_mode(settings, setting, text, where, error);
    if (setting->kind == KIND_CHOICE)
        return set_choice(settings, setting, text, where, error);
    if (strlen(text) < setting->min || strlen(text) >= SETTINGS_TEXT_BYTES)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found %zu bytes, expected %zu to %d", where,
                        strlen(text), setting->min, SETTINGS_TEXT_BYTES - 1);
    snprintf(settings_field(settings, setting), SETTINGS_TEXT_BYTES, "%s", text);
    return PPM_OK;
}

/* ---- defaults ---- */

/* Where the models that come with the program are: installed, or beside a build. In this order:
 * some other /configs is two folders above /usr/bin. */
static void find_standard_directory(char *ret_path, size_t bytes)
{
    static const char *const places[] = {"../share/ppm-server/configs", "../configs",
                                         "../../configs"};
    char program[SETTINGS_TEXT_BYTES / 2] = "";
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = length > 0 ? strrchr(program, '/') : NULL;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(ret_path, bytes, "%.*s/%s", (int)(slash - program), program, places[i]);
        if (access(ret_path, R_OK) == 0)
            return;
    }
    snprintf(ret_path, bytes, "configs");
}

static enum ppm_status set_defaults(struct settings *settings, struct ppm_error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->standard_text)
            snprintf(settings_field(settings, setting), SETTINGS_TEXT_BYTES, "%s",
                     setting->standard_text);
        else if (setting->kind == KIND_SWITCH)
            *(bool *)settings_field(settings, setting) = setting->standard;
        else if (setting->kind != KIND_MODELS)
            *(size_t *)settings_field(settings, setting) = setting->standard;
    }
    for (size_t i = 0; i < STANDARD_MODEL_COUNT; i++)
        if (add_model(settings, settings_standard_models[i], "defaults", error) != PPM_OK)
            return error->status;
    find_standard_directory(settings->models_directory, sizeof settings->models_directory);
    return PPM_OK;
}

/* ---- file ---- */

static enum ppm_status set_models_json(struct settings *settings, const json_t *value,
                                       const char *where, struct ppm_error *error)
{
    size_t i;
    json_t *model;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: expected a list of model files", where);
    forget_models(settings);
    json_array_foreach(value, i, model)
    {
        if (!json_is_string(model))
            return ppm_fail(error, PPM_BAD_CONFIG, "%s[%zu]: expected the path of a model's JSON",
                            where, i);
        if (add_model(settings, json_string_value(model), where, error) != PPM_OK)
            return error->status;
    }
    const char *slash = strrchr(settings->config_path, '/');
    if (slash)
        snprintf(settings->models_directory, sizeof settings->models_directory, "%.*s",
                 (int)(slash - settings->config_path), settings->config_path);
    return PPM_OK;
}

/* ["https://a.example", "https://b.example"], as it would stand in a flag */
static enum ppm_status set_origins_json(struct settings *settings, const struct setting *setting,
                                        const json_t *list, const char *where,
                                        struct ppm_error *error)
{
    char text[SETTINGS_TEXT_BYTES] = "";
    size_t i, at = 0;
    json_t *origin;
    json_array_foreach(list, i, origin)
    {
        const char *name = json_string_value(origin);
        if (!name || !*name || strchr(name, ',') || at + strlen(name) + 2 > sizeof text)
            return ppm_fail(
                error, PPM_BAD_CONFIG,
                "%s[%zu]: expected origins such as \"https://example.org\", of %d bytes "
                "in all",
                where, i, SETTINGS_TEXT_BYTES - 1);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", name);
    }
    return set_text(settings, setting, text, where, error);
}

static enum ppm_status set_json(struct settings *settings, const struct setting *setting,
                                const json_t *value, const char *where, struct ppm_error *error)
{
    char number[32];
    if (setting->kind == KIND_MODELS)
        return set_models_json(settings, value, where, error);
    if (setting->kind == KIND_NUMBER && json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return set_text(settings, setting, number, where, error);
    }
    if (setting->kind == KIND_SWITCH && json_is_boolean(value))
        return set_text(settings, setting, json_is_true(value) ? "true" : "false", where, error);
    if (setting->kind == KIND_ORIGINS && json_is_array(value))
        return set_origins_json(settings, setting, value, where, error);
    if (setting->kind == KIND_NUMBER || setting->kind == KIND_SWITCH || !json_is_string(value))
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found another type, expected %s", where,
                        setting->kind == KIND_NUMBER   ? "a whole number"
                        : setting->kind == KIND_SWITCH ? "true or false"
                                                       : "a string");
    const char *text = json_string_value(value), *slash = strrchr(settings->config_path, '/');
    char path[2 * SETTINGS_TEXT_BYTES];
    if (setting->kind == KIND_PATH && slash && *text && *text != '/') {
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - settings->config_path),
                 settings->config_path, text);
        text = path;
    }
    return set_text(settings, setting, text, where, error);
}

static const struct setting *find_key(const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(settings_table[i].key, key) == 0)
            return &settings_table[i];
    return NULL;
}

static enum ppm_status read_file(struct settings *settings, struct ppm_error *error)
{
    const char *path = settings->config_path;
    const char *key;
    json_t *value;
    json_t *root = ppm_json_load_file(path, CONFIG_BYTES_MAX, error);
    json_object_foreach(root, key, value)
    {
        char where[SETTINGS_TEXT_BYTES + 64];
        const struct setting *setting = find_key(key);
        snprintf(where, sizeof where, "%s: %.40s", path, key);
        if (!setting)
            ppm_fail(error, PPM_BAD_CONFIG,
                     "%s: no such setting; \"ppm-server serve --print-config\" shows them all",
                     where);
        else if (set_json(settings, setting, value, where, error) != PPM_OK)
            break;
    }
    json_decref(root);
    return error->status;
}

/* ---- environment and flags ---- */

/* "a.json:b.json" */
static enum ppm_status set_models_variable(struct settings *settings, const char *list,
                                           struct ppm_error *error)
{
    char *copy = strdup(list), *rest = copy;
    if (!copy)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    forget_models(settings);
    for (char *path; error->status == PPM_OK && (path = strsep(&rest, ":"));)
        add_model(settings, path, "PPM_MODELS", error);
    free(copy);
    return error->status;
}

static enum ppm_status read_environment(struct settings *settings, struct ppm_error *error)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char variable[64];
        settings_variable(&settings_table[i], variable, sizeof variable);
        const char *text = getenv(variable);
        if (!text)
            continue;
        if (settings_table[i].kind == KIND_MODELS)
            set_models_variable(settings, text, error);
        else
            set_text(settings, &settings_table[i], text, variable, error);
        if (error->status != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

/* "--flag", "--flag=true" or "--flag true" */
static bool match_switch(const char *flag, int count, char *const *arguments, int *at,
                         const char **ret_value)
{
    if (strcmp(arguments[*at], flag) != 0)
        return false;
    *ret_value = *at + 1 < count && is_boolean(arguments[*at + 1]) ? arguments[++*at] : "true";
    return true;
}

static enum ppm_status read_flag(struct settings *settings, int count, char *const *arguments,
                                 int *at, bool *has_models, struct ppm_error *error)
{
    const char *value = NULL;
    const char *argument = arguments[*at];
    if (strcmp(argument, "--print-config") == 0 || strcmp(argument, "--check-config") == 0) {
        *(argument[2] == 'p' ? &settings->print_config : &settings->check_config) = true;
        return PPM_OK;
    }
    if (argument_match("--config", count, arguments, at, &value, error))
        return error->status; /* read before the others */
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char flag[64];
        settings_flag(&settings_table[i], flag, sizeof flag);
        const bool is_switch = settings_table[i].kind == KIND_SWITCH;
        if (!(is_switch && match_switch(flag, count, arguments, at, &value)) &&
            !argument_match(flag, count, arguments, at, &value, error))
            continue;
        if (error->status != PPM_OK)
            return error->status;
        if (settings_table[i].kind != KIND_MODELS)
            return set_text(settings, &settings_table[i], value, flag, error);
        if (!*has_models)
            forget_models(settings);
        *has_models = true;
        return add_model(settings, value, flag, error);
    }
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "found \"%.60s\", expected a flag; \"ppm-server serve --help\" lists them",
                    argument);
}

static enum ppm_status find_config_path(struct settings *settings, int count,
                                        char *const *arguments, struct ppm_error *error)
{
    const char *path = getenv("PPM_CONFIG");
    for (int at = 0; at < count; at++)
        if (argument_match("--config", count, arguments, &at, &path, error) &&
            error->status != PPM_OK)
            return error->status;
    if (path && (!*path || strlen(path) >= sizeof settings->config_path))
        return ppm_fail(error, PPM_BAD_CONFIG, "--config: expected the path of a JSON file");
    snprintf(settings->config_path, sizeof settings->config_path, "%s", path ? path : "");
    return PPM_OK;
}

enum ppm_status settings_read(int count, char *const *arguments, struct settings *ret_settings,
                              struct ppm_error *error)
{
    bool has_models = false;
    *ret_settings = (struct settings){0};
    if (set_defaults(ret_settings, error) != PPM_OK ||
        find_config_path(ret_settings, count, arguments, error) != PPM_OK ||
        (*ret_settings->config_path && read_file(ret_settings, error) != PPM_OK) ||
        read_environment(ret_settings, error) != PPM_OK)
        return error->status;
    for (int at = 0; at < count; at++)
        if (read_flag(ret_settings, count, arguments, &at, &has_models, error) != PPM_OK)
            return error->status;
    return PPM_OK;
}

void settings_release(struct settings *settings)
{
    forget_models(settings);
}

void settings_model_path(const struct settings *settings, size_t index, char *ret_path,
                         size_t ret_bytes)
{
    const char *model = settings->models[index], *directory = settings->models_directory;
    bool is_plain = model[0] == '/' || !*directory;
    snprintf(ret_path, ret_bytes, "%s%s%s", is_plain ? "" : directory, is_plain ? "" : "/", model);
}

/* settings.c - see settings.h. */
#include "server/config/settings.h"
#include "server/config/arguments.h"
#include "server/config/settings_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void settings_forget_models(struct settings *settings)
{
    for (size_t i = 0; i < settings->model_count; i++)
        free(settings->models[i]);
    settings->model_count = 0;
    settings->models_directory[0] = '\0';
}

enum ppm_status settings_add_model(struct settings *settings, const char *path, const char *where,
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
enum ppm_status settings_set_text(struct settings *settings, const struct setting *setting,
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
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found %zu byte%s, expected %zu to %d", where,
                        strlen(text), ppm_plural(strlen(text)), setting->min,
                        SETTINGS_TEXT_BYTES - 1);
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
        if (settings_add_model(settings, settings_standard_models[i], "defaults", error) != PPM_OK)
            return error->status;
    find_standard_directory(settings->models_directory, sizeof settings->models_directory);
    return PPM_OK;
}

/* ---- file ---- */

/* ---- environment and flags ---- */

/* "a.json:b.json" */
static enum ppm_status set_models_variable(struct settings *settings, const char *list,
                                           struct ppm_error *error)
{
    char *copy = strdup(list), *rest = copy;
    if (!copy)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    settings_forget_models(settings);
    for (char *path; error->status == PPM_OK && (path = strsep(&rest, ":"));)
        settings_add_model(settings, path, "PPM_MODELS", error);
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
            settings_set_text(settings, &settings_table[i], text, variable, error);
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
            return settings_set_text(settings, &settings_table[i], value, flag, error);
        if (!*has_models)
            settings_forget_models(settings);
        *has_models = true;
        return settings_add_model(settings, value, flag, error);
    }
    if (strncmp(argument, "--", 2) == 0)
        return settings_refuse_name("", "flag", argument, "--help", error);
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "found \"%.60s\", expected a flag; \"ppm-server serve --help\" lists them all",
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
        (*ret_settings->config_path && settings_read_file(ret_settings, error) != PPM_OK) ||
        read_environment(ret_settings, error) != PPM_OK)
        return error->status;
    for (int at = 0; at < count; at++)
        if (read_flag(ret_settings, count, arguments, &at, &has_models, error) != PPM_OK)
            return error->status;
    return PPM_OK;
}

void settings_release(struct settings *settings)
{
    settings_forget_models(settings);
}

void settings_model_path(const struct settings *settings, size_t index, char *ret_path,
                         size_t ret_bytes)
{
    const char *model = settings->models[index], *directory = settings->models_directory;
    bool is_plain = model[0] == '/' || !*directory;
    snprintf(ret_path, ret_bytes, "%s%s%s", is_plain ? "" : directory, is_plain ? "" : "/", model);
}

/* settings.c - see settings.h. */
#include "server/config/settings.h"
#include "server/config/arguments.h"
#include "server/config/settings_file.h"
#include "server/config/settings_names.h"
#include "server/config/settings_set.h"
#include "server/config/settings_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- defaults ---- */

/* Finds the models that come with the program, installed or next to a build. The order matters: two
 * folders above /usr/bin there may be another /configs. */
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
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->standard_text)
            snprintf(settings_field(settings, setting), SETTINGS_TEXT_BYTES, "%s",
                     setting->standard_text);
        else if (setting->kind == KIND_SWITCH)
            *(bool *)settings_field(settings, setting) = setting->standard;
        else if (setting->kind != KIND_MODELS)
            *(size_t *)settings_field(settings, setting) = setting->standard;
    }
    for (const char *const *model = settings_standard_models; *model; model++)
        if (settings_add_model(settings, *model, "defaults", error) != PPM_OK)
            return error->status;
    find_standard_directory(settings->models_directory, sizeof settings->models_directory);
    return PPM_OK;
}

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
    for (size_t i = 0; i < settings_count; i++) {
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
    *ret_value =
        *at + 1 < count && settings_is_boolean(arguments[*at + 1]) ? arguments[++*at] : "true";
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
    for (size_t i = 0; i < settings_count; i++) {
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
        if (strncmp(value, "--", 2) == 0)
            return ppm_fail(error, PPM_BAD_CONFIG,
                            "%s: found the flag \"%.60s\", expected a file or a folder", flag,
                            value);
        if (!*has_models)
            settings_forget_models(settings);
        *has_models = true;
        settings_add_model(settings, value, flag, error);
        while (error->status == PPM_OK && *at + 1 < count && *arguments[*at + 1] != '-')
            settings_add_model(settings, arguments[++*at], flag, error);
        return error->status;
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

size_t settings_threads(const struct settings *settings)
{
    return settings->threads ? settings->threads : (size_t)ppm_default_threads();
}

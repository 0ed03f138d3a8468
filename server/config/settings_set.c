/* settings_set.c - see settings_set.h. */
#include "server/config/settings_set.h"
#include "server/config/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool settings_is_boolean(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static enum ppm_status set_switch(struct settings *settings, const struct setting *setting,
                                  const char *text, const char *where, struct ppm_error *error)
{
    if (!settings_is_boolean(text))
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

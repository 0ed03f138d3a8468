/* settings_table.h - private to settings*.c: the rows of the table of settings. */
#ifndef PPM_SERVER_SETTINGS_TABLE_H
#define PPM_SERVER_SETTINGS_TABLE_H

#include "server/settings.h"

enum setting_kind { KIND_NUMBER, KIND_TEXT, KIND_LEVEL, KIND_MODELS };

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t offset;
    size_t min, max, standard; /* bounds and default of numbers and levels */
    const char *standard_text;
    const char *value; /* what stands for it in --help */
    const char *help;
};

enum { SETTING_COUNT = 13, LEVEL_COUNT = LOG_DEBUG + 1, STANDARD_MODEL_COUNT = 4 };

extern const struct setting settings_table[SETTING_COUNT];
extern const char *const settings_levels[LEVEL_COUNT]; /* in the order of enum log_level */
extern const char *const settings_standard_models[STANDARD_MODEL_COUNT];

/* A setting's field, "PPM_..." and "--...". The models are filled one at a time: --model. */
void *settings_field(struct settings *settings, const struct setting *setting);
void settings_variable(const struct setting *setting, char *ret, size_t bytes);
void settings_flag(const struct setting *setting, char *ret, size_t bytes);

#endif

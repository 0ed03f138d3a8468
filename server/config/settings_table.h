/* settings_table.h - private to settings*.c: the rows of the table of settings. */
#ifndef PPM_SERVER_CONFIG_SETTINGS_TABLE_H
#define PPM_SERVER_CONFIG_SETTINGS_TABLE_H

#include "server/config/settings.h"

enum setting_kind {
    KIND_NUMBER,
    KIND_SWITCH, /* its flag may stand alone: true */
    KIND_MODE,   /* of a file: "0600" */
    KIND_CHOICE,
    KIND_TEXT,
    KIND_PATH, /* in a file: relative to it */
    KIND_LIST, /* with commas between; in a file: a list */
    KIND_MODELS
};

enum setting_group {
    GROUP_SERVED,
    GROUP_COMPUTING,
    GROUP_LIMITS,
    GROUP_DEADLINES,
    GROUP_ACCESS,
    GROUP_LOG,
    GROUP_COUNT
};

struct setting {
    const char *key;
    enum setting_group group; /* where --help lists it */
    enum setting_kind kind;
    size_t offset;
    size_t min, max, standard; /* bounds and default of numbers; a choice is its number, from 0; the
                                  least bytes of a text */
    const char *standard_text;
    const char *value; /* what stands for it in --help; the choices: "text|json" */
    const char *help;
};

enum { SETTING_COUNT = 34, STANDARD_MODEL_COUNT = 4, CHOICE_BYTES = 16 };

extern const struct setting settings_table[SETTING_COUNT];
extern const char *const settings_groups[GROUP_COUNT]; /* their headings in --help */
extern const char *const settings_standard_models[STANDARD_MODEL_COUNT];

/* A setting's field, "PPM_..." and "--...". The models are filled one at a time: --model. */
void *settings_field(struct settings *settings, const struct setting *setting);
void settings_variable(const struct setting *setting, char *ret, size_t bytes);
void settings_flag(const struct setting *setting, char *ret, size_t bytes);

/* For the readers of files, of the environment and of flags; where names the setting in an error.
 */
void settings_forget_models(struct settings *settings);
enum ppm_status settings_add_model(struct settings *settings, const char *path, const char *where,
                                   struct ppm_error *error);
/* Sets any setting but the models from text. */
enum ppm_status settings_set_text(struct settings *settings, const struct setting *setting,
                                  const char *text, const char *where, struct ppm_error *error);
enum ppm_status settings_read_file(struct settings *settings, struct ppm_error *error);

/* Refuses a key, or with "--" before it a flag, that no setting has. where ends with ": " or is
 * empty; list is the flag of serve that shows all of them. */
enum ppm_status settings_refuse_name(const char *where, const char *kind, const char *name,
                                     const char *list, struct ppm_error *error);

/* The setting that a mistyped key, flag (without "--") or variable (without "PPM_") is most like;
 * NULL: none. */
const struct setting *settings_nearest(const char *name);

/* Writes the name of a choice, empty when there are not so many. Returns ret_name. */
const char *settings_choice(const struct setting *setting, size_t number,
                            char ret_name[CHOICE_BYTES]);

#endif

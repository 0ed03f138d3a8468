/* settings_table.h - the table of settings, for the files of this folder. */
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
    KIND_LIST, /* separated by commas; in a file: an array */
    KIND_MODELS
};

enum setting_change { AT_RELOAD, AT_RESTART };

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
    enum setting_group group;   /* where --help lists it */
    enum setting_change change; /* when a new value is taken up */
    enum setting_kind kind;
    size_t offset;
    /* Bounds and default of a number. A choice is a number from 0. min of a text: its least bytes.
     */
    size_t min, max, standard;
    const char *standard_text;
    const char *value; /* its placeholder in --help, or the choices: "text|json" */
    const char *help;
};

enum { CHOICE_BYTES = 16 };

extern const struct setting settings_table[];
extern const size_t settings_count;
extern const char *const settings_groups[GROUP_COUNT]; /* their headings in --help */
extern const char *const settings_standard_models[];   /* ended by NULL */

/* A setting's field, its variable PPM_... and its flag. Models are set one at a time, by --model.
 */
void *settings_field(struct settings *settings, const struct setting *setting);
void settings_variable(const struct setting *setting, char *ret, size_t bytes);
void settings_flag(const struct setting *setting, char *ret, size_t bytes);

/* Writes the name of a choice, empty beyond the last. Returns ret_name. */
const char *settings_choice(const struct setting *setting, size_t number,
                            char ret_name[CHOICE_BYTES]);

#endif

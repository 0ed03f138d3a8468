/*
 * settings.h - what can be configured: read from a file, the environment and flags, which all
 * follow from the table of settings_table.c.
 *
 * A flag wins over the environment, the environment over the file, the file over the default.
 */
#ifndef PPM_SERVER_CONFIG_SETTINGS_H
#define PPM_SERVER_CONFIG_SETTINGS_H

#include "core/ppm.h"
#include "server/config/http_settings.h"

enum { SETTINGS_MODELS_MAX = 1024 };

struct settings {
    struct http_settings http;
    size_t threads; /* that compute; 0: one for each core that this process may use */
    size_t log_level, log_format;
    size_t log_slow_ms;           /* 0: no request is slow */
    size_t pool_on_arrival_bytes; /* 0: never */
    size_t queue_max;
    size_t max_batch;
    size_t max_queue_delay_us;
    size_t memory_max_bytes;
    size_t image_pixels_max;
    size_t shared_memory_max_bytes;
    size_t queue_timeout_ms, compute_timeout_ms; /* 0: only http.request_timeout_ms */
    size_t drain_delay_ms;
    bool page, allow_shared_memory, allow_model_control;

    char *models[SETTINGS_MODELS_MAX]; /* as written by the user; each is freed */
    size_t model_count;
    size_t watch_models_s; /* between looks at their files; 0: none */
    char
        models_directory[SETTINGS_TEXT_BYTES]; /* where relative paths start; "": the current one */

    char config_path[SETTINGS_TEXT_BYTES]; /* --config; empty: none */
    bool print_config, check_config;
};

/* Reads arguments[0 .. count), which follow the subcommand, the environment and the file.
 * PPM_BAD_CONFIG names the flag, the variable, or the file and key, and says what was found and
 * expected. Release *ret_settings in any case. */
enum ppm_status settings_read(int count, char *const *arguments, struct settings *ret_settings,
                              struct ppm_error *error);
void settings_release(struct settings *settings);

/* The number of threads that compute: as set, or one for each core that this process may use. */
size_t settings_threads(const struct settings *settings);

/* Writes the path at which to open the index-th model. */
void settings_model_path(const struct settings *settings, size_t index, char *ret_path,
                         size_t ret_bytes);

#endif

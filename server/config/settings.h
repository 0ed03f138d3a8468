/*
 * settings.h - what can be configured: one row per setting in settings.c, from which the file, the
 * environment, the flags, --help and --print-config are all read.
 *
 * A flag wins over the environment, the environment over the file, the file over the default.
 */
#ifndef PPM_SERVER_CONFIG_SETTINGS_H
#define PPM_SERVER_CONFIG_SETTINGS_H

#include "core/ppm.h"

#include <stdio.h>

enum { SETTINGS_MODELS_MAX = 1024, SETTINGS_TEXT_BYTES = 1024 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct settings {
    char host[SETTINGS_TEXT_BYTES]; /* name or address, or unix:PATH */
    size_t port;
    size_t threads; /* 0: as many as this process may use cores */
    size_t http_threads;
    size_t log_level;
    size_t log_format;
    size_t connections_max, connections_per_address_max; /* the latter 0: as many */
    size_t connection_memory_bytes;
    size_t pool_on_arrival_bytes; /* 0: never */
    size_t queue_max;
    size_t max_batch;
    size_t max_queue_delay_us;
    size_t body_max_bytes;
    size_t memory_max_bytes;
    size_t shared_memory_max_bytes;
    size_t request_timeout_ms;
    size_t head_timeout_ms, body_timeout_ms, queue_timeout_ms; /* 0: request_timeout_ms alone */
    size_t compute_timeout_ms, response_timeout_ms;
    size_t idle_timeout_s;
    size_t drain_delay_ms;
    size_t socket_mode; /* of a unix socket */
    char keys_file[SETTINGS_TEXT_BYTES], tls_certificate[SETTINGS_TEXT_BYTES],
        tls_key[SETTINGS_TEXT_BYTES];        /* paths; empty: none */
    char cors_origins[SETTINGS_TEXT_BYTES];  /* "*", or origins with commas between; empty: none */
    char allowed_hosts[SETTINGS_TEXT_BYTES]; /* "*", or names with commas between; empty: by host */
    bool page, allow_shared_memory, allow_model_control;

    char *models[SETTINGS_MODELS_MAX]; /* as they were written; each to be freed */
    size_t model_count;
    char models_directory[SETTINGS_TEXT_BYTES]; /* what relative models are relative to; "": here */

    char config_path[SETTINGS_TEXT_BYTES]; /* --config; empty: none */
    bool print_config, check_config;
};

/* Reads arguments[0 .. count), those after the subcommand, with environment and file.
 * PPM_BAD_CONFIG names flag, variable or file and key, what was found and expected.
 * *ret_settings is to be released in any case. */
enum ppm_status settings_read(int count, char *const *arguments, struct settings *ret_settings,
                              struct ppm_error *error);
void settings_release(struct settings *settings);

/* Threads that compute: as set, or as many as this process may use cores. */
size_t settings_threads(const struct settings *settings);

/* Refuses what cannot be served: PPM_BAD_CONFIG names the settings that do not go together. */
enum ppm_status settings_check(const struct settings *settings, struct ppm_error *error);

/* Finds a variable PPM_... of the environment that means nothing, from *at on, 0 at first. False:
 * there is none. Else ret_text says so, and what may have been meant. */
bool settings_unknown_variable(size_t *at, char *ret_text, size_t bytes);

/* The settings in effect as the JSON that --config reads. */
enum ppm_status settings_print(const struct settings *settings, FILE *file,
                               struct ppm_error *error);

/* A line for each flag: what stands for its value, what it is, [its default; a number's bounds]. */
void settings_print_help(FILE *file);

/* Writes the path of the index-th model as it is to be opened. */
void settings_model_path(const struct settings *settings, size_t index, char *ret_path,
                         size_t ret_bytes);

#endif

/* settings_table.c - the table: one row a setting. */
#include "server/settings_table.h"

#include <ctype.h>

const char *const settings_levels[LEVEL_COUNT] = {"error", "warn", "info", "debug"};

#define MIB ((size_t)1 << 20)

const struct setting settings_table[SETTING_COUNT] = {
    {"host", KIND_TEXT, offsetof(struct settings, host), 0, 0, 0, "127.0.0.1", "H|unix:PATH",
     "address to listen on, or the path of a unix socket"},
    {"port", KIND_NUMBER, offsetof(struct settings, port), 0, 65535, 8080, NULL, "P",
     "TCP port; 0 picks a free one"},
    {"threads", KIND_NUMBER, offsetof(struct settings, threads), 0, 1024, 0, NULL, "T",
     "threads that compute; 0: one for each core this process may use"},
    {"models", KIND_MODELS, 0, 0, 0, 0, NULL, "FILE",
     "model to serve (--model, may repeat; the first one answers at /ppm)"},
    {"log_level", KIND_LEVEL, offsetof(struct settings, log_level), 0, 0, LOG_INFO, NULL, "L",
     "error, warn, info (a line a request) or debug"},
    {"http_threads", KIND_NUMBER, offsetof(struct settings, http_threads), 1, 64, 2, NULL, "N",
     "threads that move bytes; they never compute"},
    {"connections_max", KIND_NUMBER, offsetof(struct settings, connections_max), 1, 100000, 512,
     NULL, "N", "open connections; further ones wait to be accepted"},
    {"queue_max", KIND_NUMBER, offsetof(struct settings, queue_max), 1, 100000, 64, NULL, "N",
     "requests waiting to be computed; further ones are answered 503"},
    {"body_max_bytes", KIND_NUMBER, offsetof(struct settings, body_max_bytes), 1, (size_t)1 << 40,
     256 * MIB, NULL, "BYTES", "largest request body; larger ones are answered 413"},
    {"memory_max_bytes", KIND_NUMBER, offsetof(struct settings, memory_max_bytes), 1,
     (size_t)1 << 50, 4096 * MIB, NULL, "BYTES",
     "bodies, answers and intermediates of all requests in flight; beyond it 503"},
    {"request_timeout_ms", KIND_NUMBER, offsetof(struct settings, request_timeout_ms), 1, 86400000,
     120000, NULL, "MS", "from a request's head to its answer; then 504 or 408"},
    {"idle_timeout_s", KIND_NUMBER, offsetof(struct settings, idle_timeout_s), 1, 86400, 60, NULL,
     "SECONDS", "silence after which a connection is closed"},
    {"drain_delay_ms", KIND_NUMBER, offsetof(struct settings, drain_delay_ms), 0, 600000, 0, NULL,
     "MS", "from SIGTERM, when /readyz turns 503, to the end of accepting"},
};
const char *const settings_standard_models[STANDARD_MODEL_COUNT] = {
    "models/listing1-pytorch-ppm.json",
    "models/listing2-pytorch-psp.json",
    "models/listing3-tf2-pool-block.json",
    "models/listing4-tf1-pool-block.json",
};

void *settings_field(struct settings *settings, const struct setting *setting)
{
    return (char *)settings + setting->offset;
}

void settings_variable(const struct setting *setting, char *ret, size_t bytes)
{
    int length = snprintf(ret, bytes, "PPM_%s", setting->key);
    for (int i = 0; i < length; i++)
        ret[i] = (char)toupper((unsigned char)ret[i]);
}

void settings_flag(const struct setting *setting, char *ret, size_t bytes)
{
    int length =
        snprintf(ret, bytes, "--%s", setting->kind == KIND_MODELS ? "model" : setting->key);
    for (int i = 0; i < length; i++)
        ret[i] = ret[i] == '_' ? '-' : ret[i];
}

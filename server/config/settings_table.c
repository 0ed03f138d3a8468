/* settings_table.c - the table, with a row for each setting. */
#include "server/config/settings_table.h"
#include "server/base/log_level.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

const struct setting settings_table[] = {
    {"host", GROUP_SERVED, AT_RESTART, KIND_TEXT, offsetof(struct settings, http.host), 1, 0, 0,
     "127.0.0.1", "H|unix:PATH", "address to listen on, or the path of a unix socket"},
    {"port", GROUP_SERVED, AT_RESTART, KIND_NUMBER, offsetof(struct settings, http.port), 0, 65535,
     8080, NULL, "P", "TCP port; 0 picks a free one"},
    {"threads", GROUP_COMPUTING, AT_RESTART, KIND_NUMBER, offsetof(struct settings, threads), 0,
     1024, 0, NULL, "T", "computing threads; 0: one for each core this process may use"},
    {"models", GROUP_SERVED, AT_RELOAD, KIND_MODELS, 0, 0, 0, 0, NULL, "FILE...",
     "models to serve, or folders of them; the first one answers at /ppm"},
    {"watch_models_s", GROUP_SERVED, AT_RELOAD, KIND_NUMBER,
     offsetof(struct settings, watch_models_s), 0, 86400, 0, NULL, "SECONDS",
     "look for changed files of models this often, and reload as for SIGHUP; 0: never"},
    {"log_level", GROUP_LOG, AT_RELOAD, KIND_CHOICE, offsetof(struct settings, log_level), 0, 0,
     LOG_INFO, NULL, "error|warn|info|debug",
     "least severe records to log; info: a line for each request, else for refused ones"},
    {"log_format", GROUP_LOG, AT_RELOAD, KIND_CHOICE, offsetof(struct settings, log_format), 0, 0,
     LOG_TEXT, NULL, "text|json", "lines of text, or one JSON object per line"},
    {"log_slow_ms", GROUP_LOG, AT_RELOAD, KIND_NUMBER, offsetof(struct settings, log_slow_ms), 0,
     86400000, 0, NULL, "MS", "log requests that take longer, at any log level; 0: none for that"},
    {"http_threads", GROUP_LIMITS, AT_RESTART, KIND_NUMBER, offsetof(struct settings, http.threads),
     1, 64, 2, NULL, "N", "threads for HTTP; they also compute what takes microseconds"},
    {"connections_max", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.connections_max), 1, 100000, 512, NULL, "N",
     "open connections; beyond it idle ones are closed, and if all are busy a new one gets 503"},
    {"connections_per_address_max", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.connections_per_address_max), 0, 100000, 0, NULL, "N",
     "open connections from one address; more are closed. 0: no limit"},
    {"connection_memory_bytes", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.connection_memory_bytes), (size_t)1 << 15, (size_t)1 << 26,
     (size_t)1 << 16, NULL, "BYTES",
     "memory for each connection; more is faster for large bodies, slower for small ones"},
    {"pool_on_arrival_bytes", GROUP_COMPUTING, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, pool_on_arrival_bytes), 0, (size_t)1 << 40, (size_t)1 << 18, NULL,
     "BYTES", "pool NCHW bodies of at least this size while they arrive; 0: never"},
    {"queue_max", GROUP_LIMITS, AT_RESTART, KIND_NUMBER, offsetof(struct settings, queue_max), 1,
     100000, 64, NULL, "N", "requests that may wait for computation; more get 503"},
    {"max_batch", GROUP_COMPUTING, AT_RESTART, KIND_NUMBER, offsetof(struct settings, max_batch), 1,
     1024, 8, NULL, "N", "requests of one model and shape computed together, where that is faster"},
    {"max_queue_delay_us", GROUP_COMPUTING, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, max_queue_delay_us), 0, 1000000, 0, NULL, "US",
     "how long a request waits for others to join its batch"},
    {"body_max_bytes", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.body_max_bytes), 1, (size_t)1 << 40, 256 * MIB, NULL, "BYTES",
     "largest request body; a larger one gets 413"},
    {"memory_max_bytes", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, memory_max_bytes), 1, (size_t)1 << 50, 4096 * MIB, NULL, "BYTES",
     "memory for bodies, answers and intermediate results of all requests; beyond it 503"},
    {"image_pixels_max", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, image_pixels_max), 1, (size_t)1 << 32, 40000000, NULL, "N",
     "pixels of an image; a larger one gets 413 as soon as its head has come"},
    {"shared_memory_max_bytes", GROUP_LIMITS, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, shared_memory_max_bytes), 4096, (size_t)1 << 46, 65536 * MIB, NULL,
     "BYTES", "total size of registered shared memory, with allow_shared_memory"},
    {"request_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.request_timeout_ms), 1, 86400000, 120000, NULL, "MS",
     "from a request's head to its answer; then 504 or 408"},
    {"head_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.head_timeout_ms), 0, 86400000, 10000, NULL, "MS",
     "to receive a request's head; then 408. 0, here and below: only request_timeout_ms"},
    {"body_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.body_timeout_ms), 0, 86400000, 0, NULL, "MS",
     "to receive its body; then 408"},
    {"queue_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, queue_timeout_ms), 0, 86400000, 0, NULL, "MS",
     "to wait for computation; then 504"},
    {"compute_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, compute_timeout_ms), 0, 86400000, 0, NULL, "MS",
     "to compute it; then 504"},
    {"response_timeout_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.response_timeout_ms), 0, 86400000, 0, NULL, "MS",
     "for the client to read the answer"},
    {"idle_timeout_s", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, http.idle_timeout_s), 1, 86400, 60, NULL, "SECONDS",
     "how long a connection may stay open without a request"},
    {"drain_delay_ms", GROUP_DEADLINES, AT_RESTART, KIND_NUMBER,
     offsetof(struct settings, drain_delay_ms), 0, 600000, 0, NULL, "MS",
     "from SIGTERM, when /readyz turns 503, to the end of accepting connections"},
    {"socket_mode", GROUP_SERVED, AT_RESTART, KIND_MODE,
     offsetof(struct settings, http.socket_mode), 0, 0777, 0600, NULL, "MODE",
     "permissions of a unix socket, as for chmod"},
    {"keys_file", GROUP_ACCESS, AT_RELOAD, KIND_PATH, offsetof(struct settings, http.keys_file), 0,
     0, 0, "", "FILE",
     "one key per line; each request must have one of them; SIGHUP reads it again"},
    {"tls_certificate", GROUP_ACCESS, AT_RELOAD, KIND_PATH,
     offsetof(struct settings, http.tls_certificate), 0, 0, 0, "", "FILE",
     "PEM, the server's certificate first; enables HTTPS; SIGHUP reads it again"},
    {"tls_key", GROUP_ACCESS, AT_RELOAD, KIND_PATH, offsetof(struct settings, http.tls_key), 0, 0,
     0, "", "FILE", "PEM, the certificate's private key"},
    {"cors_origins", GROUP_ACCESS, AT_RESTART, KIND_LIST,
     offsetof(struct settings, http.cors_origins), 0, 0, 0, "", "ORIGIN,...",
     "origins whose pages may send requests from a browser; *: any"},
    {"allowed_hosts", GROUP_ACCESS, AT_RESTART, KIND_LIST,
     offsetof(struct settings, http.allowed_hosts), 0, 0, 0, "", "NAME,...",
     "host names to answer to; *: any. Default: this machine's on a loopback address, else any"},
    {"page", GROUP_SERVED, AT_RESTART, KIND_SWITCH, offsetof(struct settings, page), 0, 0, true,
     NULL, "true|false", "serve a page at / that tries the models"},
    {"allow_shared_memory", GROUP_ACCESS, AT_RESTART, KIND_SWITCH,
     offsetof(struct settings, allow_shared_memory), 0, 0, false, NULL, "true|false",
     "let clients pass tensors in shared memory"},
    {"allow_model_control", GROUP_ACCESS, AT_RESTART, KIND_SWITCH,
     offsetof(struct settings, allow_model_control), 0, 0, false, NULL, "true|false",
     "let clients load and unload models"},
};

const size_t settings_count = sizeof settings_table / sizeof *settings_table;

const char *const settings_groups[GROUP_COUNT] = {
    [GROUP_SERVED] = "What is served, and where",
    [GROUP_COMPUTING] = "Computation",
    [GROUP_LIMITS] = "Connections, queue and memory",
    [GROUP_DEADLINES] = "Deadlines",
    [GROUP_ACCESS] = "Access",
    [GROUP_LOG] = "Log",
};

const char *const settings_standard_models[] = {
    "models/listing1-pytorch-ppm.json",
    "models/listing2-pytorch-psp.json",
    "models/listing3-tf2-pool-block.json",
    "models/listing4-tf1-pool-block.json",
    "models/street.json",
    "models/street-without-pyramid.json",
    NULL,
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

const char *settings_choice(const struct setting *setting, size_t number,
                            char ret_name[CHOICE_BYTES])
{
    const char *at = setting->value;
    for (; number > 0 && *at; number--) {
        at += strcspn(at, "|");
        at += *at ? 1 : 0;
    }
    snprintf(ret_name, CHOICE_BYTES, "%.*s", (int)strcspn(at, "|"), at);
    return ret_name;
}

/* http_settings.h - the settings of an HTTP server, whatever it serves. */
#ifndef PPM_SERVER_CONFIG_HTTP_SETTINGS_H
#define PPM_SERVER_CONFIG_HTTP_SETTINGS_H

#include <stddef.h>

enum { SETTINGS_TEXT_BYTES = 1024 };

struct http_settings {
    char host[SETTINGS_TEXT_BYTES]; /* name or address, or unix:PATH */
    size_t port;                    /* 0: any free one */
    size_t socket_mode;             /* of a unix socket */
    size_t threads;
    size_t connections_max, connections_per_address_max; /* the latter 0: no limit of its own */
    size_t connection_memory_bytes; /* bounds a head; a body is received by halves of it */
    size_t body_max_bytes;
    size_t request_timeout_ms;
    size_t head_timeout_ms, body_timeout_ms, response_timeout_ms; /* 0: only request_timeout_ms */
    size_t idle_timeout_s;
    /* Paths; empty: none. */
    char keys_file[SETTINGS_TEXT_BYTES], tls_certificate[SETTINGS_TEXT_BYTES],
        tls_key[SETTINGS_TEXT_BYTES];
    /* "*", or a list with commas; empty: none, and by host (origin.c). */
    char cors_origins[SETTINGS_TEXT_BYTES], allowed_hosts[SETTINGS_TEXT_BYTES];
};

#endif

/* http_server.h - the state of a server, which its parts share. */
#ifndef PPM_SERVER_HTTP_HTTP_SERVER_H
#define PPM_SERVER_HTTP_HTTP_SERVER_H

#include "server/http/http.h"
#include "server/http/linger.h"

/* Connections beyond connections_max, for health checks while all others are busy. */
enum { HTTP_SPARE_CONNECTIONS = 16 };

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    atomic_int listener;    /* -1 once it is shut */
    bool has_tls;           /* with the certificate of http_access_use */
    bool is_shared;         /* the listener: the process that passed it goes on with it */
    bool is_loopback;       /* the address it listens on: only this machine reaches it */
    atomic_bool is_leaving; /* each answer ends its connection */
    char address[1100];
    atomic_size_t in_flight;
    atomic_size_t open_connections;
    pthread_mutex_t connections_mutex;
    size_t leaving_connections;          /* cut off and not yet closed; guarded by the mutex */
    struct http_connection *connections; /* the newest first; guarded by the mutex */
    struct http_lingering lingering;
    pthread_t watcher;
    atomic_bool is_stopping;
    atomic_long messages_at_s; /* a second, */
    atomic_int messages;       /* and the number of the library's messages in it */
};

#endif

/* linger.h - connections that the library has closed while their clients may still be sending. */
#ifndef PPM_SERVER_HTTP_LINGER_H
#define PPM_SERVER_HTTP_LINGER_H

#include "core/ppm.h"

#include <pthread.h>

struct http_connection;
struct http_server;

enum { HTTP_LINGERING_MAX = 32 };
struct http_lingering {
    pthread_mutex_t mutex;
    int added;    /* an eventfd that wakes the watching thread: there is one more */
    size_t count; /* grows on any thread, shrinks on the watching one */
    int descriptors[HTTP_LINGERING_MAX];
    double end_s[HTTP_LINGERING_MAX]; /* when each is closed, monotonic */
};

/* Keeps the socket of a connection open for a client that has not sent all of its body. */
void http_linger(struct http_connection *connection);
size_t http_lingering_count(struct http_server *server);

/* For the watching thread: discards what these clients send for the given time. */
void http_linger_for(struct http_server *server, double seconds);
enum ppm_status http_start_lingering(struct http_server *server, struct ppm_error *error);
void http_stop_lingering(struct http_server *server);

#endif

/* watcher.c - see watcher.h. */
#include "server/http/watcher.h"
#include "server/http/connections.h"
#include "server/http/deadlines.h"
#include "server/http/http_server.h"
#include "server/http/linger.h"

#include <string.h>

enum { LOOK_EVERY_MS = 50 };

static void *watch(void *context)
{
    struct http_server *server = context;
    while (!atomic_load(&server->is_stopping)) {
        http_linger_for(server, LOOK_EVERY_MS / 1e3);
        http_cut_off_late(server);
        http_make_room(server);
        server->options.on_tick(server->options.context);
    }
    return NULL;
}

enum ppm_status http_start_watching(struct http_server *server, struct ppm_error *error)
{
    pthread_mutex_init(&server->connections_mutex, NULL);
    if (http_start_lingering(server, error) != PPM_OK)
        return error->status;
    int result = pthread_create(&server->watcher, NULL, watch, server);
    if (result == 0)
        return PPM_OK;
    http_stop_lingering(server);
    return ppm_fail(error, PPM_NO_MEMORY, "cannot start a thread: %s", strerror(result));
}

void http_stop_watching(struct http_server *server)
{
    atomic_store(&server->is_stopping, true);
    pthread_join(server->watcher, NULL);
    http_stop_lingering(server);
    pthread_mutex_destroy(&server->connections_mutex);
}

/* http_server.c - start and stop.
 *
 * libmicrohttpd 0.9.75 crashes when it has to refuse a malformed head while it is being stopped, so
 * all connections are ended first (http_close_connections). */
#include "server/http/http_server.h"
#include "server/base/clock.h"
#include "server/http/access.h"
#include "server/http/connections.h"
#include "server/http/handle.h"
#include "server/http/linger.h"
#include "server/http/listen.h"
#include "server/http/origin.h"
#include "server/http/probe.h"
#include "server/http/watcher.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGES_PER_S = 10,
    ACCEPT_GRACE_US = 20000,
    RETRY_ACCEPT_US = 20000,
    REQUEST_WITHIN_MS = 500,
};

/* Out of descriptors, for example, the library repeats a message without end, and a thread of it
 * without connections tries again and again. Slowing that thread down delays nobody. */
static void on_message(void *context, const char *format, va_list arguments)
{
    if (strstr(format, "resource limit at FIRST connection"))
        usleep(RETRY_ACCEPT_US);
    struct http_server *server = context;
    char text[256];
    const long now_s = (long)clock_now_s();
    if (atomic_exchange(&server->messages_at_s, now_s) != now_s)
        atomic_store(&server->messages, 0);
    if (atomic_fetch_add(&server->messages, 1) >= MESSAGES_PER_S)
        return;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    server->options.on_message(text);
}

/* Paths are matched as they were sent; the library decodes only query values. */
static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_options *o = &server->options;
    /* poll, not epoll: with epoll, libmicrohttpd 0.9.75 can miss the end of a client that came with
     * its last bytes, and keeps the request until a timeout. The logger comes first, as later
     * options may log. */
    const unsigned tls = server->has_tls ? MHD_USE_TLS : 0;
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | tls, 0, NULL,
        NULL, http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_message, server,
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, server, MHD_OPTION_LISTEN_SOCKET,
        atomic_load(&server->listener), MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->settings.threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->settings.connections_max + HTTP_SPARE_CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->settings.connections_per_address_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->settings.connection_memory_bytes,
        MHD_OPTION_CONNECTION_TIMEOUT, 0U /* see deadlines.c */, MHD_OPTION_URI_LOG_CALLBACK,
        http_on_target, server, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, server,
        server->has_tls ? MHD_OPTION_HTTPS_CERT_CALLBACK2 : MHD_OPTION_END, http_choose_certificate,
        MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", MHD_OPTION_END);
}

struct http_server *http_start(const struct http_options *options, struct ppm_error *error)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    server->options = *options;
    server->has_tls = *options->settings.tls_certificate != '\0';
    server->is_shared = options->listener > 0;
    server->listener = http_probe_library(error) == PPM_OK
                           ? http_listen(options, server->address, sizeof server->address, error)
                           : -1;
    if (server->listener < 0 || http_start_watching(server, error) != PPM_OK)
        goto fail;
    server->is_loopback = http_is_loopback(server->listener);
    if ((server->daemon = start_daemon(server)))
        return server;
    ppm_fail(error, PPM_IO, "cannot serve on %s: the HTTP library did not start", server->address);
    http_stop_watching(server);
fail:
    if (server->listener >= 0)
        close(server->listener);
    free(server);
    return NULL;
}

const char *http_address(const struct http_server *server)
{
    return server->address;
}

void http_stop_accepting(struct http_server *server)
{
    int listener = atomic_exchange(&server->listener, -1);
    if (listener < 0)
        return;
    atomic_store(&server->is_leaving, true);
    if (!server->is_shared)
        http_turn_away(listener, server->address);
    MHD_quiesce_daemon(server->daemon);
    usleep(ACCEPT_GRACE_US); /* a thread may be in accept(), and its connection is served */
    if (!server->is_shared)
        shutdown(listener, SHUT_RDWR);
    close(listener);
}

size_t http_in_flight(const struct http_server *server)
{
    return atomic_load(&server->in_flight);
}

bool http_is_quiet(struct http_server *server)
{
    return http_in_flight(server) == 0 && http_lingering_count(server) == 0 &&
           http_fresh_connections(server, REQUEST_WITHIN_MS / 1e3) == 0;
}

size_t http_connections(const struct http_server *server)
{
    return atomic_load(&server->open_connections);
}

void http_stop(struct http_server *server)
{
    if (!server)
        return;
    http_stop_accepting(server);
    http_close_connections(server);
    MHD_stop_daemon(server->daemon);
    http_stop_watching(server);
    free(server);
}

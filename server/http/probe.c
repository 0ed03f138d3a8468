/* probe.c - see probe.h.
 *
 * framing.c sees bytes because libmicrohttpd 0.9.75 receives them with recv, and guard.c sees a
 * whole head because the library parses it in place. Another version may do neither, and a smuggled
 * request would pass. So before the server starts, two heads go through the library over a pair of
 * sockets. */
#include "server/http/probe.h"
#include "server/http/connection.h"
#include "server/http/framing.h"
#include "server/http/guard.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RUNS_MAX = 16 };

/* What became of a head. */
struct probe {
    struct http_server server;
    struct http_connection connection;
    unsigned status; /* of the guard's refusal; 0: it passed; or NEVER_ASKED */
};

enum { NEVER_ASKED = 1 };

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct probe *probe = context;
    (void)mhd;
    *socket_context = &probe->connection;
    http_frame(&probe->connection, what == MHD_CONNECTION_NOTIFY_STARTED);
}

static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct probe *probe = context;
    (void)mhd;
    free(probe->connection.target);
    probe->connection.target = strdup(target);
    return NULL;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *piece,
                                  size_t *piece_bytes, void **state)
{
    struct probe *probe = context;
    static char path[] = "/";
    struct http_request request = {
        .server = &probe->server, .connection = mhd, .target = path, .path = path};
    (void)url, (void)piece, (void)piece_bytes, (void)state;
    snprintf(request.method, sizeof request.method, "%s", method);
    probe->status = 0;
    if (!probe->connection.target ||
        http_guard(&request, method, probe->connection.target, version) != HTTP_PROCEED)
        probe->status = request.response.status;
    http_drop_response(&request);
    return MHD_NO; /* which ends the connection */
}

/* The status of the guard's refusal, or 0 if the head passes. */
static unsigned ask(const char *head)
{
    static struct probe probe; /* no other thread has started yet */
    const struct sockaddr_un address = {.sun_family = AF_UNIX};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return NEVER_ASKED;
    probe = (struct probe){.status = NEVER_ASKED};
    probe.connection.server = &probe.server;
    probe.connection.descriptor = ends[1];
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, &probe, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, &probe, MHD_OPTION_URI_LOG_CALLBACK, on_target, &probe, MHD_OPTION_END);
    if (daemon && send(ends[0], head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head) &&
        MHD_add_connection(daemon, ends[1], (const struct sockaddr *)&address, sizeof address) ==
            MHD_YES) {
        for (int i = 0; i < RUNS_MAX && probe.status == NEVER_ASKED; i++)
            MHD_run(daemon);
    } else {
        close(ends[1]);
    }
    if (daemon)
        MHD_stop_daemon(daemon);
    http_frame(&probe.connection, false);
    free(probe.connection.target);
    close(ends[0]);
    return probe.status;
}

enum ppm_status http_probe_library(struct ppm_error *error)
{
    /* a space that framing.c drops, and a folded line that the library does not report */
    static const char good[] = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0 \r\n\r\n";
    static const char bad[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n";
    if (ask(good) == 0 && ask(bad) == 400)
        return PPM_OK;
    return ppm_fail(
        error, PPM_IO,
        "libmicrohttpd %s: ambiguous requests would not be detected, expected a version "
        "that receives and parses them as 0.9.75 does",
        MHD_get_version());
}

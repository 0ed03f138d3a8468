/*
 * linger.c - see linger.h.
 *
 * Closing a socket with unread bytes resets the connection, and a client that is still sending
 * never sees the answer. libmicrohttpd 0.9.75 closes at once after an answer that it sends before
 * the end of a body. So a second descriptor keeps the socket open and the rest is discarded until
 * the client has read the answer and closed, but at most for LINGER_S, like nginx's
 * lingering_close.
 */
#include "server/http/linger.h"
#include "server/base/clock.h"
#include "server/http/connection.h"
#include "server/http/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const double LINGER_S = 5;

enum {
    RETRY_POLL_US = 1000,
    PIECE_BYTES = 1 << 16,
    PIECES_MAX = 16 /* of one connection in a turn */
};

void http_linger(struct http_connection *connection)
{
    struct http_lingering *all = &connection->server->lingering;
    pthread_mutex_lock(&all->mutex);
    const bool has_room = all->count < HTTP_LINGERING_MAX;
    const int descriptor = has_room ? fcntl(connection->descriptor, F_DUPFD_CLOEXEC, 0) : -1;
    if (descriptor >= 0) {
        all->descriptors[all->count] = descriptor;
        all->end_s[all->count++] = clock_now_s() + LINGER_S;
    }
    pthread_mutex_unlock(&all->mutex);
    if (descriptor >= 0)
        eventfd_write(all->added, 1);
}

size_t http_lingering_count(struct http_server *server)
{
    pthread_mutex_lock(&server->lingering.mutex);
    const size_t count = server->lingering.count;
    pthread_mutex_unlock(&server->lingering.mutex);
    return count;
}

/* Whether the client may send more. */
static bool discard(int descriptor)
{
    static char piece[PIECE_BYTES];
    ssize_t bytes = 1;
    for (int i = 0; i < PIECES_MAX && bytes > 0; i++)
        bytes = recv(descriptor, piece, sizeof piece, MSG_DONTWAIT | MSG_TRUNC);
    return bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == EINTR));
}

static void remove_at(struct http_lingering *all, size_t i)
{
    pthread_mutex_lock(&all->mutex);
    close(all->descriptors[i]);
    all->count--;
    all->descriptors[i] = all->descriptors[all->count];
    all->end_s[i] = all->end_s[all->count];
    pthread_mutex_unlock(&all->mutex);
}

static size_t list_for_poll(struct http_lingering *all, struct pollfd *ret)
{
    pthread_mutex_lock(&all->mutex);
    const size_t count = all->count;
    for (size_t i = 0; i < count; i++)
        ret[i] = (struct pollfd){.fd = all->descriptors[i], .events = POLLIN};
    pthread_mutex_unlock(&all->mutex);
    ret[count] = (struct pollfd){.fd = all->added, .events = POLLIN};
    return count;
}

void http_linger_for(struct http_server *server, double seconds)
{
    struct http_lingering *all = &server->lingering;
    struct pollfd ready[HTTP_LINGERING_MAX + 1];
    const double end_s = clock_now_s() + seconds;
    for (double left_s; (left_s = end_s - clock_now_s()) > 0;) {
        const size_t count = list_for_poll(all, ready);
        eventfd_t added;
        if (poll(ready, (nfds_t)count + 1, (int)(1e3 * left_s) + 1) < 0) {
            usleep(RETRY_POLL_US);
            continue;
        }
        if (ready[count].revents)
            eventfd_read(all->added, &added);
        for (size_t i = count; i-- > 0;)
            if ((ready[i].revents && !discard(ready[i].fd)) || all->end_s[i] < clock_now_s())
                remove_at(all, i);
    }
}

enum ppm_status http_start_lingering(struct http_server *server, struct ppm_error *error)
{
    pthread_mutex_init(&server->lingering.mutex, NULL);
    server->lingering.added = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->lingering.added < 0)
        return ppm_fail(error, PPM_IO, "cannot make an eventfd: %s", strerror(errno));
    return PPM_OK;
}

void http_stop_lingering(struct http_server *server)
{
    for (size_t i = server->lingering.count; i-- > 0;)
        remove_at(&server->lingering, i);
    if (server->lingering.added >= 0)
        close(server->lingering.added);
    pthread_mutex_destroy(&server->lingering.mutex);
}

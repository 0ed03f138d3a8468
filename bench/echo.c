/*
 * echo.c - the minimal server on libmicrohttpd: reads a body, responds with ANSWER_BYTES bytes.
 * It has the settings of server/http/http_server.c, so the difference is our own code.
 *
 *     echo ADDRESS ANSWER_BYTES HTTP_THREADS CONNECTION_MEMORY_BYTES
 *
 * ADDRESS is unix:PATH or an IPv4 address and port. Serves until it gets a signal.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <malloc.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 511, CONNECTIONS_MAX = 512, IDLE_TIMEOUT_S = 60 };

struct body {
    size_t bytes, capacity;
    char memory[];
};

static size_t answer_bytes;
static char *answer;

static struct body *create_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const size_t capacity = length ? strtoul(length, NULL, 10) : 0;
    struct body *body = malloc(sizeof *body + capacity);
    if (body)
        *body = (struct body){.capacity = capacity};
    return body;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *piece,
                                  size_t *piece_bytes, void **state)
{
    struct body *body = *state;
    (void)context, (void)url, (void)method, (void)version;
    if (!body)
        return (*state = create_body(connection)) ? MHD_YES : MHD_NO;
    if (*piece_bytes > 0) {
        if (*piece_bytes > body->capacity - body->bytes)
            return MHD_NO;
        memcpy(body->memory + body->bytes, piece, *piece_bytes);
        body->bytes += *piece_bytes;
        *piece_bytes = 0;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer_bytes, answer, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)context, (void)connection, (void)why;
    free(*state);
    *state = NULL;
}

static int bind_to(const char *address)
{
    const char *colon = strchr(address, ':');
    const int yes = 1;
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in name = {.sin_family = AF_INET};
    const int is_unix = strncmp(address, "unix:", 5) == 0;
    const int listener = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (is_unix) {
        snprintf(path.sun_path, sizeof path.sun_path, "%s", address + 5);
        return bind(listener, (struct sockaddr *)&path, sizeof path) == 0 ? listener : -1;
    }
    char host[INET_ADDRSTRLEN];
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    if (!colon || inet_pton(AF_INET, host, &name.sin_addr) != 1)
        return -1;
    name.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(listener, (struct sockaddr *)&name, sizeof name) == 0 ? listener : -1;
}

int main(int count, char **arguments)
{
    if (count != 5) {
        fprintf(stderr, "usage: echo ADDRESS ANSWER_BYTES HTTP_THREADS CONNECTION_MEMORY_BYTES\n");
        return 2;
    }
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* bodies come to pages that are there already */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    answer_bytes = strtoul(arguments[2], NULL, 10);
    answer = malloc(answer_bytes);
    const int listener = bind_to(arguments[1]);
    if (!answer || listener < 0 || listen(listener, BACKLOG) != 0) {
        perror(arguments[1]);
        return 1;
    }
    memset(answer, 1, answer_bytes);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, NULL, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)strtoul(arguments[3], NULL, 10), MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)strtoul(arguments[4], NULL, 10), MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!daemon)
        return 1;
    for (;;)
        pause();
}

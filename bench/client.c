/*
 * client.c - posts one body repeatedly and times the responses: for bodies and responses so large
 * that wrk would use a good part of the machine.
 *
 *     client ADDRESS TARGET BODY CONNECTIONS SECONDS [HEADERS]
 *
 * ADDRESS is unix:PATH or an IPv4 address and port, BODY a file; HEADERS, lines with "\n" between,
 * are sent instead of a Content-Type of raw bytes. Each connection has one request in
 * flight. After SECONDS it starts no more, and waits for those in flight.
 * Prints one line of JSON.
 *
 * One thread. It counts the bytes of responses, over TCP without copying them (MSG_TRUNC).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    SCRATCH_BYTES = 1 << 18,
    AHEAD_BYTES = 4 << 20, /* what TCP buffers, if the kernel allows it */
    HEAD_BYTES = 4096,
    CONNECTIONS_MAX = 1024,
};

struct connection {
    int descriptor;
    bool is_waiting_to_write;
    size_t sent_bytes;
    char head[HEAD_BYTES]; /* of the answer */
    size_t head_bytes;
    bool is_in_body;
    bool is_failed, closes;
    size_t body_bytes; /* of the response, still to come */
    double start_s;
};

static struct {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    char *request; /* head and body */
    size_t request_bytes;
    int epoll;
    char *scratch;
    double *latencies_s;
    size_t count, capacity, failed;
} client;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void read_address(const char *text)
{
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un *name = (struct sockaddr_un *)&client.address;
        name->sun_family = AF_UNIX;
        snprintf(name->sun_path, sizeof name->sun_path, "%s", text + 5);
        client.address_bytes = sizeof *name;
        return;
    }
    struct sockaddr_in *name = (struct sockaddr_in *)&client.address;
    const char *colon = strchr(text, ':');
    char host[INET_ADDRSTRLEN];
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || inet_pton(AF_INET, host, &name->sin_addr) != 1)
        die(text);
    name->sin_family = AF_INET;
    name->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    client.address_bytes = sizeof *name;
}

static void make_request(const char *path, const char *target, const char *headers)
{
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0)
        die(path);
    const size_t body_bytes = (size_t)status.st_size;
    client.request = malloc(HEAD_BYTES + body_bytes);
    if (!client.request)
        die(path);
    client.request_bytes = (size_t)snprintf(client.request, HEAD_BYTES,
                                            "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                                            "%s\r\nContent-Length: %zu\r\n\r\n",
                                            target, headers, body_bytes);
    if (read(file, client.request + client.request_bytes, body_bytes) != (ssize_t)body_bytes)
        die(path);
    client.request_bytes += body_bytes;
    close(file);
}

static void watch(struct connection *connection, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(client.epoll, operation, connection->descriptor, &event) != 0)
        die("epoll_ctl");
}

static void open_connection(struct connection *connection)
{
    const int yes = 1, ahead_bytes = AHEAD_BYTES;
    connection->descriptor = socket(client.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client.address.ss_family == AF_UNIX)
        setsockopt(connection->descriptor, SOL_SOCKET, SO_SNDBUF, &ahead_bytes, sizeof ahead_bytes);
    if (connection->descriptor < 0 ||
        connect(connection->descriptor, (struct sockaddr *)&client.address, client.address_bytes))
        die("connect");
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(connection->descriptor, F_SETFL, O_NONBLOCK);
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

static void wait_to_write(struct connection *connection, bool is_waiting)
{
    if (connection->is_waiting_to_write != is_waiting)
        watch(connection, EPOLL_CTL_MOD, is_waiting ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->is_waiting_to_write = is_waiting;
}

static void send_more(struct connection *connection)
{
    while (connection->sent_bytes < client.request_bytes) {
        const ssize_t sent = send(connection->descriptor, client.request + connection->sent_bytes,
                                  client.request_bytes - connection->sent_bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            wait_to_write(connection, true);
            return;
        }
        if (sent < 0) /* refused within the body: the response says why */
            break;
        connection->sent_bytes += (size_t)sent;
    }
    connection->sent_bytes = client.request_bytes;
    wait_to_write(connection, false);
}

static void begin(struct connection *connection)
{
    connection->sent_bytes = connection->head_bytes = 0;
    connection->is_in_body = connection->is_failed = false;
    connection->start_s = now_s();
    send_more(connection);
}

/* The response's head is complete, followed by part of its body. */
static void read_head(struct connection *connection, size_t bytes_after)
{
    const char *length = strcasestr(connection->head, "\r\nContent-Length:");
    if (strncmp(connection->head, "HTTP/1.1 200 ", 13) != 0)
        connection->is_failed = true;
    connection->closes = strcasestr(connection->head, "\r\nConnection: close") != NULL;
    connection->body_bytes = length ? strtoul(length + 17, NULL, 10) : 0;
    if (!length || connection->body_bytes < bytes_after)
        die("an answer without its length");
    connection->body_bytes -= bytes_after;
    connection->is_in_body = true;
}

/* Receives what has arrived, at most to the response's end. False: nothing more now. */
static bool receive(struct connection *connection)
{
    const bool is_tcp = client.address.ss_family == AF_INET;
    if (!connection->is_in_body) {
        char *to = connection->head + connection->head_bytes;
        ssize_t got = recv(connection->descriptor, to, HEAD_BYTES - 1 - connection->head_bytes, 0);
        if (got <= 0)
            goto nothing;
        connection->head_bytes += (size_t)got;
        connection->head[connection->head_bytes] = '\0';
        const char *end = strstr(connection->head, "\r\n\r\n");
        if (end)
            read_head(connection, connection->head_bytes - (size_t)(end + 4 - connection->head));
        return true;
    }
    const size_t room =
        is_tcp || connection->body_bytes < SCRATCH_BYTES ? connection->body_bytes : SCRATCH_BYTES;
    ssize_t got = recv(connection->descriptor, client.scratch, room, is_tcp ? MSG_TRUNC : 0);
    if (got <= 0)
        goto nothing;
    connection->body_bytes -= (size_t)got;
    return true;
nothing:
    if (errno != EAGAIN)
        die("the server closed a connection within its answer");
    return false;
}

static void record(struct connection *connection, double end_s)
{
    if (client.count == client.capacity) {
        client.capacity = client.capacity ? 2 * client.capacity : 4096;
        client.latencies_s =
            realloc(client.latencies_s, client.capacity * sizeof *client.latencies_s);
        if (!client.latencies_s)
            die("latencies");
    }
    client.latencies_s[client.count++] = end_s - connection->start_s;
    client.failed += connection->is_failed ? 1 : 0;
}

/* -> the number of requests finished and not restarted */
static size_t serve(struct connection *connection, unsigned events, double end_s)
{
    if (events & EPOLLOUT)
        send_more(connection);
    while (events != EPOLLOUT && receive(connection)) {
        if (!connection->is_in_body || connection->body_bytes > 0)
            continue;
        const double at_s = now_s();
        record(connection, at_s);
        if (connection->closes) {
            close(connection->descriptor);
            open_connection(connection);
        }
        if (at_s >= end_s)
            return 1;
        begin(connection);
    }
    return 0;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print_result(double seconds)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const struct timeval user = usage.ru_utime, kernel = usage.ru_stime;
    const double cpu_s =
        (double)(user.tv_sec + kernel.tv_sec) + 1e-6 * (double)(user.tv_usec + kernel.tv_usec);
    const size_t last = client.count - 1;
    qsort(client.latencies_s, client.count, sizeof *client.latencies_s, by_value);
    printf("{\"requests\": %zu, \"failed\": %zu, \"seconds\": %.6f, \"p50_ms\": %.4f, "
           "\"p99_ms\": %.4f, \"client_cpu_s\": %.4f}\n",
           client.count, client.failed, seconds, 1e3 * client.latencies_s[last / 2],
           1e3 * client.latencies_s[(size_t)(0.99 * (double)last + 0.5)], cpu_s);
}

int main(int count, char **arguments)
{
    if (count != 6 && count != 7) {
        fprintf(stderr, "usage: client unix:PATH|IPV4:PORT TARGET BODY CONNECTIONS SECONDS "
                        "[HEADERS]\n");
        return 2;
    }
    size_t connections = strtoul(arguments[4], NULL, 10), running;
    connections = connections < 1                 ? 1
                  : connections > CONNECTIONS_MAX ? CONNECTIONS_MAX
                                                  : connections;
    struct connection *all = calloc(connections, sizeof *all);
    client.scratch = malloc(SCRATCH_BYTES);
    client.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !client.scratch || client.epoll < 0)
        die("client");
    read_address(arguments[1]);
    make_request(arguments[3], arguments[2],
                 count > 6 ? arguments[6] : "Content-Type: application/octet-stream");
    for (size_t i = 0; i < connections; i++)
        open_connection(&all[i]);
    const double start_s = now_s(), end_s = start_s + strtod(arguments[5], NULL);
    for (size_t i = 0; i < connections; i++)
        begin(&all[i]);
    for (running = connections; running > 0;) {
        struct epoll_event events[64];
        const int ready = epoll_wait(client.epoll, events, 64, -1);
        for (int i = 0; i < ready; i++)
            running -= serve(events[i].data.ptr, events[i].events, end_s);
    }
    print_result(now_s() - start_s);
    return 0;
}

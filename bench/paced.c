/*
 * paced.c - sends a body at the speed of a network and times the response from the body's last
 * byte.
 *
 *     paced TARGET BODY GBIT_PER_S ROUNDS ADDRESS...
 *
 * BODY is a file, each ADDRESS an IPv4 address and port; 0 Gbit/s is as fast as the socket takes
 * it. Each round uses every server, starting with a different one, on a
 * connection that stays open; the first round is a warm-up. Prints one line of JSON: for each
 * server a list of milliseconds from the last byte sent to the first byte received, and the median
 * time of sending.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, SERVERS_MAX = 4, ROUNDS_MAX = 10000, PIECE_BYTES = 64 << 10 };

static char *request;
static size_t request_bytes;
static double bytes_per_s;

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

static int connect_to(const char *text)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    const int yes = 1;
    const char *colon = strchr(text, ':');
    char host[INET_ADDRSTRLEN];
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || inet_pton(AF_INET, host, &name.sin_addr) != 1)
        die(text);
    name.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&name, sizeof name) != 0)
        die(text);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return descriptor;
}

static void make_request(const char *path, const char *target)
{
    struct stat status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0)
        die(path);
    const size_t body_bytes = (size_t)status.st_size;
    request = malloc(HEAD_BYTES + body_bytes);
    if (!request)
        die(path);
    request_bytes = (size_t)snprintf(request, HEAD_BYTES,
                                     "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                                     "Content-Type: application/octet-stream\r\n"
                                     "Content-Length: %zu\r\n\r\n",
                                     target, body_bytes);
    if (read(file, request + request_bytes, body_bytes) != (ssize_t)body_bytes)
        die(path);
    request_bytes += body_bytes;
    close(file);
}

/* Sends the request, each piece when it is due. */
static void send_request(int descriptor)
{
    const double start_s = now_s();
    for (size_t sent = 0; sent < request_bytes;) {
        size_t end = sent + PIECE_BYTES < request_bytes ? sent + PIECE_BYTES : request_bytes;
        const double due_s = bytes_per_s > 0 ? start_s + (double)end / bytes_per_s : 0;
        const double wait_s = due_s - now_s();
        if (wait_s > 0)
            nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * wait_s)}, NULL);
        const ssize_t put = send(descriptor, request + sent, end - sent, MSG_NOSIGNAL);
        if (put < 0)
            die("send");
        sent += (size_t)put;
    }
}

/* Reads the response; returns the time of its first byte. */
static double receive_answer(int descriptor)
{
    char head[HEAD_BYTES] = "", *end = NULL;
    size_t bytes = 0;
    double first_s = 0;
    while (!end && bytes < sizeof head - 1) {
        const ssize_t got = recv(descriptor, head + bytes, sizeof head - 1 - bytes, 0);
        if (got <= 0)
            die("recv");
        first_s = first_s > 0 ? first_s : now_s();
        bytes += (size_t)got;
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0 || !end || !length) {
        fprintf(stderr, "%s\n", head);
        exit(1);
    }
    size_t left = strtoul(length + 17, NULL, 10) - (bytes - (size_t)(end + 4 - head));
    while (left > 0) {
        const ssize_t got = recv(descriptor, NULL, left, MSG_TRUNC);
        if (got <= 0)
            die("recv");
        left -= (size_t)got;
    }
    return first_s;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments)
{
    static double waits_ms[SERVERS_MAX][ROUNDS_MAX], sends_ms[SERVERS_MAX * ROUNDS_MAX];
    const int servers = count - 5;
    if (servers < 1 || servers > SERVERS_MAX) {
        fprintf(stderr, "usage: paced TARGET BODY GBIT_PER_S ROUNDS ADDRESS...\n");
        return 2;
    }
    make_request(arguments[2], arguments[1]);
    bytes_per_s = strtod(arguments[3], NULL) * 1e9 / 8;
    const size_t asked = strtoul(arguments[4], NULL, 10);
    const size_t rounds = asked < 1 ? 1 : asked > ROUNDS_MAX ? ROUNDS_MAX : asked;
    int descriptors[SERVERS_MAX];
    size_t sends = 0;
    for (int i = 0; i < servers; i++)
        descriptors[i] = connect_to(arguments[5 + i]);
    for (size_t round = 0; round <= rounds; round++)
        for (int turn = 0; turn < servers; turn++) {
            const int i = (int)((round + (size_t)turn) % (size_t)servers);
            const double start_s = now_s();
            send_request(descriptors[i]);
            const double sent_s = now_s(), first_s = receive_answer(descriptors[i]);
            if (round == 0)
                continue;
            waits_ms[i][round - 1] = 1e3 * (first_s - sent_s);
            sends_ms[sends++] = 1e3 * (sent_s - start_s);
        }
    qsort(sends_ms, sends, sizeof *sends_ms, by_value);
    printf("{\"send_ms\": %.3f, \"waits_ms\": [", sends_ms[sends / 2]);
    for (int i = 0; i < servers; i++) {
        printf("%s[", i ? ", " : "");
        for (size_t round = 0; round < rounds; round++)
            printf("%s%.4f", round ? ", " : "", waits_ms[i][round]);
        printf("]");
    }
    printf("]}\n");
    return 0;
}

/* live_client.c - the client of live_support.h. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int live_connect(const struct live *live)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)live->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const bool is_local = *live->socket_path;
    memcpy(local.sun_path, live->socket_path, sizeof local.sun_path);
    int connection = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connection >= 0);
    const struct sockaddr *name = is_local ? (struct sockaddr *)&local : (void *)&loopback;
    if (connect(connection, name, is_local ? sizeof local : sizeof loopback) == 0)
        return connection;
    close(connection);
    return -1;
}

bool live_send(int connection, const void *bytes, size_t count)
{
    for (size_t sent = 0; sent < count;) {
        struct pollfd poll_for = {.fd = connection, .events = POLLOUT};
        cr_assert(poll(&poll_for, 1, LIVE_WAIT_MS) == 1, "the server does not read");
        ssize_t put =
            send(connection, (const char *)bytes + sent, count - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN)
            return false;
        sent += put > 0 ? (size_t)put : 0;
    }
    return true;
}

bool live_print(int connection, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert(length >= 0 && (size_t)length < sizeof text);
    return live_send(connection, text, (size_t)length);
}

/* Reads up to count bytes; 0: the connection was closed. */
static size_t receive(int connection, char *bytes, size_t count)
{
    struct pollfd poll_for = {.fd = connection, .events = POLLIN};
    cr_assert(poll(&poll_for, 1, LIVE_WAIT_MS) == 1, "the server does not answer");
    ssize_t got = recv(connection, bytes, count, 0);
    return got > 0 ? (size_t)got : 0;
}

bool live_is_answered(int connection)
{
    struct pollfd poll_for = {.fd = connection, .events = POLLIN};
    return poll(&poll_for, 1, 0) == 1;
}

bool live_is_closed(int connection)
{
    char byte;
    return receive(connection, &byte, 1) == 0;
}

/* Byte by byte, so that nothing of the next response is read. */
static bool receive_head(int connection, struct live_answer *answer)
{
    enum { HEAD_BYTES_MAX = 8192 };
    size_t bytes = 0;
    answer->head = calloc(1, HEAD_BYTES_MAX);
    while (bytes < 4 || memcmp(answer->head + bytes - 4, "\r\n\r\n", 4) != 0) {
        if (bytes == HEAD_BYTES_MAX - 1 || receive(connection, answer->head + bytes, 1) == 0)
            return false;
        bytes++;
    }
    return sscanf(answer->head, "HTTP/1.1 %3d ", &answer->status) == 1;
}

bool live_receive(int connection, bool is_head, struct live_answer *ret)
{
    char length[LIVE_HEADER_BYTES];
    struct live_answer answer = {0};
    if (!receive_head(connection, &answer)) {
        free(answer.head);
        return false;
    }
    size_t expected = strtoul(live_header(&answer, "Content-Length", length), NULL, 10);
    expected = is_head || answer.status == 100 ? 0 : expected;
    answer.body = calloc(1, expected + 1);
    while (answer.body_bytes < expected) {
        size_t got =
            receive(connection, answer.body + answer.body_bytes, expected - answer.body_bytes);
        if (got == 0) {
            live_answer_free(&answer);
            return false;
        }
        answer.body_bytes += got;
    }
    *ret = answer;
    return true;
}

struct live_answer live_ask(const struct live *live, const char *method, const char *target,
                            const char *headers, const void *body, size_t body_bytes)
{
    char length[64] = "";
    struct live_answer answer = {0};
    int connection = live_connect(live);
    cr_assert(connection >= 0, "%s %s: cannot connect", method, target);
    if (body)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", body_bytes);
    live_print(connection, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n",
               method, target, headers, length);
    live_send(connection, body, body_bytes); /* an early answer may end it */
    cr_assert(live_receive(connection, strcmp(method, "HEAD") == 0, &answer), "%s %s: no answer",
              method, target);
    close(connection);
    return answer;
}

const char *live_header(const struct live_answer *answer, const char *name,
                        char ret_value[LIVE_HEADER_BYTES])
{
    const size_t length = strlen(name);
    ret_value[0] = '\0';
    for (const char *line = answer->head; (line = strstr(line, "\r\n"));) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            snprintf(ret_value, LIVE_HEADER_BYTES, "%.*s", (int)strcspn(line + length + 2, "\r"),
                     line + length + 2);
    }
    return ret_value;
}

void live_answer_free(struct live_answer *answer)
{
    free(answer->head);
    free(answer->body);
    *answer = (struct live_answer){0};
}

void live_check_problem(const struct live_answer *answer, int status, const char *text,
                        const char *what)
{
    char value[LIVE_HEADER_BYTES];
    const char *title = "", *detail = "", *instance = "";
    int said = 0;
    cr_assert(answer->status == status, "%s: found %d, expected %d: %s", what, answer->status,
              status, answer->body);
    cr_assert_str_eq(live_header(answer, "Content-Type", value), "application/problem+json", "%s",
                     what);
    cr_assert(*live_header(answer, "X-Request-Id", value), "%s: %s", what, answer->head);
    cr_assert(strstr(live_header(answer, "Server-Timing", value), "queue;dur=") &&
                  strstr(value, ", compute;dur="),
              "%s: %s", what, answer->head);
    json_t *problem = json_loads(answer->body, 0, NULL);
    cr_assert(json_unpack(problem, "{s:s, s:i, s:s, s:s}", "title", &title, "status", &said,
                          "detail", &detail, "instance", &instance) == 0,
              "%s: %s", what, answer->body);
    cr_assert(said == status && *title && *instance, "%s: %s", what, answer->body);
    cr_assert(strstr(detail, text) != NULL, "%s: \"%s\" lacks \"%s\"", what, detail, text);
    if (status == 503)
        cr_assert(atoi(live_header(answer, "Retry-After", value)) > 0, "%s: no Retry-After", what);
    json_decref(problem);
}

double live_sample(const struct live_answer *metrics, const char *sample)
{
    char line[160];
    snprintf(line, sizeof line, "\n%s ", sample);
    const char *at = strstr(metrics->body, line);
    cr_assert(at != NULL, "%s: %s", sample, metrics->body);
    return atof(at + strlen(line));
}

double live_metric(const struct live *live, const char *sample)
{
    struct live_answer answer = live_ask(live, "GET", "/metrics", "", NULL, 0);
    const double value = live_sample(&answer, sample);
    live_answer_free(&answer);
    return value;
}

/* As live_metric, on a connection that is kept: *connection, which is -1 at first and when the
 * server has closed it. */
static double metric_on(const struct live *live, int *connection, const char *sample)
{
    char value[LIVE_HEADER_BYTES];
    struct live_answer answer;
    *connection = *connection < 0 ? live_connect(live) : *connection;
    live_print(*connection, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(live_receive(*connection, false, &answer), "%s: no answer", sample);
    if (strcasecmp(live_header(&answer, "Connection", value), "close") == 0) {
        close(*connection);
        *connection = -1;
    }
    const double found = live_sample(&answer, sample);
    live_answer_free(&answer);
    return found;
}

/* A request is in flight for a moment after its response has come. On one connection, the next
 * request begins when the one before has ended, so none of ours but the last is counted. */
void live_wait_metric(const struct live *live, const char *sample, double value)
{
    int connection = -1;
    double found = metric_on(live, &connection, sample);
    for (int waited = 0; found != value; waited += 10) {
        cr_assert(waited < LIVE_WAIT_MS, "%s is %g, expected %g", sample, found, value);
        live_sleep_ms(10);
        found = metric_on(live, &connection, sample);
    }
    if (connection >= 0)
        close(connection);
}

void live_check_serving(const struct live *live, const char *what)
{
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    struct live_answer answer =
        live_ask(live, "POST", "/ppm", "Content-Type: application/x-npy\r\n", x.file, x.file_bytes);
    cr_assert(answer.status == 200, "after %s: %d %s", what, answer.status, answer.body);
    live_answer_free(&answer);
    live_tensor_free(&x);
}

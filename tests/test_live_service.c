/* test_live_service.c - a server started by a service manager: the socket it gets, and its
 * notifications. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(live_service, .timeout = 300);

/* A listening socket on a free port, blocking, as a service manager opens it. */
static int listen_tcp(unsigned *ret_port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof name;
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(descriptor, (struct sockaddr *)&name, bytes) == 0 &&
              listen(descriptor, 16) == 0 &&
              getsockname(descriptor, (struct sockaddr *)&name, &bytes) == 0);
    *ret_port = ntohs(name.sin_port);
    return descriptor;
}

static int bind_unix(const char *path, int type)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    memcpy(name.sun_path, path, strlen(path) + 1);
    cr_assert(bind(descriptor, (struct sockaddr *)&name, sizeof name) == 0);
    return descriptor;
}

/* ---- the socket ---- */

Test(live_service, a_tcp_socket_that_was_passed_is_served)
{
    unsigned port;
    struct live live;
    const int listener = listen_tcp(&port);
    live_start_passing(&live, listener,
                       LIST("serve", "--host", "192.0.2.1", "--model", LISTING1_GOLDEN), NULL);
    cr_assert(live.port == port, "found port %u, expected %u", live.port, port);
    live_check_serving(&live, "a passed socket");
    live_stop(&live);
    close(listener);
}

/* A client that connects during a restart is served by the next server; none is refused. */
Test(live_service, a_passed_socket_outlives_the_server)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    unsigned port;
    struct live first, second;
    struct live_answer answer;
    const int listener = listen_tcp(&port);
    live_start_passing(&first, listener, LIST("serve", "--model", LISTING1_GOLDEN), NULL);
    live_check_serving(&first, "the first server");
    live_stop(&first);

    const int connection = live_connect(&first);
    cr_assert(live_send(connection, request, sizeof request - 1));
    live_start_passing(&second, listener, LIST("serve", "--model", LISTING1_GOLDEN), NULL);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    live_answer_free(&answer);
    close(connection);
    live_check_serving(&second, "the second server");
    live_stop(&second);
    close(listener);
}

Test(live_service, a_unix_socket_that_was_passed_is_served_and_left_in_place)
{
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/socket", directory);
    const int listener = bind_unix(path, SOCK_STREAM);
    cr_assert(listen(listener, 16) == 0);
    live_start_passing(&live, listener, LIST("serve", "--model", LISTING1_GOLDEN), NULL);
    cr_assert_str_eq(live.socket_path, path);
    live_check_serving(&live, "a passed unix socket");
    live_stop(&live);
    cr_assert(access(path, F_OK) == 0, "the file is not the server's to remove");
    close(listener);
    live_directory_remove(directory);
}

static void check_refused(int socket, const char *count, const char *text)
{
    struct live live;
    live_spawn_passing(&live, socket, count, LIST("serve", "--model", LISTING1_GOLDEN), NULL);
    const int status = live_wait(&live);
    char *log = live_log(&live);
    cr_assert(status == 2 && strstr(log, text), "exit status %d: %s", status, log);
    cr_assert(strchr(log, '\n') == log + strlen(log) - 1, "expected one line: %s", log);
    free(log);
    close(live.out);
    close(live.log);
}

Test(live_service, what_cannot_be_served_on_is_refused)
{
    unsigned port;
    char directory[LIVE_PATH_BYTES], path[64];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/datagrams", directory);
    const int listener = listen_tcp(&port), datagrams = bind_unix(path, SOCK_DGRAM);
    const int deaf = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_refused(listener, "2", "LISTEN_FDS: found \"2\" sockets");
    check_refused(listener, "0", "LISTEN_FDS: found \"0\" sockets");
    check_refused(datagrams, "1", "expected a listening TCP or unix stream socket");
    check_refused(deaf, "1", "expected a listening TCP or unix stream socket");
    check_refused(STDOUT_FILENO, "1", "expected a listening TCP or unix stream socket");
    close(listener);
    close(datagrams);
    close(deaf);
    live_directory_remove(directory);
}

/* ---- notifications ---- */

/* Waits for the next message; the test fails unless it begins with text. */
static void expect_message(int receiver, const char *text, const struct live *live)
{
    char message[1024];
    struct pollfd waiting = {.fd = receiver, .events = POLLIN};
    cr_assert(poll(&waiting, 1, LIVE_WAIT_MS) == 1, "\"%s\" did not come", text);
    const ssize_t bytes = recv(receiver, message, sizeof message - 1, 0);
    message[bytes > 0 ? bytes : 0] = '\0';
    cr_assert(strncmp(message, text, strlen(text)) == 0, "found \"%s\", expected \"%s\"", message,
              text);
    cr_assert(kill(live->pid, 0) == 0);
}

Test(live_service, start_reload_and_stop_are_told)
{
    char directory[LIVE_PATH_BYTES], path[64], variable[96], config[64];
    struct live live;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/notify", directory);
    snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", path);
    snprintf(config, sizeof config, "%s/server.json", directory);
    live_write_file(config, "{\"log_level\": \"info\"}");
    const int receiver = bind_unix(path, SOCK_DGRAM);
    live_start(&live, LIST("--config", config, "--model", LISTING1_MODEL), LIST(variable));
    expect_message(receiver, "READY=1\nSTATUS=serving", &live);
    live_check_serving(&live, "after READY=1");

    kill(live.pid, SIGHUP);
    expect_message(receiver, "RELOADING=1\nMONOTONIC_USEC=", &live);
    expect_message(receiver, "READY=1\nSTATUS=serving", &live);

    live_write_file(config, "{");
    kill(live.pid, SIGHUP);
    expect_message(receiver, "RELOADING=1\n", &live);
    expect_message(receiver, "READY=1\nSTATUS=serving; the last reload failed", &live);

    kill(live.pid, SIGTERM);
    expect_message(receiver, "STOPPING=1\n", &live);
    cr_assert(live_wait(&live) == 0);
    close(receiver);
    live_directory_remove(directory);
}

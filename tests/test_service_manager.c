/* test_service_manager.c - sockets from a service manager, and notifications to it. */
#include "server/service/service_manager.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(service_manager, .timeout = 300);

/* ---- the sockets it passes ---- */

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

Test(service_manager, a_socket_for_this_process_is_taken)
{
    char own_pid[24];
    struct ppm_error error = {0};
    snprintf(own_pid, sizeof own_pid, "%ld", (long)getpid());
    set("LISTEN_PID", own_pid);
    set("LISTEN_FDS", "1");
    cr_assert(service_manager_socket(&error) == 3, "%s", error.text);
    cr_assert(error.status == PPM_OK);
}

Test(service_manager, what_is_for_another_process_is_left_alone)
{
    char parent[24], longer[32];
    snprintf(parent, sizeof parent, "%ld", (long)getppid());
    snprintf(longer, sizeof longer, "%ldx", (long)getpid());
    const char *const others[] = {NULL, "", "0", "x", "-1", parent, longer};
    for (size_t i = 0; i < COUNT(others); i++) {
        struct ppm_error error = {0};
        set("LISTEN_PID", others[i]);
        set("LISTEN_FDS", i % 2 ? "2" : "1");
        cr_assert(service_manager_socket(&error) == 0, "%s", others[i] ? others[i] : "none");
        cr_assert(error.status == PPM_OK);
    }
}

Test(service_manager, another_number_of_sockets_than_one_is_refused)
{
    static const char *const counts[] = {NULL, "", "0", "2", "-1", "1x", " 1", "99999999999999"};
    char own_pid[24], found[32];
    snprintf(own_pid, sizeof own_pid, "%ld", (long)getpid());
    set("LISTEN_PID", own_pid);
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct ppm_error error = {0};
        set("LISTEN_FDS", counts[i]);
        snprintf(found, sizeof found, "found \"%s\"", counts[i] ? counts[i] : "");
        cr_assert(service_manager_socket(&error) == -1, "%s", found);
        cr_assert(error.status == PPM_BAD_CONFIG && strstr(error.text, found) &&
                      strstr(error.text, "LISTEN_FDS") && strstr(error.text, "expected 1"),
                  "%s: %s", found, error.text);
    }
}

/* ---- notifications ---- */

/* A socket that receives at address; a leading @ means a zero byte. */
static int receive_at(const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const size_t bytes = strlen(address);
    memcpy(name.sun_path, address, bytes);
    if (*address == '@')
        name.sun_path[0] = '\0';
    const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(descriptor, (struct sockaddr *)&name,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) == 0);
    return descriptor;
}

/* The datagram that has arrived; "" if there is none. */
static void take(int descriptor, char ret_text[1024])
{
    const ssize_t bytes = recv(descriptor, ret_text, 1023, MSG_DONTWAIT);
    ret_text[bytes > 0 ? bytes : 0] = '\0';
}

Test(service_manager, a_path_and_an_abstract_name_are_told)
{
    char directory[LIVE_PATH_BYTES], addresses[2][64], text[1024];
    live_directory_make(directory);
    snprintf(addresses[0], sizeof addresses[0], "%s/notify", directory);
    snprintf(addresses[1], sizeof addresses[1], "@%s", directory);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        const int receiver = receive_at(addresses[i]);
        set("NOTIFY_SOCKET", addresses[i]);
        service_manager_notify("READY=1\nSTATUS=%d models", 4);
        take(receiver, text);
        cr_assert_str_eq(text, "READY=1\nSTATUS=4 models");
        take(receiver, text);
        cr_assert_str_eq(text, "");
        close(receiver);
    }
    live_directory_remove(directory);
}

Test(service_manager, a_long_message_is_cut)
{
    char text[1024];
    const int receiver = receive_at("@ppm-test-long-message");
    set("NOTIFY_SOCKET", "@ppm-test-long-message");
    service_manager_notify("READY=1\n%01000d", 7);
    take(receiver, text);
    cr_assert(strlen(text) > 100 && strlen(text) < 1000 && strncmp(text, "READY=1\n0", 9) == 0);
    close(receiver);
}

Test(service_manager, where_nobody_is_told_nothing_happens)
{
    char longest[400];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    const char *const addresses[] = {NULL,    "",         "/", "@", "relative", "/nowhere/at/all",
                                     longest, "vsock:2:1"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        set("NOTIFY_SOCKET", addresses[i]);
        const int before = dup(STDERR_FILENO);
        service_manager_notify("READY=1");
        const int after = dup(STDERR_FILENO);
        cr_assert(after == before + 1, "%s: a descriptor is left over",
                  addresses[i] ? addresses[i] : "none");
        close(before);
        close(after);
    }
}

/* A manager that does not read must not block the server. */
Test(service_manager, a_full_socket_is_given_up)
{
    char text[1024];
    const int receiver = receive_at("@ppm-test-full");
    const int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path + 1, "ppm-test-full", strlen("ppm-test-full"));
    const socklen_t bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen("@ppm-test-full"));
    while (sendto(sender, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&name, bytes) == 1)
        ;
    set("NOTIFY_SOCKET", "@ppm-test-full");
    service_manager_notify("READY=1");
    for (take(receiver, text); *text; take(receiver, text))
        cr_assert_str_eq(text, "x");
    close(sender);
    close(receiver);
}

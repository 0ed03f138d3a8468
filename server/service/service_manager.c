/* service_manager.c - see service_manager.h. */
#include "server/service/service_manager.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED = 3, MESSAGE_BYTES = 512, FULL_WAIT_S = 1 };

int service_manager_socket(struct ppm_error *error)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    char own_pid[24];
    snprintf(own_pid, sizeof own_pid, "%ld", (long)getpid());
    if (!pid || strcmp(pid, own_pid) != 0)
        return 0; /* for the process that started this one */
    if (count && strcmp(count, "1") == 0)
        return FIRST_PASSED;
    ppm_fail(error, PPM_BAD_CONFIG,
             "LISTEN_FDS: found \"%.20s\" sockets passed to this process, expected 1",
             count ? count : "");
    return -1;
}

/* Reads a path, or @ and an abstract name. Returns the bytes of the address; 0: neither.
 */
static socklen_t read_address(const char *text, struct sockaddr_un *ret)
{
    const size_t bytes = text ? strlen(text) : 0;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (bytes < 2 || bytes >= sizeof ret->sun_path || !strchr("/@", *text))
        return 0;
    memcpy(ret->sun_path, text, bytes);
    if (*text == '@')
        ret->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

void service_manager_notify(const char *format, ...)
{
    const struct timeval patience = {.tv_sec = FULL_WAIT_S};
    struct sockaddr_un address;
    const socklen_t address_bytes = read_address(getenv("NOTIFY_SOCKET"), &address);
    if (address_bytes == 0)
        return;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return;
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sendto(descriptor, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
           address_bytes);
    close(descriptor);
}

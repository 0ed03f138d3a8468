/* listen.c - listening sockets: TCP by name or address, or a unix socket. */
#include "server/http/http_private.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 511 };

static int refuse(const char *address, const char *what, struct ppm_error *error)
{
    ppm_fail(error, PPM_IO, "cannot listen on %s: %s", address, what);
    return -1;
}

/* A socket file that nobody answers at is left over from a process that was killed. */
static void remove_stale_socket(const struct sockaddr_un *name)
{
    struct stat status;
    if (stat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0 && connect(probe, (const struct sockaddr *)name, sizeof *name) != 0 &&
        errno == ECONNREFUSED)
        unlink(name->sun_path);
    if (probe >= 0)
        close(probe);
}

/* bind makes the file with the descriptor's mode, less the umask, so that at no time more may
 * connect than are meant to. */
static bool bind_unix(int descriptor, const struct sockaddr_un *name, mode_t mode)
{
    return fchmod(descriptor, mode) == 0 &&
           bind(descriptor, (const struct sockaddr *)name, sizeof *name) == 0 &&
           chmod(name->sun_path, mode) == 0;
}

static int listen_unix(const char *path, mode_t mode, char *ret_address, size_t address_bytes,
                       struct ppm_error *error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof name.sun_path)
        return refuse("unix:", "expected a path of 1 to 107 bytes after it", error);
    memcpy(name.sun_path, path, strlen(path) + 1);
    remove_stale_socket(&name);
    snprintf(ret_address, address_bytes, "unix:%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0 && bind_unix(descriptor, &name, mode) && listen(descriptor, BACKLOG) == 0)
        return descriptor;
    refuse(ret_address, strerror(errno), error);
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

/* Port 0 became a port of the kernel's choice. */
static unsigned port_of(int descriptor)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } name = {.any = {0}};
    socklen_t bytes = sizeof name;
    if (getsockname(descriptor, &name.any, &bytes) != 0)
        return 0;
    return ntohs(name.any.sa_family == AF_INET6 ? name.ipv6.sin6_port : name.ipv4.sin_port);
}

static int bind_tcp(const struct addrinfo *address)
{
    const int yes = 1;
    int descriptor =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(descriptor, BACKLOG) == 0)
        return descriptor;
    int cause = errno;
    close(descriptor);
    errno = cause;
    return -1;
}

static int listen_tcp(const struct http_options *options, char *ret_address, size_t address_bytes,
                      struct ppm_error *error)
{
    const char *host = options->host, *scheme = options->has_tls ? "https" : "http";
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    char service[8];
    const bool is_ipv6 = strchr(host, ':') != NULL;
    const char *open = is_ipv6 ? "[" : "", *shut = is_ipv6 ? "]" : "";
    snprintf(service, sizeof service, "%zu", options->port);
    snprintf(ret_address, address_bytes, "%s://%s%s%s:%zu", scheme, open, host, shut,
             options->port);
    int result = getaddrinfo(host, service, &hints, &addresses);
    if (result != 0)
        return refuse(ret_address, gai_strerror(result), error);
    int descriptor = -1;
    for (const struct addrinfo *a = addresses; a && descriptor < 0; a = a->ai_next)
        descriptor = bind_tcp(a);
    int cause = errno;
    freeaddrinfo(addresses);
    if (descriptor < 0)
        return refuse(ret_address, strerror(cause), error);
    snprintf(ret_address, address_bytes, "%s://%s%s%s:%u", scheme, open, host, shut,
             port_of(descriptor));
    return descriptor;
}

int http_listen(const struct http_options *options, char *ret_address, size_t address_bytes,
                struct ppm_error *error)
{
    if (strncmp(options->host, "unix:", 5) == 0)
        return listen_unix(options->host + 5, (mode_t)options->socket_mode, ret_address,
                           address_bytes, error);
    return listen_tcp(options, ret_address, address_bytes, error);
}

void http_turn_away(int listener, const char *address)
{
    /* of TCP's packets, those with the flag SYN are dropped: connections that stand go on */
    enum { FLAGS_AT = 13, SYN = 2 };
    static struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    if (strncmp(address, "unix:", 5) == 0)
        unlink(address + 5);
    else
        setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

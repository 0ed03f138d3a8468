/* listen.c - listening sockets: TCP by name or address, a unix socket, or one that was passed. */
#include "server/http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 511,
    ACCEPT_WITHIN_MS = 1000, /* with connections_max open, some are never accepted */
    HANDSHAKES_MS = 50,      /* enough for those that have started */
};

static int refuse(const char *address, const char *what, struct ppm_error *error)
{
    ppm_fail(error, PPM_IO, "cannot listen on %s: %s", address, what);
    return -1;
}

/* A socket file without a listener is left over from a process that was killed. */
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

/* bind creates the file with the descriptor's mode, less the umask, so at no time can others than
 * intended connect. */
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

/* The kernel has chosen a port in place of 0. */
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
    const char *host = options->settings.host,
               *scheme = *options->settings.tls_certificate ? "https" : "http";
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    char service[8];
    const bool is_ipv6 = strchr(host, ':') != NULL;
    const char *open = is_ipv6 ? "[" : "", *shut = is_ipv6 ? "]" : "";
    snprintf(service, sizeof service, "%zu", options->settings.port);
    snprintf(ret_address, address_bytes, "%s://%s%s%s:%zu", scheme, open, host, shut,
             options->settings.port);
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

/* Writes the address of a socket that another process has bound. False: it has none to tell. */
static bool describe_passed(int descriptor, const char *scheme, char *ret_address,
                            size_t address_bytes)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage largest;
    } name = {.any = {0}};
    socklen_t bytes = sizeof name;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(descriptor, &name.any, &bytes) != 0)
        return false;
    if (name.any.sa_family == AF_UNIX) {
        const size_t path_bytes = bytes - offsetof(struct sockaddr_un, sun_path);
        const bool is_abstract = path_bytes > 0 && !name.local.sun_path[0];
        snprintf(ret_address, address_bytes, "unix:%s%.*s", is_abstract ? "@" : "",
                 (int)path_bytes - is_abstract, name.local.sun_path + is_abstract);
        return true;
    }
    const bool is_ipv6 = name.any.sa_family == AF_INET6;
    if ((!is_ipv6 && name.any.sa_family != AF_INET) ||
        getnameinfo(&name.any, bytes, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(ret_address, address_bytes, "%s://%s%s%s:%s", scheme, is_ipv6 ? "[" : "", host,
             is_ipv6 ? "]" : "", port);
    return true;
}

/* The process that passed the socket has bound it and decided who may connect. */
static int listen_passed(const struct http_options *options, char *ret_address,
                         size_t address_bytes, struct ppm_error *error)
{
    int is_listening = 0, type = 0;
    socklen_t bytes = sizeof is_listening;
    const int descriptor = options->listener, flags = fcntl(descriptor, F_GETFL);
    if (flags >= 0 &&
        getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) == 0 &&
        is_listening && getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
        type == SOCK_STREAM && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 &&
        fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
        describe_passed(descriptor, *options->settings.tls_certificate ? "https" : "http",
                        ret_address, address_bytes))
        return descriptor;
    ppm_fail(
        error, PPM_BAD_CONFIG,
        "descriptor %d was passed to listen on, expected a listening TCP or unix stream socket",
        descriptor);
    return -1;
}

int http_listen(const struct http_options *options, char *ret_address, size_t address_bytes,
                struct ppm_error *error)
{
    if (options->listener > 0)
        return listen_passed(options, ret_address, address_bytes, error);
    if (strncmp(options->settings.host, "unix:", 5) == 0)
        return listen_unix(options->settings.host + 5, (mode_t)options->settings.socket_mode,
                           ret_address, address_bytes, error);
    return listen_tcp(options, ret_address, address_bytes, error);
}

static bool are_waiting(int listener)
{
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    return poll(&waiting, 1, 0) == 1;
}

void http_turn_away(int listener, const char *address)
{
    /* drops TCP packets with the flag SYN; open connections continue */
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
    for (int ms = 0, empty_ms = 0; ms < ACCEPT_WITHIN_MS && empty_ms < HANDSHAKES_MS; ms++) {
        usleep(1000);
        empty_ms = are_waiting(listener) ? 0 : empty_ms + 1;
    }
}

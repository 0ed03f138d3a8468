/* command_health.c - see command_health.h. */
#include "server/commands/command_health.h"
#include "server/config/arguments.h"
#include "server/config/settings.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIMEOUT_S = 3 };

static int connect_to(int family, const struct sockaddr *name, socklen_t bytes)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(descriptor, name, bytes) == 0)
        return descriptor;
    int cause = errno;
    close(descriptor);
    errno = cause;
    return -1;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    return connect_to(AF_UNIX, (const struct sockaddr *)&name, sizeof name);
}

/* A server that listens on all addresses is asked on the loopback address. */
static int connect_tcp(const char *host, size_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    char service[8];
    int descriptor = -1;
    snprintf(service, sizeof service, "%zu", port);
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    if (strcmp(host, "::") == 0)
        host = "::1";
    if (getaddrinfo(host, service, &hints, &addresses) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (const struct addrinfo *a = addresses; a && descriptor < 0; a = a->ai_next)
        descriptor = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(addresses);
    return descriptor;
}

struct reply {
    unsigned status; /* 0: no answer; cause says why */
    char cause[128];
};

static void read_status(const char *answer, size_t bytes, bool is_tls, struct reply *reply)
{
    static const char hint[] = "; a server with TLS needs --tls-certificate";
    const bool is_tls_record = bytes > 0 && (*answer == 0x15 || *answer == 0x16);
    if (sscanf(answer, "HTTP/1.1 %3u", &reply->status) != 1)
        snprintf(reply->cause, sizeof reply->cause, "found %s, expected an answer from /readyz%s",
                 is_tls_record ? "TLS"
                 : bytes > 0   ? "an answer that is not HTTP"
                               : "no answer",
                 is_tls ? "" : hint);
}

/* GET /readyz. Without TLS session is NULL. */
static void ask(int descriptor, gnutls_session_t session, struct reply *reply)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[64] = "";
    size_t bytes = 0;
    if (session)
        gnutls_record_send(session, request, sizeof request - 1);
    else
        send(descriptor, request, sizeof request - 1, MSG_NOSIGNAL);
    while (bytes < sizeof answer - 1) {
        const size_t room = sizeof answer - 1 - bytes;
        const ssize_t got = session ? gnutls_record_recv(session, answer + bytes, room)
                                    : recv(descriptor, answer + bytes, room, 0);
        if (session && got == GNUTLS_E_AGAIN)
            continue; /* a TLS message; a timeout is GNUTLS_E_TIMEDOUT */
        if (got <= 0)
            break;
        bytes += (size_t)got;
    }
    read_status(answer, bytes, session != NULL, reply);
}

/* Verifies no certificate: the request has no secrets. */
static void ask_by_tls(int descriptor, struct reply *reply)
{
    gnutls_certificate_credentials_t trust = NULL;
    gnutls_session_t session = NULL;
    int result = gnutls_certificate_allocate_credentials(&trust);
    if (result == 0)
        result = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    if (result == 0)
        result = gnutls_set_default_priority(session);
    if (result == 0)
        result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust);
    if (result == 0) {
        gnutls_transport_set_int(session, descriptor);
        gnutls_record_set_timeout(session, 1000 * TIMEOUT_S);
        result = gnutls_handshake(session);
    }
    if (result == 0)
        ask(descriptor, session, reply);
    else
        snprintf(reply->cause, sizeof reply->cause,
                 "no TLS (%s); for a server without TLS, leave out --tls-certificate",
                 gnutls_strerror(result));
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(trust);
}

enum ppm_status command_health(int count, char *const *arguments, struct ppm_error *error)
{
    struct settings settings;
    if (settings_read(count, arguments, &settings, error) != PPM_OK) {
        settings_release(&settings);
        return error->status;
    }
    const char *host = settings.http.host;
    const bool is_unix = strncmp(host, "unix:", 5) == 0;
    char address[SETTINGS_TEXT_BYTES + 16];
    const int descriptor = is_unix ? connect_unix(host + 5) : connect_tcp(host, settings.http.port);
    if (is_unix)
        snprintf(address, sizeof address, "%s", host);
    else
        snprintf(address, sizeof address, "%s, port %zu", host, settings.http.port);
    if (descriptor < 0) {
        ppm_fail(error, PPM_IO, "%s: cannot connect: %s", address, strerror(errno));
    } else {
        struct reply reply = {0};
        if (*settings.http.tls_certificate)
            ask_by_tls(descriptor, &reply);
        else
            ask(descriptor, NULL, &reply);
        close(descriptor);
        if (reply.status == 0)
            ppm_fail(error, PPM_IO, "%s: %s", address, reply.cause);
        else if (reply.status != 200)
            ppm_fail(error, PPM_IO, "%s: not ready: /readyz answered %u", address, reply.status);
    }
    settings_release(&settings);
    return error->status;
}

/*
 * origin.c - see origin.h.
 *
 * A browser sends requests for any page that its user has open. A page of another origin must not
 * use or change anything here, and a page whose name was made to point at this machine (DNS
 * rebinding) must not even read. Headers that scripts cannot set tell them apart: Host, Origin and
 * Sec-Fetch-Site.
 */
#include "server/http/origin.h"
#include "server/base/field_value.h"
#include "server/http/connection.h"
#include "server/http/cors.h"
#include "server/http/counts.h"
#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_suffix(struct span text, const char *suffix)
{
    const size_t bytes = strlen(suffix);
    return text.bytes > bytes && strncasecmp(text.start + text.bytes - bytes, suffix, bytes) == 0;
}

/* "example.org:8080" or "[::1]:8080"; the port may be missing. */
struct authority {
    struct span name; /* without brackets and a final dot */
    struct span port;
    bool is_sane;
};

static struct authority read_authority(struct span text)
{
    struct authority a = {.is_sane = true};
    const char *end = text.start + text.bytes;
    const bool is_bracketed = text.bytes > 0 && *text.start == '[';
    const char *name_end = memchr(text.start, is_bracketed ? ']' : ':', text.bytes);
    if (is_bracketed && !name_end)
        return (struct authority){0};
    name_end = name_end ? name_end : end;
    a.name =
        (struct span){text.start + is_bracketed, (size_t)(name_end - text.start) - is_bracketed};
    const char *colon = name_end + is_bracketed;
    if (colon < end) {
        a.port = (struct span){colon + 1, (size_t)(end - colon) - 1};
        a.is_sane = *colon == ':' && strspn(colon + 1, "0123456789") >= a.port.bytes;
    }
    if (a.name.bytes > 1 && a.name.start[a.name.bytes - 1] == '.')
        a.name.bytes--;
    return a;
}

/* ---- Host ---- */

/* The address that the client connected to; "" for a unix socket. */
static void local_address(const struct http_request *request, char ret[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage name = {0};
    socklen_t bytes = sizeof name;
    const struct http_connection *connection = http_connection_of(request->connection);
    *ret = '\0';
    if (getsockname(connection->descriptor, (struct sockaddr *)&name, &bytes) != 0)
        return;
    if (name.ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&name)->sin_addr, ret, INET6_ADDRSTRLEN);
    const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)&name)->sin6_addr;
    if (name.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(ipv6))
        inet_ntop(AF_INET, ipv6->s6_addr + 12, ret, INET6_ADDRSTRLEN);
    else if (name.ss_family == AF_INET6)
        inet_ntop(AF_INET6, ipv6, ret, INET6_ADDRSTRLEN);
}

/* Whether the name is that address, in any notation. */
static bool is_address(struct span name, const char *text)
{
    char copy[INET6_ADDRSTRLEN] = "";
    struct in6_addr a, b;
    if (name.bytes >= sizeof copy)
        return false;
    memcpy(copy, name.start, name.bytes);
    const int family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    const size_t bytes = family == AF_INET6 ? sizeof a : sizeof(struct in_addr);
    return inet_pton(family, copy, &a) == 1 && inet_pton(family, text, &b) == 1 &&
           memcmp(&a, &b, bytes) == 0;
}

/* Whether the name can only mean this machine, so that only a page from here has it in its URL. */
static bool is_this_machine(const struct http_request *request, struct span name)
{
    char machine[HOST_NAME_MAX + 1] = "", address[INET6_ADDRSTRLEN];
    if (span_is(name, "localhost") || has_suffix(name, ".localhost"))
        return true;
    if (gethostname(machine, sizeof machine - 1) == 0 && *machine && span_is(name, machine))
        return true;
    local_address(request, address);
    return is_address(name, address);
}

/* Whether the list contains the name; "*.example.org" stands for all names below it. */
static bool is_listed(const char *list, struct span name)
{
    struct span rest = span_of(list), element;
    while (field_next_element(&rest, &element)) {
        const struct authority entry = read_authority(element);
        const struct span own = entry.is_sane ? entry.name : (struct span){"", 0};
        if (span_equals(own, name))
            return true;
        if (own.bytes > 1 && own.start[0] == '*' && name.bytes >= own.bytes &&
            strncasecmp(own.start + 1, name.start + name.bytes - (own.bytes - 1), own.bytes - 1) ==
                0)
            return true;
    }
    return false;
}

bool http_is_loopback(int descriptor)
{
    struct sockaddr_storage name = {0};
    socklen_t bytes = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &bytes) != 0)
        return false;
    if (name.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&name)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)&name)->sin6_addr;
    return name.ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(ipv6) ||
            (IN6_IS_ADDR_V4MAPPED(ipv6) && ipv6->s6_addr[12] == IN_LOOPBACKNET));
}

enum http_next http_check_host(struct http_request *request)
{
    const struct http_server *server = request->server;
    const char *allowed = server->options.settings.allowed_hosts;
    const struct authority host = read_authority(span_of(request->host));
    if (!host.is_sane) {
        request->closes = true;
        return http_problem(request, 400, "the Host header is not a host name");
    }
    if (!*request->host || strcmp(allowed, "*") == 0 || (!*allowed && !server->is_loopback) ||
        is_this_machine(request, host.name) || is_listed(allowed, host.name))
        return HTTP_PROCEED;
    http_count_refusal(request->server, HTTP_FOREIGN);
    return http_problem(request, 421,
                        "Host: found \"%.60s\", expected this machine's address, its name or "
                        "localhost, or a name in the setting allowed_hosts",
                        request->host);
}

/* ---- Origin ---- */

/* Browsers omit port 443 of https and port 80 of http. */
static bool is_port(struct span port, struct span other, const char *standard)
{
    const struct span usual = span_of(standard);
    port = port.bytes ? port : usual;
    other = other.bytes ? other : usual;
    return port.bytes == other.bytes && memcmp(port.start, other.start, port.bytes) == 0;
}

/* Whether it is the origin of pages from here, by scheme and host of the request. A proxy in front
 * may have ended TLS. */
static bool is_own(const struct http_request *request, const char *origin)
{
    const bool is_https = strncasecmp(origin, "https://", 8) == 0;
    const bool is_http = strncasecmp(origin, "http://", 7) == 0;
    if (!is_https && (!is_http || request->server->has_tls))
        return false;
    origin += is_https ? 8 : 7;
    const struct authority theirs = read_authority(span_of(origin));
    const struct authority ours = read_authority(span_of(request->host));
    return theirs.is_sane && ours.is_sane && theirs.name.bytes > 0 &&
           span_equals(theirs.name, ours.name) &&
           is_port(theirs.port, ours.port, is_https ? "443" : "80");
}

enum http_next http_check_origin(struct http_request *request)
{
    static const char *const questions[] = {"GET", "HEAD", "OPTIONS"};
    const char *origin = http_header(request, "Origin");
    const char *site = http_header(request, "Sec-Fetch-Site");
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strcmp(request->method, questions[i]) == 0)
            return HTTP_PROCEED;
    if (origin ? is_own(request, origin) || http_is_allowed_origin(request, origin)
               : !site || strcasecmp(site, "same-origin") == 0 || strcasecmp(site, "none") == 0)
        return HTTP_PROCEED;
    http_count_refusal(request->server, HTTP_FOREIGN);
    return http_problem(request, 403,
                        "%s: found \"%.60s\", expected a page of this server, or an origin in the "
                        "setting cors_origins",
                        origin ? "Origin" : "Sec-Fetch-Site", origin ? origin : site);
}

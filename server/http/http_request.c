/* http_request.c - what handlers read from a request and put into its response. */
#include "server/http/http_request.h"
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/http/connection.h"
#include "server/http/idle.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *request, const char *name)
{
    const char *value = NULL;
    const enum MHD_Result is_there = MHD_lookup_connection_value_n(
        request->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL);
    return is_there == MHD_YES && !value ? "" : value; /* "?shape" is an empty one */
}

double http_elapsed_ms(const struct http_request *request)
{
    return 1e3 * (clock_now_s() - request->started_s);
}

void http_client_address(const struct http_request *request, char *ret_text, size_t bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *name = info ? info->client_addr : NULL;
    snprintf(ret_text, bytes, "unix");
    if (name && name->sa_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const void *)name;
        inet_ntop(AF_INET, &ipv4->sin_addr, host, sizeof host);
        snprintf(ret_text, bytes, "%s:%u", host, ntohs(ipv4->sin_port));
    } else if (name && name->sa_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const void *)name;
        inet_ntop(AF_INET6, &ipv6->sin6_addr, host, sizeof host);
        snprintf(ret_text, bytes, "[%s]:%u", host, ntohs(ipv6->sin6_port));
    }
}

bool http_client_is_gone(const struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    /* unread bytes, such as a close_notify of TLS, may come before the end, so POLLIN is no sign */
    struct pollfd peer = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    if (atomic_load(&http_connection_of(request->connection)->is_ended))
        peer.events = 0; /* this server ended it (framing.c) */
    return poll(&peer, 1, 0) == 1;
}

bool http_reserve(struct http_request *request, size_t bytes)
{
    if (!memory_take(bytes) && !(http_reclaim(request, bytes) && memory_take(bytes))) {
        if (__builtin_add_overflow(request->reserved_bytes, bytes, &request->wanted_bytes))
            request->wanted_bytes = SIZE_MAX;
        return false;
    }
    request->reserved_bytes += bytes;
    return true;
}

void http_keep(struct http_request *request, size_t bytes)
{
    size_t reserved = request->reserved_bytes;
    while (reserved > bytes) /* idle.c may return all of it at any time */
        if (atomic_compare_exchange_weak(&request->reserved_bytes, &reserved, bytes)) {
            memory_give(reserved - bytes);
            return;
        }
}

void http_add_header(struct http_request *request, const char *name, const char *format, ...)
{
    struct http_response *response = &request->response;
    va_list arguments;
    if (response->header_count == HTTP_HEADERS_MAX)
        return;
    struct http_header *header = &response->headers[response->header_count++];
    header->name = name;
    va_start(arguments, format);
    vsnprintf(header->value, sizeof header->value, format, arguments);
    va_end(arguments);
}

void http_drop_response(struct http_request *request)
{
    struct http_response *response = &request->response;
    if (response->memory)
        response->free_memory(response->memory);
    response->memory = NULL;
}

void http_respond_within(struct http_request *request, unsigned status, const char *content_type,
                         void *memory, char *body, size_t body_bytes)
{
    struct http_response *response = &request->response;
    http_drop_response(request);
    response->status = status;
    response->content_type = content_type;
    response->body = body;
    response->body_bytes = body_bytes;
    response->memory = memory;
    response->free_memory = buffer_give;
}

void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  char *body, size_t body_bytes)
{
    http_respond_within(request, status, content_type, body, body, body_bytes);
    request->response.free_memory = free;
}

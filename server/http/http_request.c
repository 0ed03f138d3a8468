/* http_request.c - what handlers ask of a request and put into its response. */
#include "server/http/http_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

double http_now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

double http_elapsed_ms(const struct http_request *request)
{
    return 1e3 * (http_now_s() - request->started_s);
}

bool http_is_past_deadline(const struct http_request *request)
{
    return http_elapsed_ms(request) > (double)request->server->options.request_timeout_ms;
}

bool http_client_is_gone(const struct http_request *request)
{
    char byte;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return false;
    ssize_t got = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool http_reserve(struct http_request *request, size_t bytes)
{
    struct http_server *server = request->server;
    size_t taken = atomic_load(&server->bytes_in_flight), total;
    do {
        if (__builtin_add_overflow(taken, bytes, &total) ||
            total > server->options.memory_max_bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&server->bytes_in_flight, &taken, total));
    request->reserved_bytes += bytes;
    return true;
}

void http_keep(struct http_request *request, size_t bytes)
{
    if (request->reserved_bytes <= bytes)
        return;
    atomic_fetch_sub(&request->server->bytes_in_flight, request->reserved_bytes - bytes);
    request->reserved_bytes = bytes;
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

void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  char *body, size_t body_bytes)
{
    struct http_response *response = &request->response;
    free(response->body);
    response->status = status;
    response->content_type = content_type;
    response->body = body;
    response->body_bytes = body_bytes;
}

void http_answer_later(struct http_request *request)
{
    request->phase = HTTP_SUSPENDED;
    MHD_suspend_connection(request->connection);
}

void http_answer(struct http_request *request)
{
    MHD_resume_connection(request->connection);
}

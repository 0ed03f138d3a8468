/* tell.c - see tell.h. libmicrohttpd cannot answer in the middle of a head or a body; the
 * connection ends after this answer. */
#include "server/http/tell.h"
#include "server/http/connection.h"
#include "server/http/error_body.h"
#include "server/http/http_answer.h"
#include "server/http/http_server.h"
#include "server/http/ids.h"
#include "server/http/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void write_date(char *ret, size_t bytes)
{
    const time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(ret, bytes, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

/* A request that has not begun gets an id from here, and no trace. */
static char *write_answer(const struct http_connection *connection, unsigned status,
                          const char *body, const char *type)
{
    const struct http_request *request = connection->request;
    char id[HTTP_ID_BYTES], trace[80] = "", date[40], timing[HTTP_TIMING_BYTES];
    http_random_hex(id);
    if (request)
        memcpy(id, request->id, sizeof id);
    if (request && *request->trace.trace_id)
        snprintf(trace, sizeof trace, "traceparent: 00-%s-%s-0%d\r\n", request->trace.trace_id,
                 request->trace.span_id, request->trace.is_sampled);
    write_date(date, sizeof date);
    static const char format[] =
        "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\nContent-Type: %s\r\n"
        "Content-Length: %zu\r\nX-Request-Id: %s\r\n%sServer-Timing: %s\r\n\r\n%s";
    const size_t bytes = sizeof format + 512 + sizeof timing + strlen(body);
    connection->server->options.application->write_timing(NULL, timing, sizeof timing);
    char *answer = malloc(bytes);
    if (answer)
        snprintf(answer, bytes, format, status, http_reason(status), date, type, strlen(body), id,
                 trace, timing, body);
    return answer;
}

char *http_write_told(const struct http_connection *connection, unsigned status, const char *detail)
{
    const bool has_target = connection->request || connection->target;
    char *target = connection->request  ? strdup(connection->request->target)
                   : connection->target ? http_copy_target(connection->target)
                                        : NULL;
    if (has_target && !target)
        return NULL;
    const struct http_error_form *form =
        http_error_form(connection->server, target ? http_path_in(target) : "");
    char *body = form->write(&status, detail, target ? target : "about:blank");
    char *answer = body ? write_answer(connection, status, body, form->content_type) : NULL;
    free(body);
    free(target);
    return answer;
}

void http_tell(const struct http_connection *connection, unsigned status, const char *detail)
{
    char *answer = http_write_told(connection, status, detail);
    if (answer) {
        ssize_t ignored =
            send(connection->descriptor, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)ignored;
    }
    free(answer);
}

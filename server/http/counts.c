/* counts.c - see counts.h. */
#include "server/http/counts.h"
#include "server/http/http_server.h"

void http_count_refusal(const struct http_server *server, enum http_refusal why)
{
    if (server->options.on_refusal)
        server->options.on_refusal(why);
}

void http_count_abort(const struct http_server *server, enum http_abort why, enum http_stage stage)
{
    if (server->options.on_abort)
        server->options.on_abort(why, stage);
}

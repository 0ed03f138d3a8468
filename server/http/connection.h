/* connection.h - an open connection, from its first byte to its end. */
#ifndef PPM_SERVER_HTTP_CONNECTION_H
#define PPM_SERVER_HTTP_CONNECTION_H

#include "server/http/framing.h"
#include "server/http/http_server.h"

#include <microhttpd.h>

/* What is marked "guarded" is guarded by the server's connections_mutex. */
struct http_connection {
    struct http_server *server;
    struct http_connection *next, **link; /* in the server's list; guarded */
    int descriptor;
    char *target; /* of the request line, before anything is decoded; guarded */
    double target_s;
    struct http_deadline deadline; /* when it is cut off, never where at_s is 0; guarded */
    bool is_told;                  /* a 408 when that happens; guarded */
    atomic_bool is_cut_off;
    bool is_in_head;              /* its request line has come, not the rest of the head; guarded */
    struct http_request *request; /* from the end of its head on; guarded */
    bool is_in_body;              /* of the request; guarded */
    bool is_spare;                /* accepted beyond connections_max */
    atomic_bool is_ended;         /* malformed bytes came: nothing more is received */
    bool is_malformed;            /* and the client was told so */
    atomic_bool is_receiving;     /* what has left the kernel is not framed yet */
    struct http_framing framing;  /* for its thread alone, but for the numbers of heads */
    double changed_s;             /* when its deadline was set */
    _Atomic double arriving_s;    /* when the last whole KiB of a body had come */
    bool is_idle; /* given up, as other requests needed the memory of its body; guarded */
};

/* NULL: there was no memory for one. */
struct http_connection *http_connection_of(struct MHD_Connection *mhd);

/* Shuts it down; the library closes it. The caller holds connections_mutex. */
void http_cut_off(struct http_connection *connection);

#endif

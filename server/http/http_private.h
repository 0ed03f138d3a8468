/* http_private.h - what the files of server/http/ share. */
#ifndef PPM_SERVER_HTTP_HTTP_PRIVATE_H
#define PPM_SERVER_HTTP_HTTP_PRIVATE_H

#include "server/http/http.h"

#include <microhttpd.h>
#include <pthread.h>

/* Where in a connection's bytes its next one is. Heads come first. */
enum http_part {
    HTTP_BEFORE_HEAD, /* empty lines, and the request line */
    HTTP_FIELD,
    HTTP_OTHER_VALUE,
    HTTP_LENGTH,
    HTTP_CODING,
    HTTP_PLAIN_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_SPACE,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_LF,
    HTTP_CHUNK,
    HTTP_CHUNK_END,
    HTTP_CHUNK_END_LF,
    HTTP_TRAILER,
    HTTP_UNKNOWN, /* a coding that is refused */
};

struct http_framing {
    enum http_part part;
    uint64_t left;                      /* of a body or a chunk */
    unsigned long long heads, answered; /* that have come, and that the guard has seen */
    const char *flaw;                   /* what is wrong with a head; NULL: nothing so far */
    unsigned long long flawed_head;     /* with which one, from 1 */
    const char *end;                    /* why nothing more is passed on; NULL: all is */
    bool has_length, has_coding, is_chunked;
    bool has_space; /* after a value */
    char previous;
    char name[18], word[8]; /* a field's, and a coding's, as far as they matter */
    size_t line_bytes, name_bytes, word_bytes, digits;
};

/* An open connection; in the server's list from its first byte to its end. */
struct http_connection {
    struct http_server *server;
    struct http_connection *next, **link;
    int descriptor;
    char *target; /* of the request line, before anything is decoded. Guarded like the deadline */
    double target_s;
    struct http_deadline
        deadline;           /* then it is cut off; at 0: never. Guarded by the list's mutex */
    bool is_told;           /* who passes it: with a 408 */
    atomic_bool is_cut_off; /* who passed it */
    bool is_in_head;        /* a request line has come, and the rest of its head has not; guarded */
    struct http_request *request; /* from the end of its head on. Guarded like the deadline */
    bool is_in_body;              /* of the request. Guarded like the deadline */
    bool is_spare;                /* accepted beyond connections_max */
    atomic_bool is_ended;         /* nothing more is received, for what has come is malformed */
    bool is_malformed;            /* and the client has been told */
    struct http_framing framing;  /* its thread's own */
    double changed_s;             /* when its deadline was set */
    _Atomic double arriving_s;    /* when another KiB of a body was whole */
    bool is_idle; /* given up, with a body that others needed the memory of. Guarded too */
};

/* Connections that the library has closed, and whose client may still be sending. */
enum { HTTP_LINGERING_MAX = 32 };
struct http_lingering {
    pthread_mutex_t mutex;
    int added;    /* an eventfd, for the watching thread: there is one more */
    size_t count; /* grows anywhere, shrinks in the watching thread alone */
    int descriptors[HTTP_LINGERING_MAX];
    double end_s[HTTP_LINGERING_MAX]; /* when they are closed, monotonic */
};

/* Beyond connections_max: for health checks, while all others are busy. */
enum { HTTP_SPARE_CONNECTIONS = 16 };

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    atomic_int listener;    /* -1 once it is shut */
    bool is_shared;         /* the listener: it goes on in the process that passed it */
    bool is_loopback;       /* the address it listens on: asked by this machine alone */
    atomic_bool is_leaving; /* answers end their connections */
    char address[1100];
    atomic_size_t in_flight;
    atomic_size_t open_connections;
    pthread_mutex_t connections_mutex;
    size_t leaving_connections;          /* of these, cut off and not yet closed. Guarded by it */
    struct http_connection *connections; /* guarded by it */
    struct http_lingering lingering;
    pthread_t watcher;
    atomic_bool is_stopping;
    atomic_long messages_at_s; /* the second in which the library said so many things: */
    atomic_int messages;
};

/* ---- deadlines.c ---- */

/* libmicrohttpd's callback for connections that begin and end. */
void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode what);

/* What a connection is waited for from now on, each with its deadline: the rest of a head; the body
 * of a request; our own answer, which has none here; the library to take it up, which it forgets
 * where memory runs out at that moment; the client to read it; the next request. */
void http_expect_head(struct http_connection *connection, const char *target);
void http_expect_body(struct http_connection *connection, struct http_request *request);
void http_expect_answer(struct http_connection *connection);
void http_expect_resumption(struct http_connection *connection);
void http_expect_reader(struct http_connection *connection);
void http_expect_next(struct http_connection *connection);

/* Ends a connection; to be called with the list's mutex held. */
void http_cut_off(struct http_connection *connection);

/* The thread that cuts off who is late. */
enum ppm_status http_start_watching(struct http_server *server, struct ppm_error *error);
void http_stop_watching(struct http_server *server);

/* Whether this connection is one more than connections_max, all the others being busy. */
bool http_is_crowded(const struct http_connection *connection);

/* Connections without a request whose last one ended, or that began, less than so long ago. */
size_t http_fresh_connections(struct http_server *server, double within_s);

/* Ends all connections and waits, for a moment, until the library has let them go. It crashes when
 * it has to refuse a malformed head while it is being stopped. */
void http_close_connections(struct http_server *server);

/* ---- framing.c ---- */

/* From now on, or no more, what the library receives on the connection's descriptor is looked at.
 */
void http_frame(struct http_connection *connection, bool begins);

/* Bytes that came, mended in place; how many are to be passed on. */
size_t http_pass_on(struct http_framing *framing, char *bytes, size_t count);

/* ---- probe.c ---- */

/* Whether the library does what framing.c and guard.c rely on. PPM_IO. */
enum ppm_status http_probe_library(struct ppm_error *error);

/* ---- tell.c ---- */

/* Sends a refusal where nothing of an answer has been sent yet, and the library offers no way to
 * send one now. Not where it encrypts: http_write_told is its text, to be freed; NULL: no memory.
 * To be called while the connection's request can neither begin nor end. */
void http_tell(const struct http_connection *connection, unsigned status, const char *detail);
char *http_write_told(const struct http_connection *connection, unsigned status,
                      const char *detail);

/* ---- linger.c ---- */

/* Keeps the socket of a connection open for a client that has not sent all of its body. */
void http_linger(struct http_connection *connection);
size_t http_lingering_count(struct http_server *server);

/* The watching thread's: lets go by for so long what clients still send. */
void http_linger_for(struct http_server *server, double seconds);
enum ppm_status http_start_lingering(struct http_server *server, struct ppm_error *error);
void http_stop_lingering(struct http_server *server);

/* ---- guard.c ---- */

/* Refuses a head that is ambiguous or not HTTP.
 * method and version are the library's own pointers, raw_target a copy. */
enum http_next http_guard(struct http_request *request, const char *method, const char *raw_target,
                          const char *version);

/* ---- http.c ---- */

/* The library's callbacks for a request: its line has come; its head and each piece of its body; it
 * has ended. */
void *http_on_target(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *piece,
                                size_t *piece_bytes, void **state);
void http_on_completed(void *context, struct MHD_Connection *mhd, void **state,
                       enum MHD_RequestTerminationCode why);

/* NULL when there was no memory for one. */
struct http_connection *http_connection_of(struct MHD_Connection *mhd);

/* ---- coding.c ---- */

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_CODING_COUNT };

const char *http_coding_name(enum http_coding coding); /* of the last two */

/* Looks at Content-Encoding: prepares to inflate the body, or refuses it. */
enum http_next http_check_coding(struct http_request *request);

/* What Accept-Encoding says of each, in thousandths. */
enum { HTTP_NOT_NAMED = -1 };
struct http_codings {
    int of[HTTP_CODING_COUNT], any; /* any: of "*" */
};
#define HTTP_NO_CODINGS                                                                            \
    {                                                                                              \
        {HTTP_NOT_NAMED, HTTP_NOT_NAMED, HTTP_NOT_NAMED}, HTTP_NOT_NAMED                           \
    }
void http_weigh_codings(const char *list, struct http_codings *qualities);

/* The best of them that shortens: gzip before deflate. HTTP_IDENTITY: none is asked for, or less
 * than a body as it is. */
enum http_coding http_best_coding(const struct http_codings *qualities);
enum http_coding http_wanted_coding(const struct http_request *request);

/* ---- compress.c ---- */

/* http_compress into that coding. */
bool http_compress_as(struct http_request *request, enum http_coding coding);

/* ---- inflate.c ---- */

/* The body comes compressed, and is kept like that. False: no memory. */
bool http_expect_compressed(struct http_request *request, enum http_coding coding);
void http_free_inflater(struct http_request *request);

/* ---- http_body.c ---- */

/* The most bytes that a body of this request may have: what route and settings say. */
size_t http_body_bytes_max(const struct http_request *request);

/* Refuses a body by the length that its head says: longer than http_body_bytes_max; or, once its
 * handler takes it, more than the budget could take now. It takes nothing before bytes come, this
 * only spares a client from sending what would be refused. */
enum http_next http_check_length(struct http_request *request);
enum http_next http_check_claim(struct http_request *request);

/* At its end: refuses what could not be kept, or inflated; small bodies are inflated here and now,
 * as are all of a route whose bodies are small. */
enum http_next http_check_body(struct http_request *request);

/* Makes room for bytes more, within http_body_bytes_max. False: memory or the budget lacks them. */
bool http_grow_body(struct http_request *request, size_t bytes);

/* Keeps a piece of the body. A refusal cannot be sent in the middle of a body: it is left in
 * request->body_refusal, and the rest is discarded for as long as a body may take. */
void http_take_body(struct http_request *request, const char *piece, size_t bytes);

/* Around work on a body by a thread that has other connections to serve. False: it has spent what
 * it may, 5 ms in one turn around them, and the work is to wait for a thread that computes. */
bool http_begin_work(const struct http_request *request);
void http_end_work(void);
void http_forget_turn(const struct http_request *request); /* it ends */

/* ---- idle.c ---- */

/* Notes that bytes of the body have come. */
void http_note_arrival(struct http_request *request, size_t bytes);

/* What bodies that are idle have taken from the budget. */
size_t http_idle_bytes(struct http_server *server);

/* Has bodies that are idle, but for this request's, give back to the budget as much as it takes to
 * have bytes: the largest first. False: it would not be enough, and they go on. */
bool http_reclaim(struct http_request *request, size_t bytes);

/* ---- http_answer.c ---- */

enum { HTTP_TIMING_BYTES = 256 }; /* of Server-Timing's value */

/* Hands the response over; its body goes with it. */
enum MHD_Result http_send(struct http_request *request);

/* ---- trace.c ---- */

/* Fills in request->trace. */
void http_read_trace(struct http_request *request);

/* ---- http_request.c ---- */

void http_drop_response(struct http_request *request); /* its body, unless that was sent */

void http_random_hex(char ret_digits[HTTP_SPAN_ID_BYTES]); /* 16 of them */

/* ---- access.c ---- */

/* Refuses a client without a key, where keys are required. */
enum http_next http_check_key(struct http_request *request);

/* ---- target.c ---- */

/* Fills in path, and host where the target has one. False: no memory. */
bool http_read_target(struct http_request *request);

/* The path within a target, before anything is decoded; "" where it has none. */
const char *http_path_in(const char *target);

/* ---- fields.c ---- */

/* Refuses a header or a query parameter that looks like a mistyped one of ours, or that appears
 * twice. */
enum http_next http_check_fields(struct http_request *request);

/* ---- origin.c ---- */

/* Whether a socket is bound to an address that this machine alone reaches. */
bool http_is_loopback(int descriptor);

/* Refuses a request for another server's name (421), and a page of another origin that would
 * compute or change something (403). */
enum http_next http_check_host(struct http_request *request);
enum http_next http_check_origin(struct http_request *request);

/* ---- cors.c ---- */

/* Whether cors_origins has it. */
bool http_is_allowed_origin(const struct http_request *request, const char *origin);

/* Answers a browser that asks whether a page may send a request. */
enum http_next http_answer_preflight(struct http_request *request);

/* Tells the browser whether the page may read the answer. False: there was no memory for it. */
bool http_add_cors(const struct http_request *request, struct MHD_Response *response);

/* ---- listen.c ---- */

/* A listening socket, or -1: the one that was passed, or one on host and port. *ret_address is what
 * clients are told. */
int http_listen(const struct http_options *options, char *ret_address, size_t address_bytes,
                struct ppm_error *error);

/* From now on nobody gets a connection, and whoever has one, if only from the kernel, is accepted
 * meanwhile, which takes up to a second. A client is refused once the socket is closed. */
void http_turn_away(int listener, const char *address);

/* ---- routes.c ---- */

enum { HTTP_ALLOW_BYTES = 64 };

/* The route for method and path, its {arguments} in ret_arguments. NULL: none; then *ret_allow
 * lists the methods that the path does take, or is empty when no route has the path. */
const struct http_route *http_find_route(const struct http_route *routes, const char *method,
                                         const char *path, http_argument *ret_arguments,
                                         char *ret_allow);

/* ---- counts.c ---- */

/* Tells the application. */
void http_count_refusal(const struct http_server *server, enum http_refusal why);
void http_count_abort(const struct http_server *server, enum http_abort why, enum http_stage stage);

/* ---- target.c ---- */

/* Overwrites control bytes and what is not ASCII, so that text may stand in logs and JSON. */
void http_make_printable(char *text);

/* A copy of a target in which what is not visible ASCII is percent-encoded. NULL: no memory. */
char *http_copy_target(const char *target);

#endif

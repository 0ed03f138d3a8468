/*
 * http.h - requests in, responses out; the door of server/http/.
 *
 * A handler is called twice for each request. route->begin sees the head before a byte of the body
 * is read: it fills in a response and returns HTTP_RESPOND, or returns HTTP_PROCEED to have the
 * body read. route->finish sees the whole body: it fills in the response, or returns HTTP_LATER.
 * In between, route->arrived may start on the part of the body that has come; it must keep up with
 * the network. If it responds, the rest of the body is discarded, and the response sent at its end.
 *
 * Threads: the server's threads call begin, arrived and finish. They serve many connections each,
 * so long work belongs to other threads. A request belongs to the server's thread until
 * http_answer_later, then to the thread that answers it, until http_answer.
 */
#ifndef PPM_SERVER_HTTP_HTTP_H
#define PPM_SERVER_HTTP_HTTP_H

#include "core/ppm.h"
#include "server/config/http_settings.h"

#include <stdarg.h>
#include <stdatomic.h>

struct http_server;
struct http_route;

enum {
    HTTP_ID_BYTES = 129,    /* a request id of at most 128 characters */
    HTTP_ARGUMENTS_MAX = 2, /* in a path: what matched the braces of a pattern */
    HTTP_ARGUMENT_BYTES = 129,
    HTTP_TRACE_ID_BYTES = 33,
    HTTP_SPAN_ID_BYTES = 17,
    HTTP_HEADERS_MAX = 8, /* of a response, not counting those that every answer has */
    HTTP_HEADER_VALUE_BYTES = 256,
};

typedef char http_argument[HTTP_ARGUMENT_BYTES];

/* What a step of handling a request decides. */
enum http_next {
    HTTP_PROCEED, /* nothing: the next step runs */
    HTTP_RESPOND, /* the response is filled in, and is sent now */
    HTTP_LATER,   /* http_answer_later was called; another thread will call http_answer */
};

struct http_header {
    const char *name;
    char value[HTTP_HEADER_VALUE_BYTES];
};

struct http_response {
    unsigned status;
    const char *content_type;
    char *body;
    size_t body_bytes;
    void *memory; /* that contains body */
    void (*free_memory)(void *memory);
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* A point in time, and what to tell a client that misses it. */
struct http_deadline {
    double at_s;         /* monotonic */
    size_t ms;           /* how long the client had */
    const char *setting; /* "request_timeout_ms": what set the limit */
};

/* The trace in the client's traceparent, and our span in it; empty: the client sent none. */
struct http_trace {
    char trace_id[HTTP_TRACE_ID_BYTES], parent_id[HTTP_SPAN_ID_BYTES], span_id[HTTP_SPAN_ID_BYTES];
    bool is_sampled;
};

struct http_request {
    struct http_server *server;
    void *connection; /* libmicrohttpd's; private to server/http */
    const struct http_route *route;
    void *context;    /* of http_options */
    char *target;     /* of the request line; bytes that are not visible ASCII as %1B */
    char *path;       /* of the target, with its query: no scheme, no host, no letter as %61 */
    const char *host; /* in the target, or else in the Host header; "": none */
    char *list;       /* the last result of http_list; private */
    char method[16];
    http_argument arguments[HTTP_ARGUMENTS_MAX]; /* of the path; empty: none */
    char id[HTTP_ID_BYTES];
    struct http_trace trace;
    bool has_content_length; /* and it is the size of body; false for a compressed one */
    size_t content_length;   /* of the body as it is sent; 0: unknown, or not used any more */
    bool is_compressed;      /* body still is, until http_inflate_body */
    char *body;              /* all of it, once finish is called */
    size_t body_bytes, body_capacity;
    size_t body_aligned_at;         /* begin may set which byte of it is 64-byte aligned */
    void *body_memory;              /* that contains it; private */
    struct http_inflater *inflater; /* private; NULL: the body did not come compressed */
    unsigned body_refusal;          /* the status to answer at its end; 0: none so far */
    size_t received_bytes;          /* of the body, as it is sent */
    double started_s;               /* monotonic */
    struct http_deadline
        deadline;       /* of its answer: request_timeout_ms, or less as the client asks */
    const void *record; /* the application's own, for its callbacks; NULL: there is none */
    atomic_size_t reserved_bytes; /* taken from the budget, given back at the end */
    size_t wanted_bytes;          /* how much it would be, had the budget had enough */
    bool closes;                  /* the connection, after the answer */
    bool is_refused;              /* it has a response, and its body is discarded. Private */
    bool lingers;                 /* it was answered before its body came */
    bool is_given_up;             /* by its handler, which has counted it as cancelled */
    void *state;                  /* for the route, which frees it in release */
    /* Whether the answer is not wanted any more; called with state while it is compressed. NULL: it
     * is wanted until its deadline. */
    bool (*is_unwanted)(void *state);
    struct http_response response;
    enum { HTTP_HEAD, HTTP_BODY, HTTP_SUSPENDED, HTTP_ANSWERED } phase; /* private */
};

struct http_route {
    const char *method;  /* "GET" (which serves HEAD too), "POST" or "PUT" */
    const char *pattern; /* "/items/{item}": braces match any one segment, or its start */
    enum http_next (*begin)(struct http_request *request); /* may be NULL */
    /* May be NULL. Returns HTTP_PROCEED or HTTP_RESPOND; body may move between calls. */
    enum http_next (*arrived)(struct http_request *request);
    enum http_next (*finish)(struct http_request *request); /* never NULL */
    void (*release)(struct http_request *request);          /* may be NULL; frees state */
    const char *parameters; /* of its query, separated by spaces; NULL: all are ignored */
    bool is_open;           /* to clients without a key too */
    bool is_vital;          /* served on a connection beyond connections_max too */
    size_t body_bytes_max;  /* in addition to body_max_bytes; 0: requests have no body */
};

/* For a route whose bodies only body_max_bytes limits. Its finish gets a compressed body as it was
 * sent, unless it is small; other routes get it inflated. */
#define HTTP_BODY_ANY SIZE_MAX

/* A form of errors other than RFC 9457 problem details. */
struct http_error_form {
    const char *content_type;
    /* The body, which the caller frees; NULL: no memory. May change the status. */
    char *(*write)(unsigned *status, const char *detail, const char *instance);
    const char *without_memory; /* the body of a 503 that cannot be written for lack of memory */
};

/* The application that is served. Lists end with NULL. */
struct http_application {
    const struct http_route *routes; /* ended by a route without a pattern */
    const char *guide;               /* for clients that ask for an unknown path: what is served */
    /* Headers of its own in requests, in the order of strcmp: at most one of each. Any other name
     * with one of the prefixes is a mistake. */
    const char *const *headers, *const *header_prefixes;
    const char *const *answer_headers; /* all of those in answers, in the order of strcmp */
    /* For a request to that path; NULL: problem details. */
    const struct http_error_form *(*error_form)(const char *path);
    /* The value of Server-Timing in an answer; request is NULL when its head was not read. */
    void (*write_timing)(const struct http_request *request, char *ret_text, size_t bytes);
};

/* Why a request is refused that may be valid. */
enum http_refusal {
    HTTP_TOO_LARGE,    /* it could never fit */
    HTTP_NO_MEMORY,    /* others hold the memory */
    HTTP_UNAUTHORIZED, /* no key, or an unknown one */
    HTTP_FOREIGN,      /* it is for another host, or from a page of another origin */
    HTTP_CROWDED,      /* on a connection beyond connections_max */
};

/* Why a request that had begun was not answered, and how far it had come. */
enum http_abort {
    HTTP_CLIENT_GONE,
    HTTP_DEADLINE,
    HTTP_IDLE, /* its body stopped arriving, and others needed the memory */
};
enum http_stage { HTTP_IN_HEAD, HTTP_IN_BODY, HTTP_IN_ANSWER };

struct http_options {
    struct http_settings settings;
    int listener; /* passed to this process, taken over; 0: settings say where to listen */
    const struct http_application *application;
    void *context; /* for the handlers, as request->context */
    /* Called on any thread. */
    void (*on_answer)(const struct http_request *request); /* an answer is sent, or given up */
    void (*on_refusal)(enum http_refusal why);             /* may be NULL */
    void (*on_abort)(enum http_abort why, enum http_stage stage); /* may be NULL */
    void (*on_message)(const char *text);                         /* from the HTTP library */
    void (*on_tick)(void *context); /* every 50 ms, on a thread for this */
};

/* Listens and serves until http_stop. NULL and PPM_IO when it cannot, or PPM_BAD_CONFIG when
 * options pass a descriptor that is not a listening socket. */
struct http_server *http_start(const struct http_options *options, struct ppm_error *error);

/* "http://127.0.0.1:8080", "https://..." or "unix:/run/a.sock"; lives as long as the server. */
const char *http_address(const struct http_server *server);

/* Stops accepting. New clients are refused; at a listener that was passed, they wait for the
 * process that serves on it next. Each open connection is served one more request. */
void http_stop_accepting(struct http_server *server);

/* The number of requests whose head was read and whose answer was not sent. */
size_t http_in_flight(const struct http_server *server);
bool http_is_quiet(struct http_server *server);            /* none, and none that may be arriving */
size_t http_connections(const struct http_server *server); /* that are open */

/* Closes every connection and frees the server. No request may be with another thread. */
void http_stop(struct http_server *server);

/* ---- access.c: the keys of clients, and the server's certificate ----
 *
 * Both are read from files, and replaced as a whole while the server runs. No secret is logged or
 * put into an error, and keys are kept only as digests. */

struct http_access;

/* Paths; empty: none. Certificate and key: both or neither. */
struct http_access_files {
    const char *keys, *tls_certificate, *tls_key;
};

/* Reads and checks the files. NULL and PPM_BAD_CONFIG names the setting and the file, what was
 * found and expected. on_warning reports files with secrets that anyone can read. */
struct http_access *http_access_read(const struct http_access_files *files,
                                     void (*on_warning)(const char *text), struct ppm_error *error);
void http_access_free(struct http_access *access);

/* Uses it in this process from the next request and the next TLS handshake on. Takes it over, and
 * frees the one before. NULL: no keys are required. Any thread. */
void http_access_use(struct http_access *access);

/* ---- for handlers ---- */

/* A request header or query parameter (percent-decoded); NULL when absent. */
const char *http_header(const struct http_request *request, const char *name);
const char *http_query(const struct http_request *request, const char *name);

/* A header whose value is a list: all its lines, joined by commas (RFC 9110 5.3). Lives until the
 * next call. */
const char *http_list(struct http_request *request, const char *name);

/* Milliseconds since the request began. */
double http_elapsed_ms(const struct http_request *request);

/* ms from now (0: never), or the request's own deadline if that is sooner. */
struct http_deadline http_deadline_in(const struct http_request *request, size_t ms,
                                      const char *setting);
bool http_is_past(const struct http_deadline *deadline);

/* "127.0.0.1:50000", "[::1]:50000" or "unix". */
void http_client_address(const struct http_request *request, char *ret_text, size_t bytes);

/* Whether the client has closed its connection. Safe from any thread that holds the request. */
bool http_client_is_gone(const struct http_request *request);

/* Inflates a body that is_compressed. is_cancelled, which may be NULL, is called after each 64 KiB;
 * after true, the result is PPM_CANCELLED, and the next call continues. For PPM_MALFORMED,
 * PPM_TOO_LARGE and PPM_NO_MEMORY, call http_refuse_inflation. A MB takes 1 to 4 ms: not for the
 * server's threads. */
enum ppm_status http_inflate_body(struct http_request *request, bool (*is_cancelled)(void *context),
                                  void *context, struct ppm_error *error);

/* Fills in the response to such an error. Returns HTTP_RESPOND. */
enum http_next http_refuse_inflation(struct http_request *request, const struct ppm_error *error);

/* Takes bytes from the budget (memory.h) until the request ends. False: the budget lacks them, even
 * after giving up bodies that stopped arriving. */
bool http_reserve(struct http_request *request, size_t bytes);

/* Returns to the budget what the request has taken beyond the given bytes. */
void http_keep(struct http_request *request, size_t bytes);

/* Frees the body. */
void http_drop_body(struct http_request *request);

/* Adds a response header. Its value, printf style, is cut at HTTP_HEADER_VALUE_BYTES. */
void http_add_header(struct http_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Responds with this body, from malloc, and takes it over. */
void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  char *body, size_t body_bytes);

/* The same for a body within memory from buffer_take. */
void http_respond_within(struct http_request *request, unsigned status, const char *content_type,
                         void *memory, char *body, size_t body_bytes);

/* Compresses the response's body if the request's Accept-Encoding asks for it, and adds
 * Content-Encoding and Vary. Returns false and changes nothing if the body is short or would not
 * shrink, the deadline passes, or memory or the budget lack the size of the body. 1 MB takes about
 * 10 ms: not for the server's threads. */
bool http_compress(struct http_request *request);

/* The same for the server's threads: only short bodies. */
bool http_compress_here(struct http_request *request);

/* Whether it would try to compress a body of that size. */
bool http_will_compress(const struct http_request *request, size_t body_bytes);

/* Responds with an error: an RFC 9457 problem, or the application's form. detail is one sentence,
 * printf style. Adds Retry-After to 503. Always returns HTTP_RESPOND, so that a handler can return
 * the call. */
enum http_next http_problem(struct http_request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a struct ppm_error: 400, 413, 422, 503, 504 or 500. */
enum http_next http_problem_of(struct http_request *request, const struct ppm_error *error);

/* The response after http_reserve failed: 503, or 413 if the request alone is too much. Counted.
 * Returns HTTP_RESPOND. */
enum http_next http_refuse_memory(struct http_request *request);

/* In finish: suspends the connection. The request now belongs to another thread. */
void http_answer_later(struct http_request *request);
/* On that thread: the response is filled in. The request must not be touched again. */
void http_answer(struct http_request *request);

#endif

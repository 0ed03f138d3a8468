/* inference.h - a request to compute, on its way from infer.c to compute.c and back. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H
#define PPM_SERVER_HANDLERS_INFERENCE_INFERENCE_H

#include "server/codec/codec.h"
#include "server/handlers/app.h"
#include "server/handlers/handlers.h"

struct inference;

/* How a tensor is asked for and answered: POST /ppm (infer.c) or /v2 (v2_infer.c). */
struct inference_protocol {
    /* The body is whole and as the protocol has it: finds x in it, as far as that takes no longer
     * than to wake another thread for it. */
    enum http_next (*look)(struct inference *inference);
    /* Reads x, on a thread that may compute. */
    enum http_next (*decode)(struct inference *inference);
    /* The response is y, which lies within memory of buffer_take behind head_bytes_max bytes of
     * room (or in inference->y_data); takes memory over. threads: of the caller's team. */
    void (*respond)(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);
    bool compresses_bytes; /* where it is asked to, not JSON alone */
};

struct inference_stages {
    struct ppm_stages list;
    struct ppm_stage_times times;
};

/* From begin to release. Belongs to its request's connection but while the job is queued. */
struct inference {
    struct executor_job job; /* first: a job is its inference */
    const struct inference_protocol *protocol;
    struct http_request *request;
    struct app *app;
    struct registry *registry; /* held, so that a reload leaves the model alone */
    const struct ppm_model *model;
    struct ppm_model_info info;
    enum codec_form form, answer_form;
    enum codec_dtype answer_dtype; /* of floats; integers are int32 */
    bool answer_dtype_is_explicit; /* the query asked for it */
    bool may_name_model; /* the body, as the URL does not: what depends on the model waits */
    struct codec_expectation expectation;
    size_t axes[4];                   /* those of the query or header, for a raw body */
    struct codec_json_reader *reader; /* of a JSON body, as it arrives; NULL: none is needed yet */
    bool lacks_budget;                /* for the numbers that reader reads */
    struct ppm_tensor x; /* n == 0: its shape is not known yet; data within body or x_memory */
    void *x_memory;      /* decoded values; NULL: they stand elsewhere */
    void (*free_x)(void *x_memory);
    void *y_data;           /* room for y elsewhere than in the answer; NULL: none */
    struct ppm_costs costs; /* once the shape is known */
    size_t needed_bytes;    /* to compute and answer it, beside its body */
    size_t answer_bytes;    /* of the memory that its answer lies in; 0: of its body, no more */
    size_t head_bytes_max;  /* of an answer, before y; a multiple of 64 */
    struct inference_stages *stages; /* asked for: inner results, which stand behind y; or NULL */
    struct arrival {
        bool is_settled;             /* whether it is pooled while it arrives */
        struct ppm_shape expected;   /* x, */
        size_t expected_bytes;       /* and what pooling it takes; 0: no more, or not at all */
        size_t plane_bytes;          /* of a channel of x */
        size_t fed_bytes;            /* of x, that may have been pooled */
        struct ppm_pooling *pooling; /* NULL: it is not */
        void *memory;                /* for it, from buffer_take */
        size_t offset;               /* of x in the body */
    } arrival;
    double queued_ms;
    bool is_queued;                /* answered by http_answer */
    struct http_deadline deadline; /* of the stage it is in */
    struct codec_cancel cancel;    /* asks inference_is_abandoned */
    atomic_llong next_look_us;     /* at clock and client */
    atomic_bool is_abandoned;
};

extern const struct executor_kind inference_kind;

/* Begins one, of so many bytes, the protocol's own behind it: finds its model, refuses while
 * draining. NULL: the request has its answer. */
struct inference *inference_begin(struct http_request *request,
                                  const struct inference_protocol *protocol, size_t bytes);

/* Has it computed by the model of that name, which is served. */
enum http_next inference_choose_model(struct inference *inference, const char *name);

/* The body is whole: computes here and now, or queues it. What route->finish is. */
enum http_next inference_finish(struct http_request *request);

/* Refuses a request that would have to wait while the queue is full, so that its body need not be
 * read. It takes no place: that is for a request whose body is there. */
enum http_next inference_refuse_full_queue(struct inference *inference);

/* Checks x, of which shape and layout are read, against the model, the limits and the bytes
 * announced, and sets costs and needed_bytes. */
enum http_next inference_refuse_shape(struct inference *inference, const struct ppm_tensor *x);

/* The reader of a body's JSON, whose tensor is in the body or in an object of that list (as
 * codec_json_options.list); made when it is not there yet. NULL: no memory. */
struct codec_json_reader *inference_reader(struct inference *inference, const char *list);

/* Has the reader read on in JSON of which that much has come, no more at a time than takes a
 * moment: the rest is read with what comes next, or by the thread that computes. */
void inference_read_ahead(struct inference *inference, size_t bytes);

/* Whether decode would take no longer with so many bytes of JSON, the reader having read some, than
 * to wake another thread for it. */
bool inference_is_read_at_once(const struct inference *inference, size_t bytes);

/* Refuses what the reader has met. Returns HTTP_RESPOND. */
enum http_next inference_refuse_json(struct inference *inference, const struct ppm_error *error);

/* Inflates the body if it is compressed, reads x by the protocol's decode unless it is there, and
 * takes the time. */
enum http_next inference_decode(struct inference *inference);

/* Memory for x, whose shape is known, and what holds x given back, if it has been decoded. */
void inference_take_x(struct inference *inference, struct ppm_error *error);
void inference_free_x(struct inference *inference);

/* Whether nobody waits any more for an inference, or for any of a batch: asked every now and then
 * by whatever takes long. Looks every 5 ms, and gives the same answer from then on. Any thread. */
bool inference_is_abandoned(void *batch);

/* Computes it on this thread alone, and fills in the response. */
void inference_run(struct inference *inference);

/* Gives everything back; what route->release is. */
void inference_release(struct http_request *request);

/* ---- infer.c: a body that is x alone ---- */

/* Its shape stands in the head, as ?shape= or X-Tensor-Shape. */
enum http_next inference_refuse_raw_shape(struct inference *inference);

/* X-Tensor-Shape, X-Tensor-Dtype and X-Tensor-Layout of the answer. */
void infer_describe_answer(struct http_request *request, const struct ppm_tensor *y,
                           enum codec_dtype dtype);

/* The body is whole: x is where it stands in it, or to be decoded. */
enum http_next inference_refuse_body(struct inference *inference);

/* ---- stages.c: the inner results with it ---- */

/* Reads ?stages=, and if it asks for them, the form that they can be answered in. */
enum http_next stages_refuse(struct inference *inference);

/* Adds what they take to needed_bytes and takes room before y. False: more than can be counted. */
bool stages_add_needs(struct inference *inference, struct ppm_shape shape, size_t y_bytes);

/* Bytes that they take behind y; 0: none are asked for. */
size_t stages_bytes(const struct inference *inference);

/* Gives them their places behind y's data. */
enum ppm_status stages_place(struct inference *inference, const struct ppm_tensor *y,
                             struct ppm_error *error);

/* The response is y and all of them; as inference_protocol.respond. */
void stages_respond(struct inference *inference, const struct ppm_tensor *y, char *memory,
                    int threads);

/* ---- arrival.c: the HTTP thread's, between begin and finish ---- */

/* x is to be float32 values from that byte of the body on, aligned: it is pooled as it arrives
 * where that pays. To be called once. */
void inference_expect_x(struct inference *inference, const struct ppm_tensor *x, size_t offset);

/* Pools what has arrived since, or some of it: no more than takes a moment. */
void inference_pool_arrived(struct inference *inference);

/* Frees what that led to. */
void inference_forget_arrival(struct inference *inference);

#endif

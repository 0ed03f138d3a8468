/*
 * form.h - a form: how a tensor becomes bytes on the wire, and back.
 *
 * Each form is one row (struct codec_form) in its own folder; forms.c lists them. Forms know
 * nothing of HTTP or of models: bytes in, tensor out, and back. They never trust a length: sizes
 * are checked with overflow builtins before anything is allocated, nothing recurses on input, and
 * memory is bounded by the body plus its tensor.
 */
#ifndef PPM_SERVER_CODEC_FORM_H
#define PPM_SERVER_CODEC_FORM_H

#include "core/ppm.h"
#include "server/codec/cancel.h"
#include "server/codec/dtype.h"
#include "server/codec/expectation.h"
#include "server/codec/several.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what goes in and out ---- */

/* Bytes that travel. data comes from malloc, unless a function says otherwise; whoever holds the
 * struct frees it. */
struct codec_bytes {
    char *data;
    size_t size;
};

struct codec_palette {
    const uint8_t (*colors)[3]; /* red, green, blue of label i */
    size_t count;               /* 0: there is no palette */
};

/* What to write. */
struct codec_answer {
    const struct ppm_tensor *tensor;
    const char *model;
    struct codec_palette palette; /* for forms that show labels */
    int threads; /* to write on, of the caller's team (ppm_on_threads): the bytes are the same */
    const struct codec_cancel *cancel; /* or NULL */
};

/* ---- bodies that are read while they arrive ----
 *
 * Numbers go into the tensor as they come, so that next to nothing is left to do after the last
 * byte. Errors are reported at the end, in the sentence that the whole body gets: neither tensor
 * nor error depends on how the body was cut into pieces. A reader belongs to one thread at a time;
 * it keeps no pointer to the body. */

struct codec_reader;

enum { CODEC_DATA_MAX = PPM_INPUTS_MAX };

struct codec_reader_options {
    /* Whose member "data" the tensor is. NULL: the body's own. Else those of objects in the array
     * which the body's member of this name is, as {"inputs": [{"data": [..]}]} for "inputs". This
     * string and the next outlive the reader. */
    const char *list;
    const char *key; /* of the member; NULL: "data" */
    size_t data_max; /* objects of the list that may have data; 0: one */
    bool takes_text; /* the data may be a string of base64, in an array or in an object in it */
    size_t body_bytes_max; /* of the whole body */
    /* Asked before memory is taken for numbers, in proportion to the text that has come; false:
     * there is none, or not yet, so that they wait for the end, where it is asked again. NULL: all
     * there is may be taken. */
    bool (*reserve)(void *context, size_t bytes);
    void *context;
    const struct codec_cancel *cancel; /* asked once the body is whole; may be NULL, outlives it */
};

/* The members of a body next to its data. */
struct codec_members {
    size_t axes[4];
    size_t axis_count; /* 0: no shape */
    bool has_layout, is_int32;
    enum ppm_layout layout;
    char model[256]; /* "": none */
};

struct codec_stream {
    struct codec_reader *(*create)(
        const struct codec_reader_options *options); /* NULL: no memory */
    void (*free)(struct codec_reader *reader);
    /* body is all that has come so far, body_bytes of it; it may have moved since the last call. */
    void (*feed)(struct codec_reader *reader, const char *body, size_t body_bytes);
    /* How many bytes of a whole body of body_bytes have not been read yet. */
    size_t (*left)(const struct codec_reader *reader, size_t body_bytes);
    /* The body is whole: goes on where feed stopped and reads what is next to the data; then the
     * tensor, as codec_decode. Call each once, in this order. */
    enum ppm_status (*members)(struct codec_reader *reader, const char *body, size_t body_bytes,
                               struct codec_members *ret_members, struct ppm_error *error);
    enum ppm_status (*finish)(struct codec_reader *reader, const char *body,
                              const struct codec_members *members,
                              const struct codec_expectation *expectation,
                              struct ppm_tensor *ret_tensor, struct ppm_error *error);
};

/* ---- a form ---- */

enum { CODEC_HEAD_BYTES_MAX = 192 }; /* a multiple of 64, which keeps the data aligned */

typedef enum ppm_status codec_decode_function(const char *body, size_t body_bytes,
                                              const struct codec_expectation *expectation,
                                              struct ppm_tensor *ret_tensor,
                                              struct ppm_error *error);
typedef enum ppm_status codec_look_function(char *body, size_t body_bytes,
                                            const struct codec_expectation *expectation,
                                            struct ppm_tensor *ret_tensor, struct ppm_error *error);
typedef size_t codec_head_function(const struct ppm_tensor *tensor, enum codec_dtype dtype,
                                   char ret_head[CODEC_HEAD_BYTES_MAX]);
typedef enum ppm_status codec_encode_function(const struct codec_answer *answer, char *memory,
                                              size_t *ret_bytes, struct ppm_error *error);
typedef enum ppm_status codec_several_function(const struct codec_several *several, char *memory,
                                               struct codec_bytes *ret_bytes,
                                               struct ppm_error *error);

struct codec_form {
    const char *name;       /* in sentences: "PNG" */
    const char *media_type; /* "image/png" */
    const char *extension;  /* of files that `run` writes: ".png"; NULL: it writes none */
    unsigned dtypes;        /* that a float may have, a set of 1 << dtype; float32 always */
    size_t labels_max;      /* the largest number of labels in its one map; 0: any tensor */
    bool is_bare;           /* elements alone: the request's head has to say the shape */
    bool is_text;           /* numbers are digits of float32: worth compressing */
    bool has_members;       /* shape, layout and model's name are next to the data */

    /* Bodies. decode is NULL where a form is for answers alone. look and look_ahead find the
     * tensor that the body is, the latter in a body of which only the beginning has come; NULL
     * where nothing is known before the numbers are read. stream: NULL where only a whole body can
     * be read. */
    codec_decode_function *decode;
    codec_look_function *look, *look_ahead;
    const struct codec_stream *stream;

    /* Answers: one of these two. head writes what is before the elements, which are of dtype
     * unless the tensor is of integers, and returns its bytes: the rest is the tensor's memory.
     * encode writes all of it, into memory of codec_encoded_bytes_max bytes. */
    codec_head_function *head;
    codec_encode_function *encode;
    /* Into memory of codec_several_bytes_max bytes; of forms that have a head, within the memory
     * of the tensors, which are contiguous after codec_several_head_bytes_max bytes of room. NULL
     * where a form holds one tensor. */
    codec_several_function *encode_several;

    /* The cost of an answer. */
    size_t head_bytes_max, element_bytes_max;
    size_t working_bytes;        /* while it is written */
    double begin_us, element_us; /* on one thread */
};

/* ---- bodies ---- */

/* body -> *ret_tensor, float32, in the layout it was sent in; the caller frees it.
 * Before the call, ret_tensor->data is NULL; or, for forms with a look, room for the values of the
 * shape that it found, which then stays the caller's.
 * PPM_MALFORMED for anything else; PPM_UNFIT for a tensor without expectation->channels channels.
 */
enum ppm_status codec_decode(const struct codec_form *form, const char *body, size_t body_bytes,
                             const struct codec_expectation *expectation,
                             struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* The same without a copy: *ret_tensor's data is within body if it holds the values as they are
 * computed with (float32 in C order), and NULL if they have to be decoded. {0} for a form without
 * a look. Refuses axes that differ from the request's head. */
enum ppm_status codec_look(const struct codec_form *form, char *body, size_t body_bytes,
                           const struct codec_expectation *expectation,
                           struct ppm_tensor *ret_tensor, struct ppm_error *error);

enum { CODEC_LOOK_AHEAD_BYTES = 16 << 10 };

/* The same for a body of which body_bytes have come, at least CODEC_LOOK_AHEAD_BYTES: its tensor if
 * nothing is wrong with the rest. {0} where that is unknown, and for a body that will be refused.
 */
void codec_look_ahead(const struct codec_form *form, char *body, size_t body_bytes,
                      const struct codec_expectation *expectation, struct ppm_tensor *ret_tensor);

/* ---- answers ---- */

bool codec_has_dtype(const struct codec_form *form, enum codec_dtype dtype);

/* answer -> *ret_bytes, in new memory, floats as float32. Forms that show labels use up the
 * tensor's data. */
enum ppm_status codec_encode(const struct codec_form *form, const struct codec_answer *answer,
                             struct codec_bytes *ret_bytes, struct ppm_error *error);

/* The same without a copy, for forms that have a head: *ret_bytes is within the memory of tensor,
 * whose data must have CODEC_HEAD_BYTES_MAX bytes of room before them. Values of a float32 tensor
 * become elements of dtype, which the form must have, in place; integers stay int32. False for the
 * others. */
bool codec_encode_in_place(const struct codec_form *form, const struct ppm_tensor *tensor,
                           enum codec_dtype dtype, struct codec_bytes *ret_bytes);

/* An upper bound for what count elements take, saturating. */
size_t codec_encoded_bytes_max(const struct codec_form *form, size_t count);

/* The same for count tensors with data_bytes of data. */
size_t codec_several_bytes_max(const struct codec_form *form, size_t count, size_t data_bytes);

#endif

/*
 * codec_internal.h - what the files of server/codec/ share; nobody else includes it.
 */
#ifndef PPM_SERVER_CODEC_CODEC_INTERNAL_H
#define PPM_SERVER_CODEC_CODEC_INTERNAL_H

#include "server/codec/codec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors travel little-endian, and are copied as they are");

/* ---- one form each: the signatures of codec_decode and codec_encode without the form --------- */

/* Gives *tensor, whose shape is set, room that is there; NULL: memory of its own. */
enum ppm_status codec_make_room(struct ppm_tensor *tensor, void *room, struct ppm_error *error);

typedef enum ppm_status codec_decode_function(const char *body, size_t body_bytes,
                                              const struct codec_expectation *expectation,
                                              struct ppm_tensor *ret_tensor,
                                              struct ppm_error *error);
typedef enum ppm_status codec_encode_function(struct ppm_tensor *tensor, const char *model,
                                              struct codec_bytes *ret_bytes,
                                              struct ppm_error *error);

typedef enum ppm_status codec_look_function(char *body, size_t body_bytes,
                                            const struct codec_expectation *expectation,
                                            struct ppm_tensor *ret_tensor, struct ppm_error *error);
/* Writes what stands before the elements, which are of dtype unless the tensor is of integers;
 * returns how many bytes that is. */
typedef size_t codec_head_function(const struct ppm_tensor *tensor, enum codec_dtype dtype,
                                   char ret_head[CODEC_HEAD_BYTES_MAX]);

codec_decode_function codec_json_decode, codec_npy_decode, codec_raw_decode;
codec_encode_function codec_json_encode, codec_npy_encode, codec_raw_encode;
codec_look_function codec_npy_look, codec_raw_look;
codec_look_function codec_npy_look_ahead, codec_raw_look_ahead; /* without what is to come */
codec_head_function codec_npy_head, codec_raw_head;

/* What an encoder adds to the elements at most, and what it makes of one element at most. */
enum {
    CODEC_JSON_HEAD_BYTES_MAX = 1024,
    CODEC_NAME_BYTES_MAX = 768,        /* of a model's name as a JSON string */
    CODEC_JSON_ELEMENT_BYTES_MAX = 16, /* -1.17549435e-38 and a comma */
    CODEC_PNG_HEAD_BYTES_MAX = 4096,   /* chunks but for the pixels', and zlib's own */
    /* In the narrowest map a row is a byte of its filter and a pixel. What cannot be compressed
     * grows by an eighth at most, and by 12 bytes for each chunk of 8192. */
    CODEC_PNG_ELEMENT_BYTES_MAX = 3,
};

/* How much is read or written between two looks at whether it is still wanted: a millisecond's. */
enum { CODEC_SLICE_BYTES = 1 << 16, CODEC_SLICE_NUMBERS = 1 << 14 };

/* PPM_CANCELLED when it is not. */
static inline enum ppm_status codec_check(const struct codec_cancel *cancel,
                                          struct ppm_error *error)
{
    if (cancel && cancel->is_cancelled(cancel->context))
        return ppm_fail(error, PPM_CANCELLED, "nobody waits for it any more");
    return PPM_OK;
}

/* Whether elements may stand there. */
static inline bool codec_is_aligned(const char *data)
{
    return (uintptr_t)data % _Alignof(float) == 0;
}

static inline bool codec_is_text(const char *bytes, size_t byte_count, const char *text)
{
    return byte_count == strlen(text) && memcmp(bytes, text, byte_count) == 0;
}

/* ---- words for the sentences ----------------------------------------------------------------- */

enum {
    CODEC_QUOTE_BYTES = 40, /* of untrusted input that a sentence repeats */
    CODEC_QUOTED_BYTES = 4 * CODEC_QUOTE_BYTES + 4,
    CODEC_AXES_TEXT_BYTES = 4 * 22 + 3,
};

/* Copies at most CODEC_QUOTE_BYTES bytes: printable ASCII as it is, any other as \xNN; "..." at the
 * end when it was cut short. Returns ret_text. */
const char *codec_quote(const char *bytes, size_t byte_count, char ret_text[CODEC_QUOTED_BYTES]);

/* What to do about a body of another kind (ppm_looks_like): how to send it, with "; " before it; ""
 * where there is nothing to say. */
const char *codec_hint(const char *kind);

/* "[1, 4, 30, 30]". Returns ret_text. */
const char *codec_axes_text(const size_t *axes, size_t axis_count,
                            char ret_text[CODEC_AXES_TEXT_BYTES]);

/* Reads the decimal digits at [*at, end), at least one, moves *at behind them. Returns false
 * without moving when there is none or the value does not fit. */
bool codec_read_size(const char **at, const char *end, size_t *ret_value);

/* ---- the numbers of a JSON body -------------------------------------------------------------- */

static inline bool codec_json_is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* What a body is to look like. */
#define CODEC_JSON_EXAMPLE "{\"shape\": [1, 4, 30, 30], \"data\": [..]}"
#define CODEC_JSON_V2_EXAMPLE                                                                      \
    "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 30, 30], "          \
    "\"data\": [..]}]}"

/* What stands around a body's data, as far as it has been read; starts as {.list = ..}. */
struct codec_json_frame {
    const char *list; /* as codec_json_options.list */
    enum {
        CODEC_JSON_START,
        CODEC_JSON_AROUND,
        CODEC_JSON_STRING,      /* within one */
        CODEC_JSON_BEFORE_DATA, /* behind the colon of its key */
        CODEC_JSON_DATA,        /* at its '[' */
        CODEC_JSON_END,         /* of the object that the body is */
    } stage;
    size_t at;        /* what stands before it has been read */
    size_t depth;     /* objects and arrays open */
    unsigned objects; /* bit d: the one that is open at depth d is an object */
    enum {
        CODEC_JSON_KEY_OTHER,
        CODEC_JSON_KEY_DATA,
        CODEC_JSON_KEY_SHAPE,
        CODEC_JSON_KEY_LIST
    } key; /* the last string */
    bool is_in_list;
    size_t string_start, string_bytes;
    size_t unknown_start, unknown_bytes; /* the first member of the body that no request has */
    size_t shape_at; /* behind the colon of a "shape" beside the data; 0: none so far */
    bool is_found;
    size_t data_start, data_end; /* from '[' to behind ']' */
};

/* Goes on to the data's '[', to the end of the object or to that of the body, of which there may be
 * more later (!is_whole). PPM_MALFORMED when body is no object, has the data twice or as anything
 * but an array, or nests the rest too deep; the same call with more of the body says it again. */
enum ppm_status codec_json_find_data(struct codec_json_frame *frame, const char *body,
                                     size_t body_bytes, bool is_whole, struct ppm_error *error);

/* Goes on behind the data, whose ']' is before end. */
void codec_json_leave_data(struct codec_json_frame *frame, size_t end);

/* The same for data that codec_json_scan refused, by its brackets alone. False when it does not
 * end, or holds a string, which may hold brackets. */
bool codec_json_pass_data(struct codec_json_frame *frame, const char *body, size_t body_bytes);

/* Whether a body of POST /ppm may have a member of this name; the sentence for one that it may not
 * have. */
bool codec_json_is_member(const char *key, size_t bytes);
enum ppm_status codec_json_refuse_member(const char *key, size_t bytes, struct ppm_error *error);

enum { CODEC_JSON_DEPTH_MAX = 4 };

/* An array of numbers, flat or nested: as regular as a tensor. */
struct codec_json_array {
    size_t depth;                         /* 1: flat; 0: no number has been read */
    size_t extents[CODEC_JSON_DEPTH_MAX]; /* outermost first, depth of them */
    size_t count;                         /* numbers in all */
};

/* An array, as far as it has been read; starts as {.at, .values, .capacity}. */
struct codec_json_scan {
    size_t at;     /* what stands before it has been read; first the array's '[' */
    float *values; /* of the first capacity numbers, null as NaN; others are checked and counted */
    size_t capacity;
    size_t depth;                      /* arrays open */
    size_t done[CODEC_JSON_DEPTH_MAX]; /* elements read of each of them */
    bool is_behind_value;              /* a comma or bracket is next */
    bool is_done;
    const struct codec_cancel *cancel; /* asked once the body is whole; may be NULL */
    struct codec_json_array array;
};

/* Goes on to the array's own ']' or to the end of the body, of which there may be more later
 * (!is_whole). PPM_MALFORMED, naming the element and its byte, for anything but a regular array of
 * numbers; the same call with more of the body says it again. */
enum ppm_status codec_json_scan(struct codec_json_scan *scan, const char *body, size_t body_bytes,
                                bool is_whole, struct ppm_error *error);

/* What codec_json_finish does but for the channels. */
enum ppm_status codec_json_read(struct codec_json_reader *reader, const char *body,
                                const struct codec_json_members *members,
                                const struct codec_expectation *expectation,
                                struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* The text of value, cut short, for a sentence. */
const char *codec_json_quote(const struct json_t *value, char ret_text[CODEC_QUOTED_BYTES]);

/* ---- the header of a .npy file --------------------------------------------------------------- */

enum { CODEC_NPY_MAGIC_BYTES = 6 };
extern const char codec_npy_magic[]; /* \x93NUMPY */

enum codec_npy_dtype { CODEC_NPY_FLOAT16, CODEC_NPY_FLOAT32, CODEC_NPY_FLOAT64 };

struct codec_npy_header {
    enum codec_npy_dtype dtype;
    const char *descr; /* its name: "<f4" */
    size_t element_bytes;
    bool is_fortran;
    size_t axes[4];
    size_t axis_count; /* 3 or 4 */
    size_t bytes;      /* of all that stands before the data; at most the body's */
};

/* PPM_MALFORMED for what is no header, or one of a dtype or of axes that are not read here. The
 * extents may still be 0, and their product may overflow. */
enum ppm_status codec_npy_read_header(const char *body, size_t body_bytes,
                                      struct codec_npy_header *ret_header, struct ppm_error *error);

/* model as the inside of a JSON string; PPM_TOO_LARGE when it takes more than ret_text. */
enum ppm_status codec_json_escape(const char *model, char ret_text[CODEC_NAME_BYTES_MAX + 1],
                                  struct ppm_error *error);

#endif

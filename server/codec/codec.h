/*
 * codec.h - tensors to and from the bytes that travel: JSON, NumPy .npy and raw elements; and maps
 * of labels as PNG.
 *
 * The codecs know nothing of HTTP or of models: bytes in, tensor out, and back. They never trust a
 * length: sizes are checked with overflow builtins before anything is allocated, nothing recurses
 * on input, and memory is bounded by the body plus the tensor it holds.
 */
#ifndef PPM_SERVER_CODEC_CODEC_H
#define PPM_SERVER_CODEC_CODEC_H

#include "core/ppm.h"

#include <stddef.h>

enum codec_form {
    CODEC_JSON,
    CODEC_NPY,
    CODEC_RAW,
    CODEC_FORM_COUNT,             /* of those that a tensor may come in */
    CODEC_PNG = CODEC_FORM_COUNT, /* and be answered in, where it is a map of labels */
    CODEC_ANSWER_FORM_COUNT
};

/* "application/json", "application/x-npy", "application/octet-stream"; "image/png". */
const char *codec_media_type(enum codec_form form);

/* The form that a Content-Type names (parameters such as charset are ignored, case is not
 * significant). Returns false when it names none that a tensor may come in. */
bool codec_form_from_media_type(const char *content_type, enum codec_form *ret_form);

/* What an answer may come in, as a set of 1 << form. */
enum {
    CODEC_AS_TENSOR = 1 << CODEC_JSON | 1 << CODEC_NPY | 1 << CODEC_RAW,
    CODEC_AS_LABELS = CODEC_AS_TENSOR | 1 << CODEC_PNG,
    CODEC_AS_TENSORS = 1 << CODEC_JSON | 1 << CODEC_RAW, /* several, by name */
};

/* The form to answer in, of a set, for an Accept header (NULL: none was sent) and the form, of that
 * set, to prefer. Each form's quality is that of the most specific range that matches it (RFC
 * 9110 12.5.1); the highest wins, ties go to the preferred form, then JSON, npy, raw, PNG. A
 * range with q=0 excludes. Returns false when none is acceptable (406). */
bool codec_negotiate(const char *accept, enum codec_form preferred, unsigned forms,
                     enum codec_form *ret_form);

/* ---- work that may be abandoned ---- */

/* Asked every millisecond or so by whatever may take long, from any of the threads that do it;
 * true: it stops, with PPM_CANCELLED. A pointer to it may be NULL: never. */
struct codec_cancel {
    bool (*is_cancelled)(void *context);
    void *context;
};

/* ---- types of an element ---- */

/* What a float is on the wire, little-endian. Computed is with float32 alone. */
enum codec_dtype { CODEC_FLOAT32, CODEC_FLOAT16, CODEC_BFLOAT16, CODEC_DTYPE_COUNT };

/* Looks a name up, case-sensitively: "float32", "float16", "bfloat16". False for any other. */
bool codec_dtype_from_name(const char *name, enum codec_dtype *ret_dtype);
const char *codec_dtype_name(enum codec_dtype dtype);
size_t codec_dtype_bytes(enum codec_dtype dtype); /* of an element: 4, 2, 2 */

/* Whether a form can have elements of a type: raw all, .npy float32 and float16, JSON float32. */
bool codec_form_has_dtype(enum codec_form form, enum codec_dtype dtype);

/* ret_values[i] = the float32 that element i of bytes is, i < count: exactly, NaN stays NaN. bytes
 * may lie at any address, and do not overlap ret_values. Allocates nothing; any thread may call. */
void codec_decode_values(enum codec_dtype dtype, const void *bytes, size_t count,
                         float *ret_values);

/* The same, slice by slice. */
enum ppm_status codec_decode_slices(enum codec_dtype dtype, const void *bytes, size_t count,
                                    const struct codec_cancel *cancel, float *ret_values,
                                    struct ppm_error *error);

/* The reverse: count elements of codec_dtype_bytes(dtype) each, at any address, rounded to nearest,
 * ties to even; beyond the type's range is Inf, NaN stays NaN. ret_bytes may be values itself: what
 * is narrower then fills the beginning of their memory. */
void codec_encode_values(enum codec_dtype dtype, const float *values, size_t count,
                         void *ret_bytes);

/* ---- bodies and answers ---- */

/* What is known of a tensor before its body is read. */
struct codec_expectation {
    enum ppm_layout layout;  /* of the request's query, or the model's default */
    bool layout_is_explicit; /* the query said so; a JSON body's own "layout" must then agree */
    const size_t *axes; /* the shape that query or header gave, or NULL; a body's own must agree */
    size_t axis_count;  /* 3 or 4 */
    enum codec_dtype dtype;            /* of a raw body's elements; the query's, or float32 */
    bool dtype_is_explicit;            /* the query said so; a .npy body's own must then agree */
    size_t channels;                   /* C that the model takes */
    const char *model;                 /* its name, for the sentences */
    const struct codec_cancel *cancel; /* or NULL; outlives the call. JSON: its reader's own */
};

/* Parses a comma-separated shape such as "1,4,30,30" (spaces around numbers allowed) into axes.
 * PPM_MALFORMED, with the offending text, for anything but 3 or 4 positive decimal integers. */
enum ppm_status codec_parse_shape(const char *text, size_t ret_axes[4], size_t *ret_count,
                                  struct ppm_error *error);

/* PPM_UNFIT, with a hint when only the layout is mistaken, unless tensor has the channels that are
 * expected. */
enum ppm_status codec_check_channels(const struct ppm_tensor *tensor,
                                     const struct codec_expectation *expectation,
                                     struct ppm_error *error);

/* PPM_MALFORMED unless the axes that a body gives are those of the request's head, if it has any.
 */
enum ppm_status codec_check_axes(const size_t *axes, size_t axis_count,
                                 const struct codec_expectation *expectation,
                                 struct ppm_error *error);

/* body -> *ret_tensor, float32, in the layout it was sent in; the caller frees it.
 *   JSON: {"shape": [..], "data": [flat or nested], "layout": ".."}; shape may be left out when
 *         data is nested 3 or 4 deep; null reads as NaN; "model" and "dtype" may be there, so that
 *         an answer may be posted back.
 *   npy:  versions 1 to 3, <f4, <f8, <f2, C or Fortran order.
 *   raw:  elements of expectation->dtype, exactly the bytes that expectation->axes name.
 * Before the call, ret_tensor->data is NULL; or, for npy and raw, room for the values of the shape
 * that codec_look told, which then stays the caller's.
 * PPM_MALFORMED for bytes that are not such a tensor; PPM_UNFIT when it is one, but its channels
 * are not expectation->channels. */
enum ppm_status codec_decode(enum codec_form form, const char *body, size_t body_bytes,
                             const struct codec_expectation *expectation,
                             struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* The same without a copy: *ret_tensor's data lies within body where that holds the values as they
 * are computed with (float32 in C order), and is NULL where they have to be decoded. JSON tells its
 * shape no sooner: *ret_tensor is then {0}. */
enum ppm_status codec_look(enum codec_form form, char *body, size_t body_bytes,
                           const struct codec_expectation *expectation,
                           struct ppm_tensor *ret_tensor, struct ppm_error *error);

enum { CODEC_LOOK_AHEAD_BYTES = 16 << 10 };

/* The same of a body of which so many bytes have come, at least CODEC_LOOK_AHEAD_BYTES: what its
 * tensor will be if nothing is wrong with the rest. {0} where that cannot be told: for JSON, and
 * for a body that will be refused. */
void codec_look_ahead(enum codec_form form, char *body, size_t body_bytes,
                      const struct codec_expectation *expectation, struct ppm_tensor *ret_tensor);

/* ---- JSON that is read while it arrives ----
 *
 * The data's numbers go into the tensor as they come, so that next to nothing is left to do behind
 * the last byte. What is found wrong is told at the end, in the sentence that the whole body gets:
 * neither tensor nor error depends on how the body was cut into pieces. A reader belongs to one
 * thread at a time; it keeps no pointer to the body. */

struct codec_json_reader;

struct codec_json_options {
    /* Whose member "data" the tensor is. NULL: the body's own. Else that of an object in the array
     * which the body's member of this name is, as {"inputs": [{"data": [..]}]} for "inputs". The
     * string outlives the reader. */
    const char *list;
    size_t body_bytes_max; /* of the whole body */
    /* Asked before memory is taken for numbers, in proportion to the text that has come; false:
     * there is none, or not yet, so that they wait for the end, where it is asked again. NULL: all
     * there is may be taken. */
    bool (*reserve)(void *context, size_t bytes);
    void *context;
    const struct codec_cancel *cancel; /* asked once the body is whole; may be NULL, outlives it */
};

/* NULL: no memory. */
struct codec_json_reader *codec_json_create(const struct codec_json_options *options);
void codec_json_free(struct codec_json_reader *reader);

/* body is all that has come so far, body_bytes of it; it may lie elsewhere than at the last call.
 */
void codec_json_feed(struct codec_json_reader *reader, const char *body, size_t body_bytes);

/* How many bytes of a whole body of body_bytes have not been read yet. */
size_t codec_json_left(const struct codec_json_reader *reader, size_t body_bytes);

/* What a body of POST /ppm says next to its data. */
struct codec_json_members {
    size_t axes[4];
    size_t axis_count; /* 0: it gives no shape */
    bool has_layout, is_int32;
    enum ppm_layout layout;
    char model[256]; /* ""; it names none */
};

/* The body is whole: goes on with what feed has begun with, if anything, and says what stands next
 * to the data; then reads the tensor, as codec_decode. Call each once, in this order. */
enum ppm_status codec_json_members(struct codec_json_reader *reader, const char *body,
                                   size_t body_bytes, struct codec_json_members *ret_members,
                                   struct ppm_error *error);
enum ppm_status codec_json_finish(struct codec_json_reader *reader, const char *body,
                                  const struct codec_json_members *members,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* The same in two halves, for bodies of another make: first what stands around the data, as
 * jansson's tree with null in the place of the data; the caller releases it. PPM_MALFORMED for what
 * is not JSON, is no object, has the data twice, as no array or as one without an end, or has more
 * than 64 KiB around it. */
struct json_t;
enum ppm_status codec_json_around(struct codec_json_reader *reader, const char *body,
                                  size_t body_bytes, struct json_t **ret_around,
                                  struct ppm_error *error);
bool codec_json_has_data(const struct codec_json_reader *reader); /* then the tree has its null */

/* Then, of a body that has data, the tensor: float32 of these axes, 3 or 4 in the order of layout;
 * 0: as nested as the data. The caller frees it. PPM_MALFORMED when the data is no regular array of
 * numbers, or not what axes say, flat or nested. Call it once. */
enum ppm_status codec_json_tensor(struct codec_json_reader *reader, const char *body,
                                  const size_t *axes, size_t axis_count, enum ppm_layout layout,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* ---- answers ---- */

/* Bytes that travel. data comes from malloc; whoever holds the struct frees it. */
struct codec_bytes {
    char *data;
    size_t size;
};

/* tensor -> *ret_bytes. Takes the tensor's data over when the form is its memory image (raw), and
 * leaves *tensor to be freed by the caller in any case (its data is NULL when taken).
 *   JSON: {"model": name, "shape": [..], "dtype": "float32", "layout": "NCHW", "data": [..]}; the
 *         shortest numbers that read back to the same float32; non-finite values are null.
 *   npy:  version 1, <f4 or <i4, C order.
 *   raw:  little-endian elements, float32 or int32. */
enum ppm_status codec_encode(enum codec_form form, struct ppm_tensor *tensor, const char *model,
                             struct codec_bytes *ret_bytes, struct ppm_error *error);

/* The same of JSON, into memory of codec_encoded_bytes_max bytes, printed on up to so many threads
 * of the caller's team (ppm_on_threads). The bytes do not depend on how many. */
enum ppm_status codec_json_encode_into(const struct ppm_tensor *tensor, const char *model,
                                       int threads, const struct codec_cancel *cancel, char *memory,
                                       size_t *ret_bytes, struct ppm_error *error);

/* The elements alone, with commas between them, likewise. *ret_end is the first byte behind them.
 */
enum ppm_status codec_json_write_elements(const struct ppm_tensor *tensor, int threads,
                                          const struct codec_cancel *cancel, char *memory,
                                          char **ret_end, struct ppm_error *error);

enum { CODEC_HEAD_BYTES_MAX = 192 }; /* what follows it is as aligned as what it begins at */

/* Whether a form is the tensor's memory with a head before it: npy and raw. */
bool codec_is_in_place(enum codec_form form);

/* The same without a copy, for those: *ret_bytes is within the memory of tensor, whose data
 * must have CODEC_HEAD_BYTES_MAX bytes of room before them. Values of a float32 tensor become
 * elements of dtype, which the form must have (.npy: <f2), where they stand; integers stay int32.
 * False for the others. */
bool codec_encode_in_place(enum codec_form form, const struct ppm_tensor *tensor,
                           enum codec_dtype dtype, struct codec_bytes *ret_bytes);

/* ---- several tensors, by name ----
 *
 * What a run computed on its way, in the order of the list: as one safetensors file (8 bytes of
 * little-endian length, a JSON header with "__metadata__", the data), or as JSON:
 * {"model", "layout", "times_ms": {..}, "flops": {..}, "stages": [{"name", "shape", "dtype",
 * "data": [..]}, ..]}. */

struct codec_about {
    const char *model;
    enum ppm_layout layout;
    struct ppm_stage_times times;
    uint64_t flops_literal, flops_folded;
};

/* Room for all but the data of so many tensors, a multiple of 64; and for all of it as JSON, with
 * so many bytes of data (saturating). */
size_t codec_stages_head_bytes_max(size_t count);
size_t codec_stages_json_bytes_max(size_t count, size_t bytes);

/* *ret_bytes is within the memory of the tensors, whose data stands one behind the other and has
 * codec_stages_head_bytes_max bytes of room before it. */
enum ppm_status codec_stages_as_safetensors(const struct ppm_stages *stages,
                                            const struct codec_about *about,
                                            struct codec_bytes *ret_bytes, struct ppm_error *error);

/* Into memory of codec_stages_json_bytes_max bytes, numbers as in codec_json_encode_into. */
enum ppm_status codec_stages_as_json(const struct ppm_stages *stages,
                                     const struct codec_about *about, int threads,
                                     const struct codec_cancel *cancel, char *memory,
                                     size_t *ret_bytes, struct ppm_error *error);

/* ---- room ---- */

/* An upper bound, in bytes, for what codec_encode will allocate for count elements, and for what a
 * PNG of as many takes. */
size_t codec_encoded_bytes_max(enum codec_form form, size_t count);

enum {
    CODEC_PNG_LABELS_MAX = 256,
    CODEC_PNG_WORKING_BYTES = 320 << 10, /* that writing one takes meanwhile: zlib's windows */
};

struct codec_palette {
    const uint8_t (*colours)[3]; /* red, green, blue of label i */
    size_t count;                /* at most CODEC_PNG_LABELS_MAX; 0: there is no palette */
};

/* One map of labels, int32 [1, 1, H, W], as a PNG of 8 bits a pixel, whose palette it is; into
 * memory of codec_encoded_bytes_max bytes. Uses up the labels' data. PPM_UNFIT for any other
 * tensor, and for a label without a colour; PPM_TOO_LARGE beyond 2^31 - 1 rows or columns;
 * PPM_NO_MEMORY. Any thread. */
enum ppm_status codec_png_encode_into(const struct ppm_tensor *labels,
                                      const struct codec_palette *palette,
                                      const struct codec_cancel *cancel, char *memory,
                                      size_t *ret_bytes, struct ppm_error *error);

#endif

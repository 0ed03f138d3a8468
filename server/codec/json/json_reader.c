/*
 * json_reader.c - see json_reader.h.
 *
 * Text is read once, in order: around the data only to find it, the data's numbers straight into
 * memory for the tensor. Whatever is refused stops this, and is met again when the body is whole
 * and the sentence can show all of it.
 */
#include "server/codec/json/json_reader.h"

#include "server/codec/axes.h"
#include "server/codec/json/json_array.h"
#include "server/codec/json/json_find.h"
#include "server/codec/json/json_members.h"
#include "server/codec/json/json_shape.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    NULL_BYTES = 4,                /* of the word that stands for data */
    MEMBERS_BYTES_MAX = 64 * 1024, /* of a body without its data */
    ROOM_AHEAD = 4,                /* times the numbers that may have come */
};

/* One array of data. */
struct numbers {
    size_t start, end; /* as the frame's data_start and data_end */
    struct codec_json_scan scan;
    struct codec_json_text text; /* instead of numbers; {0}: there is none */
    struct ppm_error refusal;
};

struct codec_reader {
    struct codec_reader_options options;
    struct codec_json_frame frame;
    struct numbers all[CODEC_DATA_MAX]; /* in the order of the body */
    size_t count;                       /* of those that have been begun */
    bool has_stopped;                   /* the rest waits until the body is whole */
};

struct codec_reader *codec_json_create(const struct codec_reader_options *options)
{
    struct codec_reader *reader = calloc(1, sizeof *reader);
    assert(options->data_max <= CODEC_DATA_MAX);
    if (reader) {
        reader->options = *options;
        reader->frame = (struct codec_json_frame){.list = options->list,
                                                  .data = options->key ? options->key : "data",
                                                  .found_max = size_max(options->data_max, 1)};
    }
    return reader;
}

void codec_json_free(struct codec_reader *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < reader->count; i++)
        free(reader->all[i].scan.values);
    free(reader);
}

/* ---- memory for the numbers ------------------------------------------------------------------ */

/* How many numbers the data may have. Each takes a digit and a comma or bracket, so a shape
 * before them that says more is not believed. */
static size_t count_max(const struct codec_reader *reader, const char *body, size_t body_bytes,
                        bool is_whole)
{
    const size_t start = reader->frame.data_start;
    const size_t bytes_max = is_whole ? body_bytes : reader->options.body_bytes_max;
    const size_t room = bytes_max > start ? (bytes_max - start) / 2 : 0;
    const size_t count = codec_json_shape_count(&reader->frame, body);
    return count > 0 && count < room ? count : room;
}

/* Grows the memory to that many numbers, and keeps those that have been read. */
static enum ppm_status grow(struct codec_reader *reader, struct codec_json_scan *scan,
                            size_t capacity, struct ppm_error *error)
{
    const struct codec_reader_options *options = &reader->options;
    struct ppm_tensor values = {.shape = {1, 1, 1, capacity}};
    const size_t kept = size_min(scan->array.count, scan->capacity);
    size_t bytes;
    if (ppm_shape_bytes(values.shape, &bytes, error) != PPM_OK)
        return error->status;
    const size_t more_bytes = bytes - scan->capacity * sizeof(float);
    if (options->reserve && !options->reserve(options->context, more_bytes))
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for the %zu numbers of data", capacity);
    if (ppm_tensor_allocate(&values, error) != PPM_OK)
        return error->status;
    if (scan->values)
        memcpy(values.data, scan->values, kept * sizeof(float));
    free(scan->values);
    scan->values = values.data;
    scan->capacity = capacity;
    return PPM_OK;
}

/* Room for the numbers in the text that has come, and for up to four times as many: the system
 * allocates only pages that are used. */
static enum ppm_status make_room(struct codec_reader *reader, struct codec_json_scan *scan,
                                 const char *body, size_t body_bytes, bool is_whole,
                                 struct ppm_error *error)
{
    const size_t most = count_max(reader, body, body_bytes, is_whole);
    size_t needed = scan->array.count + (body_bytes - scan->at) / 2 + 1;
    size_t capacity = ROOM_AHEAD * needed;
    needed = size_min(needed, most);
    capacity = size_min(capacity, most);
    return needed <= scan->capacity ? PPM_OK : grow(reader, scan, capacity, error);
}

/* ---- reading ---- */

/* The data that the frame is in. */
static struct numbers *numbers_now(struct codec_reader *reader)
{
    const size_t start = reader->frame.data_start;
    if (reader->count < reader->frame.found)
        reader->all[reader->count++] = (struct numbers){
            .start = start,
            .scan = {.name = reader->frame.data, .at = start, .cancel = reader->options.cancel}};
    return &reader->all[reader->count - 1];
}

/* Reads the text that the data is, once the body is whole. */
static enum ppm_status read_text(struct codec_reader *reader, struct numbers *numbers,
                                 const char *body, size_t body_bytes, bool is_whole,
                                 struct ppm_error *error)
{
    reader->has_stopped = true;
    if (!is_whole)
        return PPM_OK;
    if (codec_json_find_text(reader->frame.data, body, body_bytes, numbers->start, &numbers->text,
                             &numbers->end, error) == PPM_OK)
        codec_json_leave_data(&reader->frame, numbers->end);
    return error->status;
}

/* Reads on in the data. Where it is refused and the body is whole, passes over it if its end can be
 * seen: then the text around it is checked first. */
static enum ppm_status read_data(struct codec_reader *reader, const char *body, size_t body_bytes,
                                 bool is_whole, struct ppm_error *error)
{
    struct numbers *numbers = numbers_now(reader);
    struct codec_json_scan *scan = &numbers->scan;
    struct ppm_error *const refusal = &numbers->refusal;
    struct ppm_error ignored = {0};
    if (reader->options.takes_text && codec_json_is_text(body, body_bytes, numbers->start))
        return read_text(reader, numbers, body, body_bytes, is_whole, error);
    if (make_room(reader, scan, body, body_bytes, is_whole, &ignored) != PPM_OK && !is_whole) {
        reader->has_stopped = true;
        return PPM_OK;
    }
    const enum ppm_status status =
        codec_json_scan(scan, body, body_bytes, is_whole, is_whole ? refusal : error);
    if (status == PPM_OK && scan->is_done)
        codec_json_leave_data(&reader->frame, scan->at);
    else if (status != PPM_OK && is_whole &&
             (status == PPM_CANCELLED || !codec_json_pass_data(&reader->frame, body, body_bytes)))
        *error = *refusal;
    numbers->end = reader->frame.data_end;
    return error->status;
}

/* In slices if the body is whole; errors in a slice recur with all of the text. */
static enum ppm_status find_data(struct codec_reader *reader, const char *body, size_t body_bytes,
                                 bool is_whole, struct ppm_error *error)
{
    struct codec_json_frame *frame = &reader->frame;
    struct ppm_error met_again = {0};
    size_t end = frame->at;
    while (is_whole && body_bytes - end > CODEC_SLICE_BYTES && frame->stage != CODEC_JSON_DATA) {
        if (codec_check(reader->options.cancel, error) != PPM_OK)
            return error->status;
        end += CODEC_SLICE_BYTES;
        if (codec_json_find_data(frame, body, end, false, &met_again) != PPM_OK)
            break;
    }
    return frame->stage == CODEC_JSON_DATA
               ? PPM_OK
               : codec_json_find_data(frame, body, body_bytes, is_whole, error);
}

static enum ppm_status read_on(struct codec_reader *reader, const char *body, size_t body_bytes,
                               bool is_whole, struct ppm_error *error)
{
    struct codec_json_frame *frame = &reader->frame;
    enum ppm_status status;
    do {
        status = find_data(reader, body, body_bytes, is_whole, error);
        if (status != PPM_OK || frame->stage != CODEC_JSON_DATA)
            break;
        status = read_data(reader, body, body_bytes, is_whole, error);
    } while (status == PPM_OK && frame->stage != CODEC_JSON_DATA);
    return status;
}

void codec_json_feed(struct codec_reader *reader, const char *body, size_t body_bytes)
{
    struct ppm_error met_again = {0};
    if (!reader->has_stopped && read_on(reader, body, body_bytes, false, &met_again) != PPM_OK)
        reader->has_stopped = true;
}

size_t codec_json_left(const struct codec_reader *reader, size_t body_bytes)
{
    const bool is_in_data =
        reader->frame.stage == CODEC_JSON_DATA && reader->count == reader->frame.found;
    return body_bytes - (is_in_data ? reader->all[reader->count - 1].scan.at : reader->frame.at);
}

/* ---- the text around the data ------------------------------------------------------------- */

/* Why jansson refused the text; jansson's own words may repeat bytes of the body. */
static void explain(json_error_t *refusal, size_t at, struct ppm_error *error)
{
    const enum json_error_code code = json_error_code(refusal);
    for (char *byte = refusal->text; *byte; byte++) {
        if ((unsigned char)*byte < 0x20 || (unsigned char)*byte >= 0x7f)
            *byte = '?';
    }
    if (code == json_error_out_of_memory || code == json_error_unknown)
        ppm_fail(error, PPM_NO_MEMORY, "no memory for the JSON of the body");
    else if (code == json_error_duplicate_key)
        ppm_fail(error, PPM_MALFORMED, "the body, near byte %zu: %s, expected each key once", at,
                 refusal->text);
    else
        ppm_fail(error, PPM_MALFORMED, "the body is not JSON, near byte %zu: %s", at,
                 refusal->text);
}

/* Where in the body a byte of its text with null in the place of data is. */
static size_t place_in_body(const struct codec_reader *reader, size_t at)
{
    for (size_t i = 0; i < reader->count; i++)
        if (at > reader->all[i].start)
            at += reader->all[i].end - reader->all[i].start - NULL_BYTES;
    return at;
}

/* Parses text, which is the body with null in the place of its data. */
static json_t *parse(const struct codec_reader *reader, const char *text, size_t text_bytes,
                     struct ppm_error *error)
{
    json_error_t refusal = {.position = 0};
    json_t *root = NULL;
    /* jansson skips a NUL after a word or a number. */
    const char *nul = memchr(text, '\0', text_bytes);
    if (!nul)
        root = ppm_json_load(text, text_bytes, &refusal);
    if (root)
        return root;
    size_t at = refusal.position > 0 ? (size_t)refusal.position : 0;
    if (nul)
        at = (size_t)(nul - text);
    at = place_in_body(reader, at);
    if (nul)
        ppm_fail(error, PPM_MALFORMED, "the body is not JSON: byte %zu is NUL, expected text%s", at,
                 at == 1 ? "; JSON is UTF-8, not UTF-16" : "");
    else
        explain(&refusal, at, error);
    return NULL;
}

/* The body with null in the place of its data, into text_bytes of memory. */
static void write_around(const struct codec_reader *reader, const char *body, size_t body_bytes,
                         char *text)
{
    size_t from = 0;
    for (size_t i = 0; i < reader->count; i++) {
        const struct numbers *numbers = &reader->all[i];
        memcpy(text, body + from, numbers->start - from);
        text += numbers->start - from;
        memcpy(text, "null", NULL_BYTES);
        text += NULL_BYTES;
        from = numbers->end;
    }
    memcpy(text, body + from, body_bytes - from);
}

enum ppm_status codec_json_around(struct codec_reader *reader, const char *body, size_t body_bytes,
                                  struct json_t **ret_around, struct ppm_error *error)
{
    const struct codec_json_frame *frame = &reader->frame;
    size_t around_bytes = body_bytes;
    if (read_on(reader, body, body_bytes, true, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < reader->count; i++)
        around_bytes -= reader->all[i].end - reader->all[i].start;
    const size_t text_bytes = around_bytes + NULL_BYTES * reader->count;
    if (text_bytes > MEMBERS_BYTES_MAX && frame->unknown_bytes > 0)
        return codec_json_refuse_member(body + frame->unknown_start, frame->unknown_bytes, error);
    if (text_bytes > MEMBERS_BYTES_MAX)
        return ppm_fail(error, PPM_MALFORMED,
                        "the body has %zu bytes besides the data, expected at most %d",
                        around_bytes, MEMBERS_BYTES_MAX);
    char *text = malloc(text_bytes);
    if (!text)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for %zu bytes of JSON", text_bytes);
    write_around(reader, body, body_bytes, text);
    json_t *root = parse(reader, text, text_bytes, error);
    free(text);
    if (!root)
        return error->status;
    *ret_around = root;
    return PPM_OK;
}

size_t codec_json_data_count(const struct codec_reader *reader)
{
    return reader->count;
}

size_t codec_json_depth(const struct codec_reader *reader, size_t index)
{
    const struct numbers *numbers = &reader->all[index];
    return numbers->refusal.status == PPM_OK ? numbers->scan.array.depth : 0;
}

struct codec_json_text codec_json_text(const struct codec_reader *reader, size_t index)
{
    return reader->all[index].text;
}

/* ---- the tensor ------------------------------------------------------------------------------ */

/* The numbers that there was no memory for when they were counted. */
static enum ppm_status read_again(struct codec_reader *reader, struct numbers *numbers,
                                  const char *body, struct ppm_error *error)
{
    struct codec_json_scan *scan = &numbers->scan;
    if (grow(reader, scan, scan->array.count, error) != PPM_OK)
        return error->status;
    *scan = (struct codec_json_scan){.name = scan->name,
                                     .cancel = scan->cancel,
                                     .at = numbers->start,
                                     .values = scan->values,
                                     .capacity = scan->capacity};
    return codec_json_scan(scan, body, numbers->end, true, error);
}

enum ppm_status codec_json_tensor(struct codec_reader *reader, size_t index, const char *body,
                                  const size_t *axes, size_t axis_count, enum ppm_layout layout,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct numbers *numbers = &reader->all[index];
    const struct codec_json_array *array = &numbers->scan.array;
    struct ppm_tensor tensor = {.dtype = PPM_FLOAT32};
    size_t bytes = 0;
    enum ppm_status status = PPM_OK;
    assert(index < reader->count);
    if (axis_count > 0)
        status = ppm_tensor_from_axes(axes, axis_count, layout, &tensor, error);
    if (status == PPM_OK && axis_count > 0)
        status = ppm_shape_bytes(tensor.shape, &bytes, error);
    if (status == PPM_OK && numbers->refusal.status != PPM_OK)
        status = ppm_fail(error, numbers->refusal.status, "%s", numbers->refusal.text);
    if (status == PPM_OK && numbers->text.bytes > 0)
        status = ppm_fail(error, PPM_MALFORMED, "%.16s: found a string, expected numbers",
                          numbers->scan.name);
    if (status == PPM_OK && axis_count > 0)
        status = codec_json_check_shape(array, axes, axis_count, bytes / sizeof(float), error);
    else if (status == PPM_OK)
        status = codec_json_take_shape(array, layout, &tensor, error);
    if (status == PPM_OK && array->count > numbers->scan.capacity)
        status = read_again(reader, numbers, body, error);
    if (status != PPM_OK)
        return status;
    tensor.data = numbers->scan.values;
    numbers->scan.values = NULL;
    numbers->scan.capacity = 0;
    *ret_tensor = tensor;
    return PPM_OK;
}

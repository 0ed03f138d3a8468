/*
 * json_find.c - see json_find.h.
 *
 * The data is found without parsing the rest: only strings, brackets and the colons after keys are
 * read. In any text that is JSON this is exact; other text is refused by what reads on.
 */
#include "server/codec/json/json_find.h"

#include "server/codec/json/json_array.h"
#include "server/codec/json/json_example.h"
#include "server/codec/json/json_members.h"
#include "server/codec/quote.h"

#include <string.h>

enum { NESTING_MAX = 16 }; /* of anything but the data */

static size_t skip_space(const char *body, size_t body_bytes, size_t at)
{
    while (at < body_bytes && codec_json_is_space(body[at]))
        at++;
    return at;
}

/* ---- the end of an array that was refused ---- */

static size_t find_byte(const char *body, size_t body_bytes, size_t at, char byte)
{
    const char *found = at < body_bytes ? memchr(body + at, byte, body_bytes - at) : NULL;
    return found ? (size_t)(found - body) : body_bytes;
}

bool codec_json_pass_data(struct codec_json_frame *frame, const char *body, size_t body_bytes)
{
    size_t depth = 0;
    size_t open = frame->data_start;
    size_t close = find_byte(body, body_bytes, open, ']');
    do {
        if (open < close) {
            depth++;
            open = find_byte(body, body_bytes, open + 1, '[');
        } else if (close < body_bytes) {
            depth--;
            frame->at = close + 1;
            close = find_byte(body, body_bytes, close + 1, ']');
        } else {
            return false;
        }
    } while (depth > 0);
    codec_json_leave_data(frame, frame->at);
    return !memchr(body + frame->data_start, '"', frame->data_end - frame->data_start);
}

void codec_json_leave_data(struct codec_json_frame *frame, size_t end)
{
    frame->at = frame->data_end = end;
    frame->stage = CODEC_JSON_AROUND;
}

/* ---- the text around it ---- */

/* Of POST /ppm, whose members are all known. */
static bool is_own(const struct codec_json_frame *frame)
{
    return !frame->list && strcmp(frame->data, "data") == 0;
}

/* What a body should look like, of POST /ppm, of /v2 or of /v1. */
static const char *example_of(const struct codec_json_frame *frame)
{
    if (frame->list)
        return CODEC_JSON_V2_EXAMPLE;
    return is_own(frame) ? CODEC_JSON_EXAMPLE : CODEC_JSON_V1_EXAMPLE;
}

static enum ppm_status refuse_start(const struct codec_json_frame *frame, const char *text,
                                    size_t text_bytes, struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *kind = ppm_looks_like(text, text_bytes);
    if (text_bytes == 0)
        return ppm_fail(error, PPM_MALFORMED, "the body is empty, expected JSON such as %s",
                        example_of(frame));
    if (kind && *text != '[')
        return ppm_fail(error, PPM_MALFORMED, "the body begins with %s, expected {, as in %s%s",
                        kind, example_of(frame), codec_hint(kind));
    return ppm_fail(error, PPM_MALFORMED,
                    "the body begins with \"%s\", expected a JSON object such as %s",
                    codec_quote(text, text_bytes, found), example_of(frame));
}

static enum ppm_status refuse_data(const struct codec_json_frame *frame, const char *body,
                                   size_t body_bytes, struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const size_t at = frame->at;
    size_t end = at;
    while (end < body_bytes && !memchr(",}] \n\r\t", body[end], 7))
        end++;
    return ppm_fail(error, PPM_MALFORMED, "%s at byte %zu: found \"%s\", expected an array of %s",
                    frame->data, at, codec_quote(body + at, end - at, found),
                    is_own(frame) || frame->list ? "numbers" : "tensors or an image");
}

static enum ppm_status refuse_more(const struct codec_json_frame *frame, struct ppm_error *error)
{
    if (!frame->list)
        return ppm_fail(error, PPM_MALFORMED,
                        "the body has \"%s\" twice, at bytes %zu and %zu, expected it once",
                        frame->data, frame->data_start, frame->at);
    if (frame->found_max == 1)
        return ppm_fail(error, PPM_MALFORMED,
                        "%s: found \"data\" at bytes %zu and %zu, expected one object with data",
                        frame->list, frame->data_start, frame->at);
    return ppm_fail(error, PPM_MALFORMED,
                    "%s: found \"data\" at byte %zu too, expected at most %zu objects with data",
                    frame->list, frame->at, frame->found_max);
}

/* Steps into the value after the key "data" and its colon. */
static enum ppm_status enter_data(struct codec_json_frame *frame, const char *body,
                                  size_t body_bytes, bool is_whole, struct ppm_error *error)
{
    frame->at = skip_space(body, body_bytes, frame->at);
    if (frame->at == body_bytes && !is_whole)
        return PPM_OK;
    if (frame->found == frame->found_max)
        return refuse_more(frame, error);
    if (frame->at == body_bytes || body[frame->at] != '[')
        return refuse_data(frame, body, body_bytes, error);
    frame->found++;
    frame->data_start = frame->at;
    frame->stage = CODEC_JSON_DATA;
    return PPM_OK;
}

/* Goes on within a string; after its closing quote it is known which key it would be. */
static void pass_string(struct codec_json_frame *frame, const char *body, size_t body_bytes,
                        bool is_whole)
{
    const size_t start = frame->string_start + 1;
    size_t at = frame->at;
    while (at < body_bytes && body[at] != '"') {
        if (body[at] == '\\' && at + 1 == body_bytes && !is_whole)
            break;
        at += body[at] == '\\' ? 2 : 1;
    }
    frame->at = size_min(at, body_bytes);
    if (frame->at == body_bytes || body[at] != '"')
        return;
    frame->at++;
    frame->stage = CODEC_JSON_AROUND;
    frame->key = CODEC_JSON_KEY_OTHER;
    frame->string_bytes = at - start;
    if (codec_is_text(body + start, at - start, frame->data))
        frame->key = CODEC_JSON_KEY_DATA;
    else if (codec_is_text(body + start, at - start, "shape"))
        frame->key = CODEC_JSON_KEY_SHAPE;
    else if (frame->list && codec_is_text(body + start, at - start, frame->list))
        frame->key = CODEC_JSON_KEY_LIST;
}

/* Whether the members that are read here are next to the data. */
static bool is_next_to_data(const struct codec_json_frame *frame)
{
    if (!frame->list)
        return frame->depth == 1;
    return frame->depth == 3 && frame->is_in_list && (frame->objects & 0xeU) == (1U << 1 | 1U << 3);
}

/* The first of the body's own members that no request has, to name it if the body is too large. */
static void note_unknown(struct codec_json_frame *frame, const char *body)
{
    const char *key = body + frame->string_start + 1;
    const size_t bytes = frame->string_bytes;
    if (frame->unknown_bytes > 0 || codec_json_is_member(key, bytes) || memchr(key, '\\', bytes))
        return;
    frame->unknown_start = frame->string_start + 1;
    frame->unknown_bytes = bytes;
}

static void pass_colon(struct codec_json_frame *frame, const char *body)
{
    if (frame->depth == 1)
        frame->is_in_list = frame->key == CODEC_JSON_KEY_LIST;
    if (frame->depth == 1 && is_own(frame))
        note_unknown(frame, body);
    if (!is_next_to_data(frame))
        return;
    if (frame->key == CODEC_JSON_KEY_DATA)
        frame->stage = CODEC_JSON_BEFORE_DATA;
    else if (frame->key == CODEC_JSON_KEY_SHAPE)
        frame->shape_at = frame->at;
}

/* Passes the byte before frame->at, which is in no string. */
static enum ppm_status pass_byte(struct codec_json_frame *frame, const char *body,
                                 struct ppm_error *error)
{
    const char byte = body[frame->at - 1];
    switch (byte) {
    case '"':
        frame->string_start = frame->at - 1;
        frame->stage = CODEC_JSON_STRING;
        break;
    case ':':
        pass_colon(frame, body);
        break;
    case '{':
    case '[':
        if (frame->depth == NESTING_MAX)
            return ppm_fail(error, PPM_MALFORMED,
                            "byte %zu: nested deeper than %d, expected at most %d levels outside "
                            "the data",
                            frame->at - 1, NESTING_MAX, NESTING_MAX);
        frame->depth++;
        if (frame->list && frame->depth == 3)
            frame->shape_at = 0; /* of another object of the list */
        frame->objects &= ~(1U << frame->depth);
        frame->objects |= (unsigned)(byte == '{') << frame->depth;
        break;
    case '}':
    case ']':
        if (--frame->depth == 0)
            frame->stage = CODEC_JSON_END;
        break;
    default:
        break;
    }
    return PPM_OK;
}

enum ppm_status codec_json_find_data(struct codec_json_frame *frame, const char *body,
                                     size_t body_bytes, bool is_whole, struct ppm_error *error)
{
    if (frame->stage == CODEC_JSON_START) {
        frame->at = skip_space(body, body_bytes, frame->at);
        if (frame->at == body_bytes && !is_whole)
            return PPM_OK;
        if (frame->at == body_bytes || body[frame->at] != '{')
            return refuse_start(frame, body + frame->at, body_bytes - frame->at, error);
        frame->stage = CODEC_JSON_AROUND;
    }
    enum ppm_status status = PPM_OK;
    while (status == PPM_OK && frame->stage <= CODEC_JSON_STRING && frame->at < body_bytes) {
        const size_t before = frame->at;
        if (frame->stage == CODEC_JSON_AROUND) {
            frame->at++;
            status = pass_byte(frame, body, error);
            if (status != PPM_OK)
                frame->at = before;
        } else {
            pass_string(frame, body, body_bytes, is_whole);
            if (frame->at == before)
                break; /* at a backslash whose other half is still to come */
        }
    }
    if (status == PPM_OK && frame->stage == CODEC_JSON_BEFORE_DATA)
        status = enter_data(frame, body, body_bytes, is_whole, error);
    return status;
}

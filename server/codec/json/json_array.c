/*
 * json_array.c - see json_array.h.
 */
#include "server/codec/json/json_array.h"

#include "server/codec/axes.h"
#include "server/codec/json/numbers.h"
#include "server/codec/quote.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WHERE_BYTES = CODEC_AXES_TEXT_BYTES + 32,
    /* A longer one that is cut in two waits for a piece that ends after a shorter one. */
    TOKEN_BYTES_MAX = 1024,
};

static const char a_number[] = "a number (or null for a value that is not finite)";

/* The array's text, and how far it has been read. */
struct text {
    struct codec_json_scan *scan;
    const char *start, *at, *end;
    struct ppm_error *error;
};

/* At most a slice. False: there may be more. */
static bool skip_space(struct text *text)
{
    const bool is_last = text->end - text->at <= CODEC_SLICE_BYTES;
    const char *const end = is_last ? text->end : text->at + CODEC_SLICE_BYTES;
    while (text->at < end && codec_json_is_space(*text->at))
        text->at++;
    return is_last || text->at < end;
}

static bool is_delimiter(char byte)
{
    return codec_json_is_space(byte) || byte == ',' || byte == ']';
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* "data[0][17] at byte 123": the element that is being read, in depth arrays. */
static const char *where(const struct text *text, size_t depth, char ret_text[WHERE_BYTES])
{
    size_t used = (size_t)snprintf(ret_text, WHERE_BYTES, "%.16s", text->scan->name);
    for (size_t i = 0; i < depth; i++)
        used += (size_t)snprintf(ret_text + used, WHERE_BYTES - used, "[%zu]", text->scan->done[i]);
    snprintf(ret_text + used, WHERE_BYTES - used, " at byte %zu", (size_t)(text->at - text->start));
    return ret_text;
}

/* How many bytes to show of the string, word or mark at text->at. */
static size_t found_bytes(const struct text *text)
{
    const char *at = text->at + 1;
    if (*text->at == '"') {
        while (at < text->end && *at != '"')
            at++;
        return (size_t)(at - text->at) + (at < text->end);
    }
    if (strchr(",]}{[:", *text->at))
        return 1;
    while (at < text->end && !is_delimiter(*at))
        at++;
    return (size_t)(at - text->at);
}

static enum ppm_status refuse(const struct text *text, const char *expected)
{
    char element[WHERE_BYTES], found[CODEC_QUOTED_BYTES];
    const char *what = "the end of the body";
    if (text->at < text->end)
        what = codec_quote(text->at, found_bytes(text), found);
    return ppm_fail(text->error, PPM_MALFORMED, "%s: found %s, expected %s",
                    where(text, text->scan->depth, element), what, expected);
}

static enum ppm_status refuse_large(const struct text *text)
{
    char element[WHERE_BYTES], found[CODEC_QUOTED_BYTES];
    return ppm_fail(text->error, PPM_MALFORMED,
                    "%s: found %s, beyond float32, expected at most 3.4028235e+38 in magnitude",
                    where(text, text->scan->depth, element),
                    codec_quote(text->at, found_bytes(text), found));
}

/* ---- reading --------------------------------------------------------------------------------- */

/* One number or null, which ends at a delimiter. */
static enum ppm_status read_value(struct text *text)
{
    struct codec_json_scan *scan = text->scan;
    float value;
    const char *after = number_read(text->at, text->end, &value);
    if (!after && text->end - text->at >= 4 && memcmp(text->at, "null", 4) == 0) {
        after = text->at + 4;
        value = NAN;
    }
    if (!after || (after < text->end && !is_delimiter(*after)))
        return refuse(text, a_number);
    if (isinf(value))
        return refuse_large(text);
    if (scan->array.count < scan->capacity)
        scan->values[scan->array.count] = value;
    scan->array.count++;
    scan->done[scan->depth - 1]++;
    scan->is_after_value = true;
    text->at = after;
    return PPM_OK;
}

/* As many numbers as can be read at once, with the commas after them. False: none. */
static bool read_values(struct text *text)
{
    struct codec_json_scan *scan = text->scan;
    size_t count = 0;
    if (scan->array.count >= scan->capacity)
        return false;
    const size_t room = scan->capacity - scan->array.count;
    text->at = number_read_list(text->at, text->end, scan->values + scan->array.count,
                                size_min(room, CODEC_SLICE_NUMBERS), &count);
    scan->array.count += count;
    scan->done[scan->depth - 1] += count;
    return count > 0;
}

/* Enters the array at text->at. */
static enum ppm_status open_array(struct text *text)
{
    struct codec_json_scan *scan = text->scan;
    if (scan->array.depth > 0 && scan->depth == scan->array.depth)
        return refuse(text, a_number);
    if (scan->depth == CODEC_JSON_DEPTH_MAX)
        return refuse(text, "arrays nested at most 4 deep");
    scan->done[scan->depth++] = 0;
    text->at++;
    return PPM_OK;
}

/* Leaves the innermost open array, which is refused unless it is as long as those before it. */
static enum ppm_status close_array(struct text *text)
{
    struct codec_json_scan *scan = text->scan;
    const size_t level = scan->depth - 1;
    size_t *extent = &scan->array.extents[level];
    if (*extent == 0)
        *extent = scan->done[level];
    if (*extent != scan->done[level]) {
        char element[WHERE_BYTES];
        return ppm_fail(
            text->error, PPM_MALFORMED,
            "%s: the array that ends here has length %zu, expected %zu like the arrays before it",
            where(text, level, element), scan->done[level], *extent);
    }
    scan->depth = level;
    text->at++;
    if (level > 0)
        scan->done[level - 1]++;
    else
        scan->is_done = true;
    return PPM_OK;
}

/* Reads the mark or the value at text->at; keeps nothing of it when it is refused. */
static enum ppm_status read_next(struct text *text)
{
    struct codec_json_scan *scan = text->scan;
    const char byte = text->at < text->end ? *text->at : '\0';
    if (scan->is_after_value) {
        if (byte == ']')
            return close_array(text);
        if (byte != ',')
            return refuse(text, "',' or ']'");
        scan->is_after_value = false;
        text->at++;
        return PPM_OK;
    }
    if (byte == '[')
        return open_array(text);
    if (scan->array.depth == 0)
        scan->array.depth = scan->depth;
    if (scan->depth != scan->array.depth)
        return refuse(text, "an array, like those before it");
    return read_values(text) ? PPM_OK : read_value(text);
}

/* The end of what is certain: only the byte that follows a number tells that it is over. */
static const char *find_certain_end(const char *at, const char *end)
{
    const char *const first = end - at > TOKEN_BYTES_MAX ? end - TOKEN_BYTES_MAX : at;
    while (end > first && !is_delimiter(end[-1]))
        end--;
    return end > first ? end : at;
}

enum ppm_status codec_json_scan(struct codec_json_scan *scan, const char *body, size_t body_bytes,
                                bool is_whole, struct ppm_error *error)
{
    struct text text = {.scan = scan,
                        .start = body,
                        .at = body + scan->at,
                        .end = body + body_bytes,
                        .error = error};
    enum ppm_status status = PPM_OK;
    const char *look_at = text.at;
    if (!is_whole)
        text.end = find_certain_end(text.at, text.end);
    while (status == PPM_OK && !scan->is_done) {
        const bool is_at_value = skip_space(&text);
        if (text.at == text.end && !is_whole)
            break;
        if (is_whole && text.at >= look_at) {
            if (codec_check(scan->cancel, error) != PPM_OK)
                return error->status;
            look_at = text.at + CODEC_SLICE_BYTES;
        }
        if (is_at_value)
            status = read_next(&text);
        scan->at = (size_t)(text.at - body);
    }
    return status;
}

/*
 * json_array.c - the numbers of a JSON body, read from the text straight into the tensor.
 */
#include "server/codec/codec_internal.h"

#include "server/codec/numbers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WHERE_BYTES = CODEC_AXES_TEXT_BYTES + 32 };

static const char a_number[] = "a number (or null for a value that is not finite)";

struct scan {
    const char *text, *at, *end;
    float *values;
    size_t capacity;
    struct codec_json_array array;     /* depth is 0 until the first number */
    size_t depth;                      /* arrays open */
    size_t done[CODEC_JSON_DEPTH_MAX]; /* elements read of each open array */
    struct ppm_error *error;
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && codec_json_is_space(*scan->at))
        scan->at++;
}

static bool is_next(const struct scan *scan, char byte)
{
    return scan->at < scan->end && *scan->at == byte;
}

static bool is_delimiter(char byte)
{
    return codec_json_is_space(byte) || byte == ',' || byte == ']';
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* "data[0][17] at byte 123": the element that is being read. */
static const char *where(const struct scan *scan, char ret_text[WHERE_BYTES])
{
    size_t used = (size_t)snprintf(ret_text, WHERE_BYTES, "data");
    for (size_t i = 0; i < scan->depth; i++)
        used += (size_t)snprintf(ret_text + used, WHERE_BYTES - used, "[%zu]", scan->done[i]);
    snprintf(ret_text + used, WHERE_BYTES - used, " at byte %zu", (size_t)(scan->at - scan->text));
    return ret_text;
}

/* How many bytes to show of what stands at scan->at: a string, a word or a mark. */
static size_t found_bytes(const struct scan *scan)
{
    const char *at = scan->at + 1;
    if (*scan->at == '"') {
        while (at < scan->end && *at != '"')
            at++;
        return (size_t)(at - scan->at) + (at < scan->end);
    }
    if (strchr(",]}{[:", *scan->at))
        return 1;
    while (at < scan->end && !is_delimiter(*at))
        at++;
    return (size_t)(at - scan->at);
}

static enum ppm_status refuse(const struct scan *scan, const char *expected)
{
    char element[WHERE_BYTES], found[CODEC_QUOTED_BYTES];
    const char *what = "the end of the body";
    if (scan->at < scan->end)
        what = codec_quote(scan->at, found_bytes(scan), found);
    return ppm_fail(scan->error, PPM_MALFORMED, "%s: found %s, expected %s", where(scan, element),
                    what, expected);
}

static enum ppm_status refuse_large(const struct scan *scan)
{
    char element[WHERE_BYTES], found[CODEC_QUOTED_BYTES];
    return ppm_fail(scan->error, PPM_MALFORMED,
                    "%s: found %s, beyond float32, expected at most 3.4028235e+38 in magnitude",
                    where(scan, element), codec_quote(scan->at, found_bytes(scan), found));
}

/* ---- reading --------------------------------------------------------------------------------- */

/* One number or null, and no more than that before the next delimiter. */
static enum ppm_status read_value(struct scan *scan, float *ret_value)
{
    const char *behind = number_read(scan->at, scan->end, ret_value);
    if (!behind && scan->end - scan->at >= 4 && memcmp(scan->at, "null", 4) == 0) {
        behind = scan->at + 4;
        *ret_value = NAN;
    }
    if (!behind || (behind < scan->end && !is_delimiter(*behind)))
        return refuse(scan, a_number);
    if (isinf(*ret_value))
        return refuse_large(scan);
    scan->at = behind;
    return PPM_OK;
}

/* The numbers of an innermost array, up to what follows the last of them. */
static enum ppm_status read_row(struct scan *scan)
{
    size_t *done = &scan->done[scan->depth - 1];
    for (;; scan->at++) {
        float value;
        skip_space(scan);
        const enum ppm_status status = read_value(scan, &value);
        if (status != PPM_OK)
            return status;
        if (scan->array.count < scan->capacity)
            scan->values[scan->array.count] = value;
        scan->array.count++;
        (*done)++;
        skip_space(scan);
        if (!is_next(scan, ','))
            return PPM_OK;
    }
}

/* Leaves the innermost open array, which is as long as its like or refused. */
static enum ppm_status close_array(struct scan *scan)
{
    const size_t level = --scan->depth;
    size_t *extent = &scan->array.extents[level];
    if (*extent == 0)
        *extent = scan->done[level];
    if (*extent != scan->done[level]) {
        char element[WHERE_BYTES];
        return ppm_fail(scan->error, PPM_MALFORMED,
                        "%s: the array that ends here has length %zu, expected %zu as the arrays "
                        "before it",
                        where(scan, element), scan->done[level], *extent);
    }
    scan->at++;
    if (level > 0)
        scan->done[level - 1]++;
    return PPM_OK;
}

/* Enters the array at scan->at. */
static enum ppm_status open_array(struct scan *scan)
{
    if (scan->array.depth > 0 && scan->depth == scan->array.depth)
        return refuse(scan, a_number);
    if (scan->depth == CODEC_JSON_DEPTH_MAX)
        return refuse(scan, "arrays nested at most 4 deep");
    scan->done[scan->depth++] = 0;
    scan->at++;
    return PPM_OK;
}

/* Closes what ends here, and steps over the comma before the next array. */
static enum ppm_status close_arrays(struct scan *scan)
{
    for (;;) {
        skip_space(scan);
        if (!is_next(scan, ']'))
            break;
        const enum ppm_status status = close_array(scan);
        if (status != PPM_OK || scan->depth == 0)
            return status;
    }
    if (!is_next(scan, ','))
        return refuse(scan, "',' or ']'");
    scan->at++;
    return PPM_OK;
}

enum ppm_status codec_json_read_array(const char *text, size_t text_bytes, size_t at, float *values,
                                      size_t capacity, struct codec_json_array *ret_array,
                                      struct ppm_error *error)
{
    struct scan scan = {.text = text,
                        .at = text + at,
                        .end = text + text_bytes,
                        .values = values,
                        .capacity = capacity,
                        .error = error};
    enum ppm_status status;
    do {
        skip_space(&scan);
        if (is_next(&scan, '[')) {
            status = open_array(&scan);
            continue;
        }
        if (scan.array.depth == 0)
            scan.array.depth = scan.depth;
        if (scan.depth != scan.array.depth)
            return refuse(&scan, "an array, as before it");
        status = read_row(&scan);
        if (status == PPM_OK)
            status = close_arrays(&scan);
    } while (status == PPM_OK && scan.depth > 0);
    if (status == PPM_OK)
        *ret_array = scan.array;
    return status;
}

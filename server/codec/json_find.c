/*
 * json_find.c - where the data of a JSON body stands, found without parsing the rest.
 *
 * It reads no more of the grammar than that takes: strings, brackets, and colons at the outermost
 * level. In any text that is JSON this is exact; what is not JSON is refused by those who read on.
 */
#include "server/codec/codec_internal.h"

#include <string.h>

enum { NESTING_MAX = 16 }; /* of anything beside the data */

static size_t skip_space(const char *body, size_t body_bytes, size_t at)
{
    while (at < body_bytes && codec_json_is_space(body[at]))
        at++;
    return at;
}

/* Behind the closing quote of the string that opens at body[at]. */
static size_t skip_string(const char *body, size_t body_bytes, size_t at)
{
    for (at++; at < body_bytes && body[at] != '"'; at++) {
        if (body[at] == '\\')
            at++;
    }
    return at < body_bytes ? at + 1 : body_bytes;
}

static size_t find_byte(const char *body, size_t body_bytes, size_t at, char byte)
{
    const char *found = at < body_bytes ? memchr(body + at, byte, body_bytes - at) : NULL;
    return found ? (size_t)(found - body) : body_bytes;
}

/* Finds the ']' of the array at place->start, by brackets alone: whatever else is wrong with the
 * array, a string in it included, is for codec_json_read_array to say. */
static void find_array_end(const char *body, size_t body_bytes, struct codec_json_place *place)
{
    size_t depth = 0;
    size_t open = place->start;
    size_t close = find_byte(body, body_bytes, open, ']');
    do {
        if (open < close) {
            depth++;
            open = find_byte(body, body_bytes, open + 1, '[');
        } else if (close < body_bytes) {
            depth--;
            place->end = close + 1;
            close = find_byte(body, body_bytes, close + 1, ']');
        } else {
            place->end = body_bytes;
            return;
        }
    } while (depth > 0);
    place->is_closed = !memchr(body + place->start, '"', place->end - place->start);
}

/* Takes what stands at body[at], behind the key "data" and its colon, as the data. */
static enum ppm_status enter_data(const char *body, size_t body_bytes, size_t at,
                                  struct codec_json_place *place, struct ppm_error *error)
{
    if (place->is_found)
        return ppm_fail(error, PPM_MALFORMED,
                        "the body has \"data\" twice, at bytes %zu and %zu, expected it once",
                        place->start, at);
    if (at == body_bytes || body[at] != '[') {
        char found[CODEC_QUOTED_BYTES];
        size_t end = at;
        while (end < body_bytes && !memchr(",}] \n\r\t", body[end], 7))
            end++;
        return ppm_fail(error, PPM_MALFORMED,
                        "data at byte %zu: found \"%s\", expected an array of numbers", at,
                        codec_quote(body + at, end - at, found));
    }
    place->is_found = true;
    place->start = at;
    find_array_end(body, body_bytes, place);
    return PPM_OK;
}

static enum ppm_status refuse_start(const char *text, size_t text_bytes, struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    return ppm_fail(error, PPM_MALFORMED,
                    "the body begins with \"%s\", expected a JSON object such as "
                    "{\"shape\": [1, 4, 30, 30], \"data\": [..]}",
                    codec_quote(text, text_bytes, found));
}

enum ppm_status codec_json_find_data(const char *body, size_t body_bytes,
                                     struct codec_json_place *ret_place, struct ppm_error *error)
{
    static const char key[] = "\"data\"";
    const size_t key_bytes = sizeof key - 1;
    size_t depth = 0;
    bool is_key = false; /* the last string at depth 1 was the key */
    size_t at = skip_space(body, body_bytes, 0);
    if (at == body_bytes || body[at] != '{')
        return refuse_start(body + at, body_bytes - at, error);
    do {
        const char byte = body[at];
        if (byte == '"') {
            const size_t start = at;
            at = skip_string(body, body_bytes, at);
            is_key = at - start == key_bytes && memcmp(body + start, key, key_bytes) == 0;
            continue;
        }
        at++;
        if (byte == ':' && depth == 1 && is_key) {
            at = skip_space(body, body_bytes, at);
            const enum ppm_status status = enter_data(body, body_bytes, at, ret_place, error);
            if (status != PPM_OK || !ret_place->is_closed)
                return status;
            at = ret_place->end;
        }
        if (byte == '{' || byte == '[')
            depth++;
        if (byte == '}' || byte == ']')
            depth--;
        if (depth > NESTING_MAX)
            return ppm_fail(error, PPM_MALFORMED,
                            "byte %zu: nested deeper than %d, expected at most %d levels beside "
                            "the data",
                            at - 1, NESTING_MAX, NESTING_MAX);
    } while (at < body_bytes && depth > 0);
    return PPM_OK;
}

/*
 * numbers.h - numbers to and from JSON text, exactly rounded; C++'s <charconv> where it is rare.
 *
 * Nothing here allocates, throws or looks at the locale.
 */
#ifndef PPM_SERVER_CODEC_JSON_NUMBERS_H
#define PPM_SERVER_CODEC_JSON_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    NUMBER_TEXT_BYTES_MAX = 15, /* -1.17549435e-38; no terminating zero is written */
    NUMBER_ROOM_BYTES = 24,
};

/* Reads the JSON number (RFC 8259: no plus sign, leading zeros, bare point, NaN) that begins at
 * text and ends before end. *ret_value is the nearest float32, ties to even; a number too small for
 * one is a zero of its sign, and one too large is an infinity, which no JSON number means: from the
 * double 3.4028235677973366e+38 on, halfway from the largest float32 to the next power of two.
 * Returns the first byte after the number, or NULL when none begins at text. */
const char *number_read(const char *text, const char *end, float *ret_value);

/* Reads numbers from text, each followed by a comma with space around it, into values: at most
 * capacity of them, and only finite ones. Stops early at numbers that take longer to read, and some
 * 50 bytes before end. Sets *ret_count, and returns the place of the next value. */
const char *number_read_list(const char *text, const char *end, float *values, size_t capacity,
                             size_t *ret_count);

/* Writes the shortest text that reads back to the same float32, the nearest of those, "null"
 * for one that is not finite. ret_text has room for NUMBER_ROOM_BYTES bytes, any of which may be
 * written to. Returns the first byte after the text. */
char *number_write_float32(float value, char *ret_text);
char *number_write_int32(int32_t value, char *ret_text);

/* The same for a list, each followed by a comma; room as if each took NUMBER_TEXT_BYTES_MAX + 1
 * bytes and the last one NUMBER_ROOM_BYTES. */
char *number_write_list(const float *values, size_t count, char *ret_text);

#ifdef __cplusplus
}
#endif

#endif

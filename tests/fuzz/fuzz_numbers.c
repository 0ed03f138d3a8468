/* fuzz_numbers.c - numbers from and to text, compared with the C library. */
#include "server/codec/json/numbers.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char number[] = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?";

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The float32 that numbers.h promises for a number. */
static float expected_value(const char *text)
{
    const double wide = strtod(text, NULL);
    return fabs(wide) >= 0x1.ffffffp127 ? (float)copysign(INFINITY, wide) : strtof(text, NULL);
}

/* Either all bytes of number characters are one number, or number_read does not consume them all.
 */
static void check_read(const uint8_t *data, size_t size)
{
    float value = 0;
    const char *start = (const char *)data;
    const char *after = number_read(start, start + size, &value);
    char *text = fuzz_text(data, size);
    const size_t bytes = strspn(text, "-+.0123456789eE");
    const size_t taken = after ? (size_t)(after - start) : 0;
    text[bytes] = '\0';
    FUZZ_CHECK(fuzz_matches(text, number) == (taken == bytes && bytes > 0), "\"%s\": read %zu",
               text, taken);
    FUZZ_CHECK(taken <= bytes, "\"%s\": read %zu", text, taken);
    text[taken] = '\0';
    if (after) {
        const float expected = expected_value(text);
        FUZZ_CHECK(fuzz_matches(text, number), "\"%s\": is no number", text);
        FUZZ_CHECK(bits_of(value) == bits_of(expected), "\"%s\": found %.9g, expected %.9g", text,
                   (double)value, (double)expected);
    }
    free(text);
}

/* The fewest digits that strtof reads back, in scientific notation: the longest notation. */
static size_t shortest_bytes(float value)
{
    char text[32];
    int digits = 0;
    do
        snprintf(text, sizeof text, "%.*e", digits++, (double)value);
    while (strtof(text, NULL) != value);
    return strlen(text);
}

/* Decimals closer to the midpoint of two floats than a double can distinguish. */
static void check_ties(float value)
{
    const double tie = ((double)value + (double)nextafterf(value, INFINITY)) / 2;
    char text[32];
    for (int digits = 8; digits <= 17 && isfinite(tie); digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, tie);
        check_read((const uint8_t *)text, strlen(text));
    }
}

static void check_write(float value, uint32_t bits)
{
    char text[NUMBER_ROOM_BYTES], expected[16];
    float back = 0;
    const char *end = number_write_float32(value, text);
    if (!isfinite(value)) {
        FUZZ_CHECK(end == text + 4 && memcmp(text, "null", 4) == 0, "%g", (double)value);
    } else {
        FUZZ_CHECK(number_read(text, end, &back) == end && bits_of(back) == bits,
                   "%.9g reads back as %.9g", (double)value, (double)back);
        FUZZ_CHECK((size_t)(end - text) <= shortest_bytes(value), "%.9g takes %zu bytes",
                   (double)value, (size_t)(end - text));
    }
    end = number_write_int32((int32_t)bits, text);
    snprintf(expected, sizeof expected, "%" PRId32, (int32_t)bits);
    FUZZ_CHECK(strlen(expected) == (size_t)(end - text) &&
                   memcmp(text, expected, (size_t)(end - text)) == 0,
               "%s", expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t bits = 0;
    float value;
    check_read(data, size);
    memcpy(&bits, data, size < sizeof bits ? size : sizeof bits);
    memcpy(&value, &bits, sizeof value);
    check_write(value, bits);
    check_ties(value);
    return 0;
}

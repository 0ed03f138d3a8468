/* number_checks.c - see number_checks.h. */
#include "tests/number_checks.h"
#include "server/codec/json/numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HARD_BYTES_MAX = 1200, AROUND_BYTES = 64 };

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Numbers from the midpoint above the largest float32 on are too large. */
static float expected_value(const char *text)
{
    const float value = strtof(text, NULL);
    if (fabsf(value) >= 0x1.fffffep127F && fabs(strtod(text, NULL)) >= 0x1.ffffffp127)
        return copysignf(INFINITY, value);
    return value;
}

/* Alone it must read as with strtof; in a list too, unless the list leaves it to the single reader.
 */
static bool check_read(const char *text, char ret_complaint[NUMBER_COMPLAINT_BYTES])
{
    char list[HARD_BYTES_MAX + AROUND_BYTES];
    const size_t bytes = strlen(text);
    const float expected = expected_value(text);
    float alone = 0, listed = 0;
    size_t count = 0;
    memcpy(list, text, bytes);
    memset(list + bytes, ',', AROUND_BYTES);
    const char *end = number_read(list, list + bytes, &alone);
    const char *after = number_read_list(list, list + bytes + AROUND_BYTES, &listed, 1, &count);
    const bool is_listed = count == 0 ? after == list
                                      : after == list + bytes + 1 && isfinite(listed) &&
                                            bits_of(listed) == bits_of(expected);
    if (end == list + bytes && bits_of(alone) == bits_of(expected) && is_listed)
        return true;
    snprintf(ret_complaint, NUMBER_COMPLAINT_BYTES,
             "\"%.60s\": read %a, in a list (%zu) %a, expected %a", text, (double)alone, count,
             (double)listed, (double)expected);
    return false;
}

static int count_digits(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

/* One digit less, rounded to nearest, must not read back. Below a power of two the floats are
 * nearer and the nearest decimal is not the only one that may read back, so those are left out. */
static bool check_write(float value, char ret_text[NUMBER_ROOM_BYTES],
                        char ret_complaint[NUMBER_COMPLAINT_BYTES])
{
    char shorter[32];
    *number_write_float32(value, ret_text) = '\0';
    const int digits = count_digits(ret_text);
    bool is_good = bits_of(strtof(ret_text, NULL)) == bits_of(value) &&
                   strlen(ret_text) <= NUMBER_TEXT_BYTES_MAX;
    if (digits > 1 && (bits_of(value) & 0x7fffff) != 0) {
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, (double)value);
        is_good = is_good && strtof(shorter, NULL) != value;
    }
    /* The nearest with this number of digits: what printf rounds to. */
    snprintf(shorter, sizeof shorter, "%.*e", digits > 0 ? digits - 1 : 0, (double)value);
    if (strtof(shorter, NULL) == value)
        is_good = is_good && strtod(shorter, NULL) == strtod(ret_text, NULL);
    /* Large integers may have more digits, all correct. */
    if (!is_good && strtod(ret_text, NULL) == (double)value && !strchr(ret_text, 'e'))
        is_good = strlen(ret_text) <= strlen(shorter);
    if (!is_good)
        snprintf(ret_complaint, NUMBER_COMPLAINT_BYTES, "%a: written as %s, by printf as %s",
                 (double)value, ret_text, shorter);
    return is_good;
}

bool number_check(uint32_t bits, uint64_t random, char ret_complaint[NUMBER_COMPLAINT_BYTES])
{
    char text[NUMBER_ROOM_BYTES + 1], other[64];
    float value;
    memcpy(&value, &bits, sizeof value);
    if (!check_write(value, text, ret_complaint) || !check_read(text, ret_complaint))
        return false;
    snprintf(other, sizeof other, random & 1 ? "%.9g" : "%.17g", (double)value);
    if (!check_read(other, ret_complaint))
        return false;
    const double middle = (double)value / 2 + (double)nextafterf(value, INFINITY) / 2;
    const size_t digits = 3 + (random >> 1) % 21;
    if (!isfinite(middle))
        return true;
    snprintf(other, sizeof other, "%.*e", (int)digits, fabs(middle));
    if (!check_read(other, ret_complaint))
        return false;
    other[digits] ^= 1; /* the last but one: now on the other side of the midpoint */
    return check_read(other, ret_complaint);
}

bool number_check_hard(char ret_complaint[NUMBER_COMPLAINT_BYTES])
{
    static const char *const texts[] = {"3.4028235677973366e38",
                                        "3.40282356779733661637539395458142568447e38",
                                        "3.402823567797336616375e38",
                                        "3.4028235677973361e38",
                                        "3.40282346638528859e38",
                                        "1e39",
                                        "1e-46",
                                        "7.006492321624085e-46",
                                        "7.0064923216240854e-46",
                                        "7.0064923216240862e-46",
                                        "1.1754942807573643e-38",
                                        "1.1754943157898259e-38",
                                        "1.17549435e-38",
                                        "16777217",
                                        "16777217.0000000000000001",
                                        "16777216.999999999999999",
                                        "999999999999999999",
                                        "0.999999970197677612",
                                        "0.9999999701976776",
                                        "0.000000000000000000000001",
                                        "123456789012345678e-30",
                                        "0.00000000000000000"};
    static const float middles[] = {1, 0x1p-149F, 0x1.fffffep-127F, 0x1.fffffcp127F,
                                    0x1.000002p-126F};
    char text[HARD_BYTES_MAX];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!check_read(texts[i], ret_complaint))
            return false;
    for (size_t i = 0; i < sizeof middles / sizeof *middles; i++) {
        const double middle = ((double)middles[i] + (double)nextafterf(middles[i], INFINITY)) / 2;
        const int bytes = snprintf(text, sizeof text, "%.800f", middle);
        for (char last = '0'; last <= '1'; last++) {
            text[bytes - 1] = last;
            if (!check_read(text, ret_complaint))
                return false;
        }
    }
    return true;
}

bool number_check_sample(uint64_t count, uint64_t seed, uint32_t *ret_bits,
                         char ret_complaint[NUMBER_COMPLAINT_BYTES])
{
    enum { EXPONENTS = 255, SIGNS = 2 };
    uint64_t state = seed * 0x9e3779b97f4a7c15U + 1;
    for (uint64_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uint32_t fraction = (uint32_t)(state >> 41);
        const unsigned low = (unsigned)(state >> 59) % 24;
        if (i / EXPONENTS % 16 == 0) /* few bits, at either end */
            fraction = i & 1 ? 0x7fffffU >> low : 0x7fffffU & ~(0x7fffffU >> low);
        *ret_bits =
            (uint32_t)(i / EXPONENTS % SIGNS) << 31 | (uint32_t)(i % EXPONENTS) << 23 | fraction;
        if (!number_check(*ret_bits, state >> 8, ret_complaint))
            return false;
    }
    return true;
}

/* test_numbers.c - float32 to and from JSON text: exact, and only JSON's grammar. */
#include "server/codec/json/numbers.h"
#include "tests/number_checks.h"

#include <criterion/criterion.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 0x9e3779b97f4a7c15U;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float random_float(void)
{
    for (;;) {
        const uint32_t bits = (uint32_t)(random_bits() >> 16);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value))
            return value;
    }
}

/* Reads text, which must be exactly one number, in memory that ends with it. */
static float read_whole(const char *text)
{
    const size_t bytes = strlen(text);
    char *copy = malloc(bytes);
    cr_assert(copy != NULL);
    memcpy(copy, text, bytes);
    float value = 0;
    const char *end = number_read(copy, copy + bytes, &value);
    cr_assert(end == copy + bytes, "\"%.60s\" was not read to its end", text);
    free(copy);
    return value;
}

static void check_as_strtof(const char *text)
{
    const float expected = strtof(text, NULL);
    const float found = read_whole(text);
    cr_assert(bits_of(found) == bits_of(expected), "\"%.60s\": found %a, expected %a", text,
              (double)found, (double)expected);
}

Test(numbers, every_kind_of_float_survives_a_round_trip)
{
    for (int i = 0; i < 2000000; i++) {
        const float value = random_float();
        char text[NUMBER_ROOM_BYTES];
        char *end = number_write_float32(value, text);
        cr_assert(end - text <= NUMBER_TEXT_BYTES_MAX);
        *end = '\0';
        float back = 0;
        const char *read_end = number_read(text, end, &back);
        cr_assert(read_end == end, "%s was not read to its end", text);
        cr_assert(bits_of(back) == bits_of(value), "%s: found %a, expected %a", text, (double)back,
                  (double)value);
    }
}

Test(numbers, denormals_survive_a_round_trip)
{
    for (uint32_t bits = 0; bits < 0x00800000; bits += 1 + (uint32_t)(random_bits() % 64)) {
        float value, back = 1;
        memcpy(&value, &bits, sizeof value);
        char text[NUMBER_ROOM_BYTES];
        cr_assert(number_read(text, number_write_float32(value, text), &back) != NULL);
        cr_assert(bits_of(back) == bits, "found %a, expected %a", (double)back, (double)value);
    }
}

Test(numbers, reads_what_strtof_reads)
{
    for (int i = 0; i < 300000; i++) {
        char text[64];
        const int digits = (int)(random_bits() % 20);
        if (i % 2)
            snprintf(text, sizeof text, "%.*e", digits, (double)random_float());
        else
            snprintf(text, sizeof text, "%" PRId64 ".%" PRIu64 "e%d", (int64_t)random_bits() >> 20,
                     random_bits() >> (random_bits() % 64), (int)(random_bits() % 50) - 25);
        check_as_strtof(text);
    }
}

Test(numbers, ties_go_to_even_and_their_neighbors_to_their_side)
{
    for (int i = 0; i < 20000; i++) {
        const float value = fabsf(random_float());
        const double half = ((double)value + (double)nextafterf(value, INFINITY)) / 2;
        if (isinf(half))
            continue;
        char text[256];
        const int bytes = snprintf(text, sizeof text, "%.160f", half);
        if (bytes >= (int)sizeof text)
            continue;
        check_as_strtof(text);
        text[bytes - 1] = '1'; /* a tie, and a little more */
        check_as_strtof(text);
    }
}

/* Fifteen digits or more, so close to a tie that double cannot distinguish them. */
Test(numbers, near_ties_are_not_rounded_twice)
{
    int found = 0;
    for (int i = 0; i < 400000; i++) {
        const float value =
            ldexpf(1 + (float)(random_bits() >> 41) / 8388608, (int)(random_bits() % 60) - 30);
        const double half = ((double)value + (double)nextafterf(value, INFINITY)) / 2;
        char text[64];
        snprintf(text, sizeof text, "%.*e", 14 + i % 4, half);
        if (strtod(text, NULL) != half)
            continue;
        found++;
        check_as_strtof(text);
    }
    cr_assert(found > 1000, "only %d cases were tried", found);
}

Test(numbers, hundreds_of_digits_are_exact)
{
    char text[1200];
    /* The tie between 1 and the float above it: 1.000000059604644775390625. */
    const int bytes = snprintf(text, sizeof text, "1.000000059604644775390625%0776d", 0);
    cr_assert(bytes > 800);
    cr_assert(read_whole(text) == 1.0F);
    text[bytes - 1] = '1';
    cr_assert(read_whole(text) == nextafterf(1, 2));

    /* The tie between 0 and the smallest denormal: 2^-150 has 105 digits from its first on. */
    const int tie_bytes = snprintf(text, sizeof text, "%.1000f", ldexp(1, -150));
    cr_assert(read_whole(text) == 0.0F);
    text[tie_bytes - 1] = '1';
    cr_assert(read_whole(text) == ldexpf(1, -149));

    memset(text, '9', 800);
    memcpy(text + 800, "e-800", 6);
    cr_assert(read_whole(text) == 1.0F);
    memset(text, '0', 800);
    memcpy(text, "0.", 2);
    memcpy(text + 800, "125e798", 8);
    cr_assert(read_whole(text) == 0.125F);
}

/* head, that many times the digit, tail. */
static char *with_digits(const char *head, char digit, size_t count, const char *tail)
{
    const size_t head_bytes = strlen(head);
    char *text = malloc(head_bytes + count + strlen(tail) + 1);
    cr_assert(text != NULL);
    memcpy(text, head, head_bytes);
    memset(text + head_bytes, digit, count);
    memcpy(text + head_bytes + count, tail, strlen(tail) + 1);
    return text;
}

/* After several hundred digits, all that matters is whether one of them is not 0. */
Test(numbers, thousands_of_digits_are_exact)
{
    static const struct {
        const char *head;
        char digit;
        const char *tail;
    } cases[] = {
        {"1.000000059604644775390625", '0', ""},      /* a tie */
        {"1.000000059604644775390625", '0', "1"},     /* beyond it */
        {"-1.000000059604644775390625", '0', "1e-3"}, /* of either sign, with an exponent */
        {"1.000000178813934326171875", '0', "e0"},
        {"1.00000005960464477539062", '4', "9"},
        {"0.", '0', "0"},
        {"0.", '0', "123e5000"},
        {"-0.", '0', "123e4990"},
        {"1", '0', "e-5000"},
        {"1", '0', ".5e-4980"},
        {"123456789", '9', "e-5000"},
        {"0.", '9', ""},
        {"0.", '0', "1"},
        {"0.", '1', "e-40"},
        {"16777217", '0', ".000001e-5000"},
        {"340282356779733661637539395458142568447.", '9', ""},
        {"1", '0', ""},
        {"-1", '0', "e-4962"},
        {"1.5e-", '0', "3"},
        {"1.5e", '0', "3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = with_digits(cases[i].head, cases[i].digit, 5000, cases[i].tail);
        /* too large for double is infinite here; in strtof, too large for float */
        const double wide = strtod(text, NULL);
        const float expected =
            fabs(wide) >= 0x1.ffffffp127 ? copysignf(INFINITY, (float)wide) : strtof(text, NULL);
        const float found = read_whole(text);
        cr_expect(bits_of(found) == bits_of(expected), "%.50s...%s: found %a, expected %a", text,
                  cases[i].tail, (double)found, (double)expected);
        free(text);
    }
}

Test(numbers, what_is_too_large_is_an_infinity)
{
    static const char *const large[] = {"3.4028235677973366e38",
                                        "3.5e38",
                                        "1e39",
                                        "1e400",
                                        "1e99999999999999999999999",
                                        "340282356779733661637539395458142568448",
                                        "0.0000001e50",
                                        "12345678901234567890e30",
                                        "12345678901234567890123456789012345678901234567890e-5"};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        char negative[80];
        snprintf(negative, sizeof negative, "-%s", large[i]);
        cr_assert(read_whole(large[i]) == INFINITY, "%s", large[i]);
        cr_assert(read_whole(negative) == -INFINITY, "%s", negative);
    }
    cr_assert(read_whole("3.402823567797336e38") == FLT_MAX);
    cr_assert(read_whole("-340282356779733623858607532500980858880") == -FLT_MAX);
    cr_assert(read_whole("-3.4028234663852886e38") == -FLT_MAX);
}

Test(numbers, what_is_too_small_is_a_zero_of_its_sign)
{
    static const char *const small[] = {
        "0",
        "0.0",
        "0e5",
        "0e400",
        "0e99999999999999999999",
        "1e-50",
        "1e-400",
        "7e-46",
        "0.0000001e-40",
        "1e-99999999999999999999999",
        "12345678901234567890e-80",
        "0.00000000000000000000000000000000000000000000000000000001e5"};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        char negative[80];
        snprintf(negative, sizeof negative, "-%s", small[i]);
        cr_assert(bits_of(read_whole(small[i])) == 0, "%s", small[i]);
        cr_assert(bits_of(read_whole(negative)) == 0x80000000U, "%s", negative);
    }
    cr_assert(bits_of(read_whole("1e-45")) == 1);
    cr_assert(bits_of(read_whole("7.1e-46")) == 1);
}

Test(numbers, refuses_what_json_does_not_know)
{
    static const char *const refused[] = {
        "",    "-",  "+1",  ".5",  "-.5", "1.",   "1.e5",     "1e",        "1e+", "1e-", "01",
        "-01", "00", "NaN", "nan", "inf", "-inf", "Infinity", "-Infinity", "e5",  " 1",  "x"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        float value = 7;
        const char *end = refused[i] + strlen(refused[i]);
        cr_assert(number_read(refused[i], end, &value) == NULL, "\"%s\" was read", refused[i]);
        cr_assert(value == 7);
    }
}

Test(numbers, stops_behind_the_number)
{
    static const struct {
        const char *text;
        size_t bytes;
        float value;
    } cases[] = {{"1,2", 1, 1},        {"0x10", 1, 0},  {"-2.5e1]", 6, -25},      {"1E+2 ", 4, 100},
                 {"3.25.1", 4, 3.25F}, {"1_000", 1, 1}, {"8e00000000001", 13, 80}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float value = 0;
        const char *text = cases[i].text;
        cr_assert(number_read(text, text + strlen(text), &value) == text + cases[i].bytes, "%s",
                  text);
        cr_assert(value == cases[i].value, "%s", text);
    }
}

Test(numbers, writes_the_shortest_text)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.1F, "0.1"},
                 {-0.0F, "-0"},
                 {1, "1"},
                 {16777216, "16777216"},
                 {-FLT_MIN, "-1.1754944e-38"},
                 {FLT_MAX, "3.4028235e+38"},
                 {1e-45F, "1e-45"},
                 {NAN, "null"},
                 {INFINITY, "null"},
                 {-INFINITY, "null"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_ROOM_BYTES];
        *number_write_float32(cases[i].value, text) = '\0';
        cr_assert_str_eq(text, cases[i].text);
    }
    char text[NUMBER_ROOM_BYTES];
    *number_write_int32(INT32_MIN, text) = '\0';
    cr_assert_str_eq(text, "-2147483648");
}

/* make verify-numbers does the same for 100 million. */
Test(numbers, are_as_the_c_library_says)
{
    const char *seed = getenv("PPM_TEST_SEED");
    char complaint[NUMBER_COMPLAINT_BYTES] = "";
    uint32_t bits = 0;
    cr_assert(number_check_hard(complaint), "%s", complaint);
    cr_assert(number_check_sample(2000000, seed ? strtoull(seed, NULL, 10) : 1, &bits, complaint),
              "0x%08" PRIx32 ", PPM_TEST_SEED=%s: %s", bits, seed ? seed : "1", complaint);
}

Test(numbers, a_list_ends_where_it_takes_longer)
{
    static const char text[] =
        "1,-2.5 ,\n 3e2,  0.1234567890123456789012,4,5,6,7,8,9,10,11,12,13,14,15,"
        "16,17,18,19,20,21,22,23,24,25";
    static const float expected[] = {1, -2.5F, 300};
    float values[8] = {0};
    size_t count = 0;
    const char *end = text + sizeof text - 1;
    const char *after = number_read_list(text, end, values, 8, &count);
    cr_assert(count == 3 && memcmp(values, expected, sizeof expected) == 0);
    cr_assert(after == strstr(text, "0.1234"));
    after = number_read_list(strstr(text, "4,5"), end, values, 2, &count);
    cr_assert(count == 2 && values[1] == 5 && after == strstr(text, "6,7"));
    cr_assert(number_read_list(end - 20, end, values, 8, &count) == end - 20 && count == 0);
}

/* Only make test-asan detects bytes read past the end. */
Test(numbers, a_list_is_not_read_beyond_its_end)
{
    enum { BYTES = 64 };
    char *text = malloc(BYTES);
    float value = 0;
    size_t count = 0;
    cr_assert(text);
    memset(text, ' ', BYTES);
    text[0] = '7';
    text[BYTES - 1] = ',';
    cr_expect(number_read_list(text, text + BYTES, &value, 1, &count) == text + BYTES);
    cr_expect(count == 1 && value == 7);
    text[BYTES - 1] = ' ';
    cr_expect(number_read_list(text, text + BYTES, &value, 1, &count) == text && count == 0);
    free(text);
}

#include "server/codec/numbers.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace
{

const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* A JSON number taken apart; significand and exponent hold only when there are few digits. */
struct decimal {
    const char *end; /* nullptr: no JSON number */
    bool is_short;   /* at most 15 digits, and 2 of exponent */
    std::uint64_t significand;
    int exponent; /* value = significand * 10^exponent, without its sign */
};

std::uint64_t append_digits(std::uint64_t value, const char *at, const char *end)
{
    for (; at < end; at++)
        value = value * 10 + static_cast<std::uint64_t>(*at - '0');
    return value;
}

/* Checks the grammar, of which from_chars takes more than JSON does. */
decimal read_decimal(const char *text, const char *end)
{
    const decimal none = {};
    decimal number = {};
    const char *whole = text < end && *text == '-' ? text + 1 : text;
    const char *at = skip_digits(whole, end);
    if (at == whole || (*whole == '0' && at - whole > 1))
        return none;
    std::ptrdiff_t digit_count = at - whole;
    number.significand = append_digits(0, whole, at);
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = skip_digits(fraction, end);
        if (at == fraction)
            return none;
        digit_count += at - fraction;
        number.significand = append_digits(number.significand, fraction, at);
        number.exponent = static_cast<int>(fraction - at);
    }
    number.is_short = digit_count <= 15;
    if (at < end && (*at == 'e' || *at == 'E')) {
        const bool is_negative = at + 1 < end && at[1] == '-';
        const char *exponent = at + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-'))
            exponent++;
        at = skip_digits(exponent, end);
        if (at == exponent)
            return none;
        number.is_short = number.is_short && at - exponent <= 2;
        if (number.is_short) {
            const int value = static_cast<int>(append_digits(0, exponent, at));
            number.exponent += is_negative ? -value : value;
        }
    }
    number.end = at;
    return number;
}

/* Most numbers that are sent are short, and then both significand and power of ten are exact in
 * double, so that one operation rounds their quotient or product once. Rounding that again to float
 * is right unless it lies halfway between two floats, where the first rounding may have put it.
 * Returns false for those that need from_chars. */
bool convert_short(const decimal &number, float *ret_value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (!number.is_short || number.exponent < -22 || number.exponent > 22)
        return false;
    const double significand = static_cast<double>(number.significand);
    const double value = number.exponent < 0 ? significand / powers[-number.exponent]
                                             : significand * powers[number.exponent];
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint64_t below_float = (std::uint64_t{1} << 29) - 1;
    if ((bits & below_float) == std::uint64_t{1} << 28)
        return false;
    *ret_value = static_cast<float>(value);
    return true;
}

/* Whether the JSON number at [text, end) is 1 or more in magnitude. from_chars reports numbers too
 * large and too small for a float alike; this tells them apart however long they are. */
bool is_large(const char *text, const char *end)
{
    const char *whole = *text == '-' ? text + 1 : text;
    const char *point = skip_digits(whole, end);
    const char *first = whole; /* the first digit that is not zero */
    while (first < end && (*first == '0' || *first == '.'))
        first++;
    const char *digits_end = point < end && *point == '.' ? skip_digits(point + 1, end) : point;
    if (first >= digits_end)
        return false;
    /* Of the first digit: 0 when it is the last one before the point. */
    const std::ptrdiff_t place = first < point ? point - first - 1 : point - first;
    if (digits_end == end)
        return place >= 0;

    const char *at = digits_end + 1;
    const bool is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    std::ptrdiff_t exponent = 0;
    /* Stays far below overflow, and still beyond any place that memory has room for. */
    const std::ptrdiff_t exponent_max = std::numeric_limits<std::ptrdiff_t>::max() / 16;
    for (; at < end && exponent < exponent_max; at++)
        exponent = exponent * 10 + (*at - '0');
    return place + (is_negative ? -exponent : exponent) >= 0;
}

/* Whether a number that rounds to the largest float is, as a double, the tie above it. To a sender
 * that holds it as a double, as most do, that number is already too large for a float. */
bool is_tie_as_double(const char *text, const char *end)
{
    double value = 0;
    std::from_chars(text, end, value);
    return std::fabs(value) >= 0x1.ffffffp127;
}

} // namespace

const char *number_read(const char *text, const char *end, float *ret_value)
{
    const decimal number = read_decimal(text, end);
    if (number.end == nullptr)
        return nullptr;
    float value = 0;
    if (convert_short(number, &value)) {
        *ret_value = *text == '-' ? -value : value;
        return number.end;
    }
    if (std::from_chars(text, number.end, value).ec == std::errc::result_out_of_range) {
        value = is_large(text, number.end) ? std::numeric_limits<float>::infinity() : 0.0F;
        if (*text == '-')
            value = -value;
    }
    if (std::fabs(value) == std::numeric_limits<float>::max() && is_tie_as_double(text, number.end))
        value = std::copysign(std::numeric_limits<float>::infinity(), value);
    *ret_value = value;
    return number.end;
}

char *number_write_float32(float value, char *ret_text)
{
    if (!std::isfinite(value)) {
        std::memcpy(ret_text, "null", 4);
        return ret_text + 4;
    }
    return std::to_chars(ret_text, ret_text + NUMBER_TEXT_BYTES_MAX, value).ptr;
}

char *number_write_int32(int32_t value, char *ret_text)
{
    return std::to_chars(ret_text, ret_text + NUMBER_TEXT_BYTES_MAX, value).ptr;
}

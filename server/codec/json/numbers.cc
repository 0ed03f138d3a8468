#include "server/codec/json/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace
{

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first digit is the lowest byte");
constexpr std::uint64_t each(unsigned byte)
{
    return 0x0101010101010101U * byte;
}

/* Eight bytes of text, where digits become 0 to 9. */
inline std::uint64_t load_digits(const char *text)
{
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text, sizeof bytes);
    return bytes ^ each('0');
}

/* The number of leading digits. Only a byte that is no digit can carry, into the bytes after it. */
inline unsigned count_digits(std::uint64_t digits)
{
    const std::uint64_t others = ((digits + each(0x76)) | digits) & each(0x80);
    return others != 0 ? static_cast<unsigned>(__builtin_ctzll(others)) / 8 : 8;
}

/* Numbers may have as many digits as a body has bytes. */
const char *skip_digits(const char *at, const char *end)
{
    while (end - at >= 8) {
        const unsigned count = count_digits(load_digits(at));
        at += count;
        if (count < 8)
            return at;
    }
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* A JSON number taken apart; significand and exponent hold only when there are few digits. */
struct decimal {
    const char *end; /* nullptr: no JSON number */
    bool is_short;   /* at most 18 digits, and 2 of exponent */
    std::uint64_t significand;
    int exponent; /* value = significand * 10^exponent, without its sign */
};

/* Appends as many digits as fit into a significand. */
std::uint64_t append_digits(std::uint64_t value, const char *at, const char *end)
{
    for (const char *last = end - at > 19 ? at + 19 : end; at < last; at++)
        value = value * 10 + static_cast<std::uint64_t>(*at - '0');
    return value;
}

/* Checks the grammar: from_chars accepts more than JSON does. */
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
    number.is_short = digit_count <= 18;
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

/* 1e0, 1e1, ..: to the nearest double, which is the power itself up to 1e22. */
constexpr int power_max = 60;
constexpr double powers[power_max + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31,
    1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47,
    1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60};

/* Most numbers that are sent are short. A significand below 10^18, a power of ten and their
 * quotient or product are each rounded once to double, which is at most 3.01 of its last places off
 * in all. Rounding that to float is right unless the middle of two floats is as near. Returns false
 * for those that need from_chars. */
inline bool convert_short(std::uint64_t significand, int exponent, float *ret_value)
{
    if (exponent < -power_max || exponent > power_max)
        return false;
    const double wide = static_cast<double>(static_cast<std::int64_t>(significand));
    const double value = exponent <= 0 ? wide / powers[-exponent] : wide * powers[exponent];
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint64_t below_float = (std::uint64_t{1} << 29) - 1;
    const std::uint64_t middle = std::uint64_t{1} << 28, near = 4;
    const bool is_clear = (bits & below_float) - (middle - near) > 2 * near;
    const bool is_normal =
        value >= 1.25e-38 && value <= 3.4e38; /* midpoints are different elsewhere */
    if ((!is_clear || !is_normal) && significand != 0)
        return false;
    *ret_value = static_cast<float>(value);
    return true;
}

/* The exponent at the end of a number, from its e on; 0: there is none. */
std::ptrdiff_t exponent_of(const char *at, const char *end)
{
    if (at == end)
        return 0;
    at++;
    const bool is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    std::ptrdiff_t exponent = 0;
    /* Stays far below overflow, and still beyond any place that memory has room for. */
    const std::ptrdiff_t exponent_max = std::numeric_limits<std::ptrdiff_t>::max() / 16;
    for (; at < end && exponent < exponent_max; at++)
        exponent = exponent * 10 + (*at - '0');
    return is_negative ? -exponent : exponent;
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
    return place + exponent_of(digits_end, end) >= 0;
}

/* Whether a number that rounds to the largest float is, as a double, the tie above it. To a sender
 * that holds it as a double, as most do, that number is already too large for a float. */
bool is_tie_as_double(const char *text, const char *end)
{
    double value = 0;
    std::from_chars(text, end, value);
    return std::fabs(value) >= 0x1.ffffffp127;
}

/* ---- eight digits at a time ---- */

__extension__ typedef unsigned __int128 wide;

/* The value of eight digits: pairs, then fours, then all. */
inline std::uint64_t value_of(std::uint64_t digits)
{
    const std::uint64_t pairs = digits * 10 + (digits >> 8), alternate = 0x000000ff000000ff;
    return ((pairs & alternate) * (100 + (std::uint64_t{1000000} << 32)) +
            ((pairs >> 16) & alternate) * (1 + (std::uint64_t{10000} << 32))) >>
           32;
}

constexpr std::uint64_t whole_powers[19] = {1,
                                            10,
                                            100,
                                            1000,
                                            10000,
                                            100000,
                                            1000000,
                                            10000000,
                                            100000000,
                                            1000000000,
                                            10000000000,
                                            100000000000,
                                            1000000000000,
                                            10000000000000,
                                            100000000000000,
                                            1000000000000000,
                                            10000000000000000,
                                            100000000000000000,
                                            1000000000000000000};

/* With this much text ahead, numbers are read without checking for the end at each byte. */
enum { LOOK_AHEAD_BYTES = 48 };

/* Appends the fraction at at, of 1 to 23 digits, to a significand of whole_count digits. Returns
 * its end; nullptr: it is of another kind. */
inline const char *append_fraction(const char *at, unsigned whole_count, std::uint64_t *significand,
                                   int *ret_exponent)
{
    const std::uint64_t first = load_digits(at), second = load_digits(at + 8);
    const unsigned first_count = count_digits(first), second_count = count_digits(second);
    unsigned count = first_count + (first_count == 8 ? second_count : 0);
    if (count == 0)
        return nullptr;
    const wide digits = (static_cast<wide>(second) << 64 | first) << (8 * (16 - count));
    std::uint64_t value = value_of(static_cast<std::uint64_t>(digits)) * 100000000 +
                          value_of(static_cast<std::uint64_t>(digits >> 64));
    if (count == 16) {
        const std::uint64_t third = load_digits(at + 16);
        const unsigned more = count_digits(third);
        if (more == 8 || value >= whole_powers[18 - more])
            return nullptr;
        if (more > 0)
            value = value * whole_powers[more] + value_of(third << (8 * (8 - more)));
        count += more;
    }
    if (*significand != 0 && whole_count + count > 18)
        return nullptr;
    *significand = value + *significand * whole_powers[count < 18 ? count : 18];
    *ret_exponent = -static_cast<int>(count);
    return at + count;
}

/* Reads the exponent after the e at at, of one or two digits. nullptr: it is of another kind. */
inline const char *read_exponent(const char *at, int *exponent)
{
    at++;
    const bool is_negative = *at == '-';
    at += *at == '-' || *at == '+';
    const unsigned first = static_cast<unsigned>(*at - '0');
    const unsigned second = static_cast<unsigned>(at[1] - '0');
    if (first > 9 || (second <= 9 && static_cast<unsigned>(at[2] - '0') <= 9))
        return nullptr;
    const int value = static_cast<int>(second <= 9 ? 10 * first + second : first);
    *exponent += is_negative ? -value : value;
    return at + (second <= 9 ? 2 : 1);
}

/* Reads a number of the common kind, with LOOK_AHEAD_BYTES of text from at on. nullptr: it is of
 * another kind, or no number. */
inline const char *read_common(const char *at, float *ret_value)
{
    const bool is_negative = *at == '-';
    at += is_negative;
    std::uint64_t significand = static_cast<std::uint64_t>(*at - '0');
    unsigned whole_count = 1;
    int exponent = 0;
    if (significand > 9)
        return nullptr;
    if (static_cast<unsigned>(at[1] - '0') <= 9) {
        const std::uint64_t digits = load_digits(at);
        whole_count = count_digits(digits);
        if (significand == 0 || whole_count == 8)
            return nullptr;
        significand = value_of(digits << (8 * (8 - whole_count)));
    }
    at += whole_count;
    if (*at == '.')
        at = append_fraction(at + 1, whole_count, &significand, &exponent);
    if (at != nullptr && (*at | 0x20) == 'e')
        at = read_exponent(at, &exponent);
    float value = 0;
    if (at == nullptr || !convert_short(significand, exponent, &value))
        return nullptr;
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    bits |= static_cast<std::uint32_t>(is_negative) << 31;
    std::memcpy(ret_value, &bits, sizeof bits);
    return at;
}

inline const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

} // namespace

const char *number_read_list(const char *text, const char *end, float *values, size_t capacity,
                             size_t *ret_count)
{
    size_t count = 0;
    while (count < capacity && end - text >= LOOK_AHEAD_BYTES) {
        const char *at = read_common(text, &values[count]);
        if (at == nullptr)
            break;
        if (*at != ',') {
            at = skip_space(at, end);
            if (at == end || *at != ',')
                break;
        }
        text = skip_space(at + 1, end);
        count++;
    }
    *ret_count = count;
    return text;
}

namespace
{

/* Digits after these only matter next to a midpoint between two floats or doubles, and there only
 * whether any of them is not 0. */
enum { DIGITS_KEPT = 800, LONG_BYTES = 1024 };

/* Shortens a number of more than LONG_BYTES to the digits that matter; a number too large or too
 * small for a double stays so. ret_text has room for LONG_BYTES. Returns the end of the text. */
char *shorten(const char *text, const char *end, char *ret_text)
{
    const char *whole = *text == '-' ? text + 1 : text;
    const char *point = skip_digits(whole, end);
    const char *digits_end = point < end && *point == '.' ? skip_digits(point + 1, end) : point;
    const char *first = whole;
    while (first < digits_end && (*first == '0' || *first == '.'))
        first++;
    const std::ptrdiff_t place = first < point ? point - first : point - first + 1;
    char *to = ret_text;
    if (*text == '-')
        *to++ = '-';
    *to++ = '0';
    *to++ = '.';
    std::ptrdiff_t kept = 0;
    for (; first < digits_end && kept < DIGITS_KEPT; first++)
        if (*first != '.') {
            *to++ = *first;
            kept++;
        }
    while (first < digits_end && (*first == '0' || *first == '.'))
        first++;
    *to++ = first < digits_end ? '1' : '0';
    const std::ptrdiff_t exponent = place + exponent_of(digits_end, end);
    const std::ptrdiff_t most = 99999; /* beyond any double */
    *to++ = 'e';
    return std::to_chars(to, to + 8, std::clamp(exponent, -most, most)).ptr;
}

/* The float nearest to the JSON number at [text, end). */
float convert_long(const char *text, const char *end)
{
    float value = 0;
    if (std::from_chars(text, end, value).ec == std::errc::result_out_of_range) {
        value = is_large(text, end) ? std::numeric_limits<float>::infinity() : 0.0F;
        if (*text == '-')
            value = -value;
    }
    if (std::fabs(value) == std::numeric_limits<float>::max() && is_tie_as_double(text, end))
        value = std::copysign(std::numeric_limits<float>::infinity(), value);
    return value;
}

} // namespace

const char *number_read(const char *text, const char *end, float *ret_value)
{
    const decimal number = read_decimal(text, end);
    if (number.end == nullptr)
        return nullptr;
    float value = 0;
    char short_text[LONG_BYTES];
    if (number.is_short && convert_short(number.significand, number.exponent, &value))
        *ret_value = *text == '-' ? -value : value;
    else if (number.end - text > LONG_BYTES)
        *ret_value = convert_long(short_text, shorten(text, number.end, short_text));
    else
        *ret_value = convert_long(text, number.end);
    return number.end;
}

/*
 * numbers_write.cc - float32 to its shortest text, by Schubfach: Raffaello Giulietti, "The
 * Schubfach way to render doubles" (2021), with the sizes of float32.
 *
 * Among the decimals that read back to a float the shortest is one of four: two multiples of a
 * power of ten 10^k that is just larger than what separates floats, two of the one below. Which of
 * them lie within reach is told by one product each with a 64-bit power of ten, rounded to odd. The
 * text is the one that std::to_chars writes; make verify-numbers holds it against printf and
 * strtof.
 */
#include "server/codec/json/numbers.h"

#include <charconv>
#include <cstdint>
#include <cstring>

namespace
{

__extension__ typedef unsigned __int128 wide;

/* 10^k * 2^(63 - floor(log2(10^k))), rounded up. */
constexpr int power_min = -31, power_max = 45;
constexpr std::uint64_t powers[power_max - power_min + 1] = {
    0x81ceb32c4b43fcf5U, 0xa2425ff75e14fc32U, 0xcad2f7f5359a3b3fU, 0xfd87b5f28300ca0eU,
    0x9e74d1b791e07e49U, 0xc612062576589ddbU, 0xf79687aed3eec552U, 0x9abe14cd44753b53U,
    0xc16d9a0095928a28U, 0xf1c90080baf72cb2U, 0x971da05074da7befU, 0xbce5086492111aebU,
    0xec1e4a7db69561a6U, 0x9392ee8e921d5d08U, 0xb877aa3236a4b44aU, 0xe69594bec44de15cU,
    0x901d7cf73ab0acdaU, 0xb424dc35095cd810U, 0xe12e13424bb40e14U, 0x8cbccc096f5088ccU,
    0xafebff0bcb24aaffU, 0xdbe6fecebdedd5bfU, 0x89705f4136b4a598U, 0xabcc77118461cefdU,
    0xd6bf94d5e57a42bdU, 0x8637bd05af6c69b6U, 0xa7c5ac471b478424U, 0xd1b71758e219652cU,
    0x83126e978d4fdf3cU, 0xa3d70a3d70a3d70bU, 0xcccccccccccccccdU, 0x8000000000000000U,
    0xa000000000000000U, 0xc800000000000000U, 0xfa00000000000000U, 0x9c40000000000000U,
    0xc350000000000000U, 0xf424000000000000U, 0x9896800000000000U, 0xbebc200000000000U,
    0xee6b280000000000U, 0x9502f90000000000U, 0xba43b74000000000U, 0xe8d4a51000000000U,
    0x9184e72a00000000U, 0xb5e620f480000000U, 0xe35fa931a0000000U, 0x8e1bc9bf04000000U,
    0xb1a2bc2ec5000000U, 0xde0b6b3a76400000U, 0x8ac7230489e80000U, 0xad78ebc5ac620000U,
    0xd8d726b7177a8000U, 0x878678326eac9000U, 0xa968163f0a57b400U, 0xd3c21bcecceda100U,
    0x84595161401484a0U, 0xa56fa5b99019a5c8U, 0xcecb8f27f4200f3aU, 0x813f3978f8940985U,
    0xa18f07d736b90be6U, 0xc9f2c9cd04674edfU, 0xfc6f7c4045812297U, 0x9dc5ada82b70b59eU,
    0xc5371912364ce306U, 0xf684df56c3e01bc7U, 0x9a130b963a6c115dU, 0xc097ce7bc90715b4U,
    0xf0bdc21abb48db21U, 0x96769950b50d88f5U, 0xbc143fa4e250eb32U, 0xeb194f8e1ae525feU,
    0x92efd1b8d0cf37bfU, 0xb7abc627050305aeU, 0xe596b7b0c643c71aU, 0x8f7e32ce7bea5c70U,
    0xb35dbf821ae4f38cU};

constexpr std::uint32_t small_powers[10] = {1,      10,      100,      1000,      10000,
                                            100000, 1000000, 10000000, 100000000, 1000000000};

/* Without a branch, even if the compiler would prefer one. */
template <typename Number> inline Number choose(bool is_first, Number first, Number other)
{
    return other + (-static_cast<Number>(is_first) & (first - other));
}

struct decimal {
    std::uint32_t digits;
    int exponent; /* value = digits * 10^exponent */
};

/* power * factor / 2^64; its last bit is set as well when something was cut off. */
inline std::uint32_t multiply_to_odd(std::uint64_t power, std::uint32_t factor)
{
    const wide product = static_cast<wide>(power) * factor;
    const std::uint32_t rest = static_cast<std::uint32_t>(product >> 32);
    return static_cast<std::uint32_t>(product >> 64) | (rest > 1);
}

/* The shortest decimal that reads back to a positive float32 of these bits, the nearest of them. */
inline decimal shorten(std::uint32_t bits)
{
    const std::uint32_t fraction = bits & 0x7fffff, biased = bits >> 23;
    const std::uint32_t c = biased != 0 ? fraction | 0x800000 : fraction;
    const int q = (biased != 0 ? static_cast<int>(biased) : 1) - 150; /* value = c * 2^q */
    if (q <= 0 && q > -24 && (c & ((1U << -q) - 1)) == 0)
        return {c >> -q, 0};

    /* The interval that reads back, in quarters: the floats below a power of two are nearer. */
    const bool is_nearer_below = fraction == 0 && biased > 1;
    const int k = (q * 1262611 - (is_nearer_below ? 524031 : 0)) >> 22;
    const int shift = q + ((-k * 1741647) >> 19) + 1;
    const std::uint64_t power = powers[-k - power_min];
    const std::uint32_t excluded = c & 1; /* a tie goes to the even one */
    const std::uint32_t below =
        multiply_to_odd(power, (4 * c - 2 + is_nearer_below) << shift) + excluded;
    const std::uint32_t at = multiply_to_odd(power, (4 * c) << shift);
    const std::uint32_t above = multiply_to_odd(power, (4 * c + 2) << shift) - excluded;

    /* All four at once: no branch predictor can tell which one it is. */
    const std::uint32_t whole = at / 4, tens = whole / 10, middle = 4 * whole + 2;
    const bool is_low_inside = below <= 4 * whole, is_high_inside = 4 * whole + 4 <= above;
    const bool is_low_ten_inside = below <= 40 * tens, is_high_ten_inside = 40 * tens + 40 <= above;
    const bool has_ten = (is_low_ten_inside != is_high_ten_inside) & (whole >= 10);
    const bool has_one = is_low_inside != is_high_inside;
    const bool is_nearer_high = (at > middle) | ((at == middle) & (whole & 1));
    const std::uint32_t one = whole + ((has_one & is_high_inside) | (!has_one & is_nearer_high));
    return {choose(has_ten, tens + is_high_ten_inside, one), k + has_ten};
}

inline int count_digits(std::uint32_t digits)
{
    const int bits = 32 - __builtin_clz(digits);
    const int count = (bits * 1233) >> 12;
    return count + (digits >= small_powers[count]);
}

/* Eight digits as text, the first in the lowest byte: halves, quarters, then single digits. */
inline std::uint64_t text_of_eight(std::uint32_t value)
{
    std::uint64_t lanes = value / 10000 | static_cast<std::uint64_t>(value % 10000) << 32;
    std::uint64_t tops = ((lanes * 10486) >> 20) & 0x0000007f0000007f;
    lanes = tops | (lanes - 100 * tops) << 16;
    tops = ((lanes * 103) >> 10) & 0x000f000f000f000f;
    return (tops | (lanes - 10 * tops) << 8) | 0x3030303030303030;
}

/* Writes the exponent of a scientific notation. */
inline char *write_exponent(int exponent, char *to)
{
    const int size = exponent < 0 ? -exponent : exponent;
    to[0] = 'e';
    to[1] = exponent < 0 ? '-' : '+';
    to[2] = static_cast<char>('0' + size / 10);
    to[3] = static_cast<char>('0' + size % 10);
    return to + 4;
}

/* With a point among its digits or without one, whichever way is shorter, as std::to_chars does it.
 */
inline char *write_decimal(const decimal &number, float value, char *to)
{
    const int count = count_digits(number.digits);
    const int point = count + number.exponent; /* digits before it */
    const int several = count > 1;             /* the scientific notation has a point then */
    const bool is_plain = (point >= -2 - several) & (number.exponent <= 4 + several);
    if (is_plain && number.exponent > 0) /* all digits of the integer that it is */
        return std::to_chars(to, to + NUMBER_TEXT_BYTES_MAX, static_cast<std::uint64_t>(value)).ptr;

    /* Nine digits, the last of them zeros; "0.00" before them, or a point after some of them.
     * Whether it is below 1 is unpredictable: then the point goes after all digits, where it does
     * no harm. */
    const std::uint32_t nine = number.digits * small_powers[9 - count];
    const std::uint32_t first = nine / 100000000;
    const std::uint64_t others = text_of_eight(nine - 100000000 * first);
    const bool is_below_one = is_plain & (point <= 0);
    const int head = choose(is_below_one, 9, choose(is_plain, point, 1));
    const std::uint64_t tail = others >> ((8 * (head - 1)) & 63);
    std::memcpy(to, "0.000000", 8);
    to += choose(is_below_one, 2 - point, 0);
    *to = static_cast<char>('0' + first);
    std::memcpy(to + 1, &others, sizeof others);
    to[head] = '.';
    std::memcpy(to + head + 1, &tail, sizeof tail);
    to += count + (head < count);
    return is_plain ? to : write_exponent(point - 1, to);
}

inline char *write_float32(float value, char *to)
{
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const std::uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x7f800000) {
        std::memcpy(to, "null", 4);
        return to + 4;
    }
    *to = '-';
    to += bits >> 31;
    if (magnitude == 0) {
        *to = '0';
        return to + 1;
    }
    decimal number = shorten(magnitude);
    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    return write_decimal(number, bits >> 31 ? -value : value, to);
}

} // namespace

char *number_write_float32(float value, char *ret_text)
{
    return write_float32(value, ret_text);
}

char *number_write_int32(int32_t value, char *ret_text)
{
    return std::to_chars(ret_text, ret_text + NUMBER_TEXT_BYTES_MAX, value).ptr;
}

char *number_write_list(const float *values, size_t count, char *ret_text)
{
    for (size_t i = 0; i < count; i++) {
        ret_text = write_float32(values[i], ret_text);
        *ret_text++ = ',';
    }
    return ret_text;
}

/* number_checks.h - numbers.h compared with the C library, float by float; for tests/test_numbers.c
 * and tests/verify/numbers.c. */
#ifndef PPM_TESTS_NUMBER_CHECKS_H
#define PPM_TESTS_NUMBER_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_COMPLAINT_BYTES = 256 };

/* Both directions, for the float32 of these bits: its text is the shortest that strtof reads back;
 * that text, "%.9g", "%.17g" and decimals at and near the midpoint to the next float read as with
 * strtof, alone and in a list. False: ret_complaint has the difference. */
bool number_check(uint32_t bits, uint64_t random, char ret_complaint[NUMBER_COMPLAINT_BYTES]);

/* Texts that are hard to read: midpoints with hundreds of digits, denormals, the edges of float32.
 */
bool number_check_hard(char ret_complaint[NUMBER_COMPLAINT_BYTES]);

/* Checks count floats: signs and exponents in equal shares, random fractions, some with few bits.
 * *ret_bits is the one that failed. */
bool number_check_sample(uint64_t count, uint64_t seed, uint32_t *ret_bits,
                         char ret_complaint[NUMBER_COMPLAINT_BYTES]);

#endif

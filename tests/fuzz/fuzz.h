/*
 * fuzz.h - shared by the fuzzers.
 *
 * tests/fuzz/fuzz_NAME.c is the fuzzer NAME: libFuzzer calls its LLVMFuzzerTestOneInput with bytes
 * that it generates, starting from seeds/NAME/ and the words in NAME.dict. It must neither
 * crash nor leak, and the server's reader must agree with a simpler reader here.
 */
#ifndef PPM_TESTS_FUZZ_H
#define PPM_TESTS_FUZZ_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the fuzzer, which then saves its input, with a message unless condition holds. */
#define FUZZ_CHECK(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A refusal is one sentence on one line. */
void fuzz_check_error(const struct ppm_error *error);

/* data as a string, up to its first zero byte; the caller frees it. */
char *fuzz_text(const uint8_t *data, size_t size);

/* The path of a file of these bytes, in memory, until the next call. */
const char *fuzz_file(const void *data, size_t size);

/* Whether the whole text matches an extended regular expression, which is a literal. */
bool fuzz_matches(const char *text, const char *expression);

/* A float16 by its definition. */
float fuzz_half_value(uint16_t half);

#endif

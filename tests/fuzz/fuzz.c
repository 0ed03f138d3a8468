/* fuzz.c - see fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { EXPRESSIONS_MAX = 32 };

_Noreturn void fuzz_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

void fuzz_check_error(const struct ppm_error *error)
{
    FUZZ_CHECK(error->status != PPM_OK && *error->text, "refused without a word");
    for (const char *c = error->text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f, "a control byte in \"%s\"",
                   error->text);
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    FUZZ_CHECK(text, "out of memory");
    return text;
}

const char *fuzz_file(const void *data, size_t size)
{
    static int descriptor = -1;
    static char path[64];
    if (descriptor >= 0)
        close(descriptor);
    descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(descriptor >= 0 && write(descriptor, data, size) == (ssize_t)size, "no file");
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return path;
}

bool fuzz_matches(const char *text, const char *expression)
{
    static struct {
        const char *expression;
        regex_t compiled;
    } known[EXPRESSIONS_MAX];
    regmatch_t match;
    size_t i = 0;
    while (i < EXPRESSIONS_MAX && known[i].expression && known[i].expression != expression)
        i++;
    FUZZ_CHECK(i < EXPRESSIONS_MAX, "too many expressions");
    if (!known[i].expression)
        FUZZ_CHECK(regcomp(&known[i].compiled, expression, REG_EXTENDED) == 0, "%s", expression);
    known[i].expression = expression;
    return regexec(&known[i].compiled, text, 1, &match, 0) == 0 && match.rm_so == 0 &&
           text[match.rm_eo] == '\0';
}

float fuzz_half_value(uint16_t half)
{
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const float sign = half >> 15 ? -1 : 1;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexpf((float)(1024 + fraction), exponent - 25)
                            : ldexpf((float)fraction, -24));
}

/* fuzz_shape.c - shapes such as "1,4,30,30", of a query or a header, and sizes, "480,640". */
#include "server/codec/axes.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From least to most positive numbers, at most 4; 0: it is anything else. */
static size_t read_simply(const char *text, int least, int most, size_t numbers[4])
{
    char pattern[64];
    size_t count = 0;
    snprintf(pattern, sizeof pattern, "[ \t]*[0-9]+[ \t]*(,[ \t]*[0-9]+[ \t]*){%d,%d}", least - 1,
             most - 1);
    if (!fuzz_matches(text, pattern))
        return 0;
    for (const char *at = text; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        errno = 0;
        numbers[count++] = strtoull(at, NULL, 10);
        if (errno || numbers[count - 1] == 0)
            return 0;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t axes[4], simple[4], count = 0, h = 0, w = 0;
    struct ppm_error error = {0}, size_error = {0};
    if (codec_parse_shape(text, axes, &count, &error) != PPM_OK)
        fuzz_check_error(&error);
    FUZZ_CHECK(count == read_simply(text, 3, 4, simple), "\"%s\": %zu axes", text, count);
    FUZZ_CHECK(memcmp(axes, simple, count * sizeof *axes) == 0, "\"%s\": other axes", text);
    if (codec_parse_size(text, &h, &w, &size_error) != PPM_OK)
        fuzz_check_error(&size_error);
    const bool is_size = read_simply(text, 2, 2, simple) == 2;
    FUZZ_CHECK(is_size == (h > 0) && (!is_size || (h == simple[0] && w == simple[1])),
               "\"%s\": %zu, %zu", text, h, w);
    free(text);
    return 0;
}

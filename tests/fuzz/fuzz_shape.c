/* fuzz_shape.c - shapes such as "1,4,30,30", of a query or a header. */
#include "server/codec/axes.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Three or four positive numbers. */
static size_t read_simply(const char *text, size_t axes[4])
{
    size_t count = 0;
    if (!fuzz_matches(text, "[ \t]*[0-9]+[ \t]*(,[ \t]*[0-9]+[ \t]*){2,3}"))
        return 0;
    for (const char *at = text; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        errno = 0;
        axes[count++] = strtoull(at, NULL, 10);
        if (errno || axes[count - 1] == 0)
            return 0;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t axes[4], simple_axes[4], count = 0;
    struct ppm_error error = {0};
    if (codec_parse_shape(text, axes, &count, &error) != PPM_OK)
        fuzz_check_error(&error);
    FUZZ_CHECK(count == read_simply(text, simple_axes), "\"%s\": %zu axes", text, count);
    FUZZ_CHECK(memcmp(axes, simple_axes, count * sizeof *axes) == 0, "\"%s\": other axes", text);
    free(text);
    return 0;
}

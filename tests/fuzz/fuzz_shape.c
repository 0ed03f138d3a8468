/* fuzz_shape.c - shapes such as "1,4,30,30", of a query or a header, and sizes, "480,640". */
#include "server/codec/axes.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The positive numbers of a text that matches; 0: it does not. */
static size_t read_simply(const char *text, bool is_match, size_t numbers[4])
{
    size_t count = 0;
    if (!is_match)
        return 0;
    for (const char *at = text; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        errno = 0;
        numbers[count++] = strtoull(at, NULL, 10);
        if (errno || numbers[count - 1] == 0)
            return 0;
    }
    return count;
}

/* "c2=1,4,30,30;c5=4,2,2", in any order. */
static void check_shapes(const char *text)
{
    static const struct ppm_input_info inputs[] = {{"c2", 1}, {"c5", 1}};
    struct ppm_error error = {0};
    struct ppm_sizes sizes;
    if (codec_parse_shapes(text, inputs, 2, PPM_NCHW, &sizes, &error) != PPM_OK)
        fuzz_check_error(&error);
    else
        FUZZ_CHECK(sizes.count == 2 && sizes.inputs[0].n > 0 && sizes.inputs[1].w > 0 &&
                       strstr(text, "c2=") && strstr(text, "c5=") && strchr(text, ';'),
                   "\"%s\" was read", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    size_t axes[4], simple[4], count = 0, h = 0, w = 0;
    struct ppm_error error = {0}, size_error = {0};
    const bool is_shape = fuzz_matches(text, "[ \t]*[0-9]+[ \t]*(,[ \t]*[0-9]+[ \t]*){2,3}"),
               is_pair = fuzz_matches(text, "[ \t]*[0-9]+[ \t]*,[ \t]*[0-9]+[ \t]*");
    if (codec_parse_shape(text, axes, &count, &error) != PPM_OK)
        fuzz_check_error(&error);
    FUZZ_CHECK(count == read_simply(text, is_shape, simple), "\"%s\": %zu axes", text, count);
    FUZZ_CHECK(memcmp(axes, simple, count * sizeof *axes) == 0, "\"%s\": other axes", text);
    if (codec_parse_size(text, &h, &w, &size_error) != PPM_OK)
        fuzz_check_error(&size_error);
    const bool is_size = read_simply(text, is_pair, simple) == 2;
    FUZZ_CHECK(is_size == (h > 0) && (!is_size || (h == simple[0] && w == simple[1])),
               "\"%s\": %zu, %zu", text, h, w);
    check_shapes(text);
    free(text);
    return 0;
}

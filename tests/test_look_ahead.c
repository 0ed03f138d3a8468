/* test_look_ahead.c - the size of a picture, told by its first bytes. */
#include "server/image/image.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { W = 53, H = 37 };

static enum ppm_status look(const char *bytes, size_t count, size_t pixels_max,
                            struct ppm_error *error)
{
    const struct image_limits limits = {.pixels_max = pixels_max};
    struct image_file part = image_file_copy(bytes, count);
    *error = (struct ppm_error){0};
    const enum ppm_status status = image_look_ahead(part.bytes, part.count, &limits, error);
    image_file_free(&part);
    return status;
}

static struct image_file write_file(const char *type)
{
    struct ppm_image image = image_file_pixels(W, H, true);
    const struct image_format *format = image_format_of_type(type);
    struct ppm_error error = {0};
    struct image_file file = {.bytes = malloc(image_encoded_bytes_max(format, W, H))};
    cr_assert(image_encode(format, &image, NULL, file.bytes, &file.count, &error) == PPM_OK);
    free(image.pixels);
    return file;
}

Test(look_ahead, a_picture_too_large_is_told_from_its_head_on)
{
    static const struct {
        const char *type;
        size_t told_by; /* bytes that are enough */
    } cases[] = {{"image/png", 33}, {"image/jpeg", 700}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image_file file = write_file(cases[i].type);
        struct ppm_error error;
        bool is_told = false;
        for (size_t count = 0; count <= file.count; count++) {
            cr_assert(look(file.bytes, count, W * H, &error) == PPM_OK, "%zu: %s", count,
                      error.text);
            const bool is_refused = look(file.bytes, count, W * H - 1, &error) == PPM_TOO_LARGE;
            cr_assert(is_refused || !is_told, "it was told before byte %zu", count);
            is_told = is_refused;
            cr_assert(is_told || count < cases[i].told_by, "%s: not by byte %zu", cases[i].type,
                      count);
        }
        cr_assert(strstr(error.text, "53 x 37 pixels, expected at most 1960 in all "
                                     "(image_pixels_max)"),
                  "%s", error.text);
        image_file_free(&file);
    }
}

Test(look_ahead, fill_bytes_and_other_segments_come_before_a_frame)
{
    static const char file[] = "\xff\xd8\xff\xff\xff\x01\xff\xfe\0\5abc\xff\xc4\0\2\xff\xc2\0\x0b"
                               "\x08\x12\x34\x56\x78\1\1\x11\0";
    struct ppm_error error;
    cr_assert(look(file, sizeof file - 1, 100, &error) == PPM_TOO_LARGE);
    cr_assert(strstr(error.text, "JPEG: found 22136 x 4660 pixels"), "%s", error.text);
    cr_assert(look(file, sizeof file - 2, 100, &error) == PPM_OK);
}

/* A frame after the pixels began, or after a thousand segments, is not looked for. */
Test(look_ahead, the_search_for_a_frame_ends)
{
    enum { SEGMENT = 4, FRAME = 13, COUNT_MAX = 1100 };
    static const char frame[] = "\xff\xc0\0\x0b\x08\x12\x34\x56\x78\1\1\x11\0";
    static const char scan[] = "\xff\xd8\xff\xda\0\2\xff\xc0\0\x0b\x08\x12\x34\x56\x78\1\1\x11\0";
    struct ppm_error error;
    cr_assert(look(scan, sizeof scan - 1, 100, &error) == PPM_OK);
    for (size_t segments = 1; segments < COUNT_MAX; segments += 100) {
        char file[2 + SEGMENT * COUNT_MAX + FRAME] = "\xff\xd8";
        for (size_t i = 0; i < segments; i++)
            memcpy(file + 2 + SEGMENT * i, "\xff\xfe\0\2", SEGMENT);
        memcpy(file + 2 + SEGMENT * segments, frame, FRAME);
        const enum ppm_status status = look(file, 2 + SEGMENT * segments + FRAME, 100, &error);
        cr_assert((status == PPM_TOO_LARGE) == (segments < 1000), "%zu segments", segments);
    }
}

Test(look_ahead, what_is_no_picture_tells_nothing)
{
    struct ppm_error error;
    cr_assert(look("GIF89a and what follows it, at some length", 40, 0, &error) == PPM_OK);
    cr_assert(look("\x89PNG\r\n\x1a\n\0\0\0\rIDAT\x7f\xff\xff\xff\x7f\xff\xff\xff", 24, 0,
                   &error) == PPM_OK);
}

/* test_image_jpeg.c - JPEGs that are not as they should be: sentences, damage, memory, many scans.
 */
#include "tests/heap.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_MAX = 40000000 };

#define BYTES(text) (text), sizeof(text) - 1
#define SOI         "\xFF\xD8"
#define EOI         "\xFF\xD9"
#define FRAME(kind, bits, h, w, rest)                                                              \
    "\xFF" kind "\x00\x0B" bits "\x00" h "\x00" w "\x01\x01" rest "\x00"

/* ---- heads ---- */

Test(image_jpeg, malformed_heads_are_refused)
{
    static const struct {
        const char *bytes;
        size_t count;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {BYTES(SOI EOI), PPM_MALFORMED,
         "JPEG: found FF D9 at byte 4, expected a frame and a scan first"},
        {BYTES(SOI "\xFF\xDA\x00\x02" EOI), PPM_MALFORMED,
         "JPEG: found FF DA at byte 6, expected a frame and a scan first"},
        {BYTES(SOI FRAME("\xC3", "\x08", "\x10", "\x10", "\x11")), PPM_MALFORMED,
         "JPEG: found a frame of kind FF C3, expected a baseline, extended or progressive one"},
        {BYTES(SOI FRAME("\xC0", "\x0C", "\x10", "\x10", "\x11")), PPM_MALFORMED,
         "JPEG: found 12 bits a sample, expected 8"},
        {BYTES(SOI FRAME("\xC0", "\x08", "\x10", "\x10", "\x05")), PPM_MALFORMED,
         "JPEG: found sampling factors 0 x 5, expected 1 to 4"},
        {BYTES(SOI "\xFF\xC0\x00\x08\x08\x00\x10\x00\x10\x02" EOI), PPM_MALFORMED,
         "JPEG: found a frame's head of 6 bytes for 2 components, expected 12"},
        {BYTES(SOI "\xFF\xC0\x00\x0E\x08\x00\x10\x00\x10\x02\x01\x11\x00\x02\x11\x00" EOI),
         PPM_MALFORMED, "JPEG: found 2 components, expected 1, 3 or 4"},
        {BYTES(SOI "\xFF\xC0\x00\x05\x08\x00\x10" EOI), PPM_MALFORMED,
         "JPEG: found a frame's head of 3 bytes, expected 6 at least"},
        {BYTES(SOI "\xFF\xE0\x00\x01" EOI), PPM_MALFORMED,
         "JPEG: found a segment of 1 byte at byte 4, expected 2 at least"},
        {BYTES(SOI FRAME("\xC0", "\x08", "\x00", "\x10", "\x11") "\xFF\xDA\x00\x02" EOI),
         PPM_MALFORMED, "JPEG: found 16 x 0 pixels, expected one at least"},
    };
    const struct image_limits limits = {PIXELS_MAX};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image_file file = image_file_copy(cases[i].bytes, cases[i].count);
        struct image_head head;
        struct ppm_error error = {0};
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == cases[i].status,
                  "case %zu: %s", i, error.text);
        cr_assert_str_eq(error.text, cases[i].text, "case %zu: %s", i, error.text);
        image_file_free(&file);
    }
}

Test(image_jpeg, segments_are_limited)
{
    const struct image_limits limits = {PIXELS_MAX};
    struct image_file whole = image_file_read("tests/images/jpeg-gray.jpg");
    for (size_t segments = 990; segments <= 1010; segments += 20) {
        struct image_file file = {malloc(whole.count + 4 * segments), whole.count + 4 * segments};
        struct image_head head;
        struct ppm_error error = {0};
        memcpy(file.bytes, whole.bytes, 2);
        for (size_t i = 0; i < segments; i++)
            memcpy(file.bytes + 2 + 4 * i, "\xFF\xFE\x00\x02", 4);
        memcpy(file.bytes + 2 + 4 * segments, whole.bytes + 2, whole.count - 2);
        const enum ppm_status expected = segments < 1000 ? PPM_OK : PPM_TOO_LARGE;
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == expected, "%s",
                  error.text);
        cr_assert(segments < 1000 ||
                      strcmp(error.text, "JPEG: found more than 1000 segments before "
                                         "a scan, expected at most that many") == 0,
                  "%s", error.text);
        image_file_free(&file);
    }
    image_file_free(&whole);
}

/* A head of nothing but fill would be walked byte by byte. */
Test(image_jpeg, fill_in_a_head_is_limited)
{
    enum { FILL_BYTES = 1 << 18 };
    static const uint8_t fills[][2] = {{0xFF, 0x00}, {0xFF, 0xFF}};
    const struct image_limits limits = {PIXELS_MAX};
    struct image_file whole = image_file_read("tests/images/jpeg-gray.jpg");
    for (size_t i = 0; i < 2 * COUNT(fills); i++) {
        const size_t fill = i % 2 ? FILL_BYTES : 100;
        struct image_file file = {malloc(whole.count + fill), whole.count + fill};
        struct image_head head;
        struct ppm_error error = {0};
        memcpy(file.bytes, whole.bytes, 2);
        for (size_t k = 0; k < fill; k++)
            file.bytes[2 + k] = (char)fills[i / 2][k % 2];
        memcpy(file.bytes + 2 + fill, whole.bytes + 2, whole.count - 2);
        const enum ppm_status status = image_look(file.bytes, file.count, &limits, &head, &error);
        cr_assert(status == (fill == 100 ? PPM_OK : PPM_MALFORMED), "case %zu: %s", i, error.text);
        if (status != PPM_OK)
            cr_assert_str_eq(error.text, "JPEG: found 65536 bytes without a marker at byte 2, "
                                         "expected a segment");
        image_file_free(&file);
    }
    image_file_free(&whole);
}

/* ---- damage ---- */

static size_t scan_start(const struct image_file *file)
{
    const char *scan = memmem(file->bytes, file->count, "\xFF\xDA", 2);
    return (size_t)(scan - file->bytes);
}

/* Rows that are missing are never made up, whatever the file says of its end. */
static void check_ends(const char *path)
{
    struct image_file whole = image_file_read(path);
    struct ppm_image expected = {0};
    struct ppm_error none = {0};
    size_t refused = 0;
    cr_assert(image_file_decode(&whole, PIXELS_MAX, &expected, &none) == PPM_OK);
    const size_t start = scan_start(&whole) + 14, end = whole.count - 2;
    for (size_t count = start; count < end; count++) {
        struct image_file cut = image_file_copy(whole.bytes, count + 2);
        struct ppm_image image = {0};
        struct ppm_error error = {0};
        memcpy(cut.bytes + count, EOI, 2);
        if (image_file_decode(&cut, PIXELS_MAX, &image, &error) == PPM_OK)
            cr_assert(memcmp(image.pixels, expected.pixels,
                             image.width * image.height * IMAGE_CHANNELS) == 0,
                      "%s: made up after %zu of %zu bytes", path, count, end);
        else
            refused++;
        cr_assert(error.status == PPM_OK || strncmp(error.text, "JPEG: libjpeg found: ", 21) == 0,
                  "%s", error.text);
        free(image.pixels);
        image_file_free(&cut);
    }
    cr_assert(refused + 3 >= end - start, "%s: %zu of %zu", path, refused, end - start);
    free(expected.pixels);
    image_file_free(&whole);
}

Test(image_jpeg, missing_pixels_are_not_made_up)
{
    check_ends("tests/images/jpeg-420.jpg");
    check_ends("tests/images/jpeg-gray.jpg");
    check_ends("tests/images/jpeg-restarts.jpg");
}

/* No code consists of ones alone. */
Test(image_jpeg, codes_that_there_are_not_are_refused)
{
    struct image_file file = image_file_read("tests/images/jpeg-gray.jpg");
    struct ppm_image image = {0};
    struct ppm_error error = {0};
    for (size_t at = scan_start(&file) + 30; at + 4 < file.count; at += 2)
        memcpy(file.bytes + at, "\xFF\x00", 2);
    cr_assert(image_file_decode(&file, PIXELS_MAX, &image, &error) == PPM_MALFORMED);
    cr_assert_str_eq(error.text, "JPEG: libjpeg found: Corrupt JPEG data: bad Huffman code");
    image_file_free(&file);
}

Test(image_jpeg, libjpeg_says_what_is_wrong)
{
    struct image_file file = image_file_read("tests/images/jpeg-gray.jpg");
    char *tables = memmem(file.bytes, file.count, "\xFF\xC4", 2);
    struct ppm_image image = {0};
    struct ppm_error error = {0};
    memset(tables + 5, 0xFF, 16); /* codes of each length */
    cr_assert(image_file_decode(&file, PIXELS_MAX, &image, &error) == PPM_MALFORMED);
    cr_assert_str_eq(error.text, "JPEG: libjpeg found: Bogus Huffman table definition");
    image_file_free(&file);
}

#ifndef MALLOC_IS_TAKEN

/* ---- bombs ---- */

/* The file's scans again and again: repeated scans of a baseline picture are refused by libjpeg. */
static struct image_file repeat_scans(const struct image_file *whole, size_t scans)
{
    const size_t start = scan_start(whole), bytes = whole->count - 2 - start;
    struct image_file file = {malloc(start + bytes * scans + 2), start + bytes * scans + 2};
    memcpy(file.bytes, whole->bytes, start);
    for (size_t i = 0; i < scans; i++)
        memcpy(file.bytes + start + i * bytes, whole->bytes + start, bytes);
    memcpy(file.bytes + start + scans * bytes, EOI, 2);
    return file;
}

Test(image_jpeg, scans_are_limited)
{
    const struct jpeg_recipe recipe = {
        .width = 5000, .height = 4, .components = 3, .is_in_several_scans = true};
    const struct image_limits limits = {PIXELS_MAX};
    struct image_file whole = image_file_jpeg(&recipe);
    for (size_t times = 33; times <= 34; times++) { /* 99 and 102 scans */
        struct image_file file = repeat_scans(&whole, times);
        struct image_head head;
        struct ppm_error error = {0};
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK);
        struct ppm_image image = {malloc(recipe.width * recipe.height * IMAGE_CHANNELS), 0, 0};
        heap_count();
        const enum ppm_status status =
            image_decode(file.bytes, file.count, &head, NULL, &image, &error);
        const size_t allocations = heap_counted();
        cr_assert(status == (times == 33 ? PPM_OK : PPM_TOO_LARGE), "%s", error.text);
        if (status != PPM_OK) {
            cr_assert_str_eq(error.text,
                             "JPEG: found more than 100 scans, expected at most that many");
            cr_assert(allocations == 0, "%zu", allocations);
        }
        free(image.pixels);
        image_file_free(&file);
    }
    image_file_free(&whole);
}

/* Few bytes that promise the largest picture, and have no pixels. */
Test(image_jpeg, empty_promises_take_little)
{
    static const char huge[] = SOI "\xFF\xC2\x00\x0B\x08\xFF\xDC\xFF\xDC\x01\x01\x11\x00"
                                   "\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00" EOI;
    struct image_file file = image_file_copy(huge, sizeof huge - 1);
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    struct ppm_error error = {0};
    heap_count();
    cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_TOO_LARGE);
    cr_assert(heap_counted() == 0);
    cr_assert_str_eq(error.text, "JPEG: found 65500 x 65500 pixels, expected at most 40000000 in "
                                 "all (image_pixels_max)");
    image_file_free(&file);
}

/* ---- memory ---- */

static void check_memory(const struct jpeg_recipe *recipe)
{
    struct image_file file = image_file_jpeg(recipe);
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    struct ppm_error error = {0};
    cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK, "%s",
              error.text);
    struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
    heap_count();
    const enum ppm_status status =
        image_decode(file.bytes, file.count, &head, NULL, &image, &error);
    heap_counted();
    cr_assert(status == PPM_OK, "%s", error.text);
    cr_assert(heap_counted_bytes() <= head.working_bytes,
              "%zu x %zu, %d components, %dx%d %dx%d: %zu bytes, expected at most %zu",
              recipe->width, recipe->height, recipe->components, recipe->across[0], recipe->down[0],
              recipe->across[1], recipe->down[1], heap_counted_bytes(), head.working_bytes);
    free(image.pixels);
    image_file_free(&file);
}

Test(image_jpeg, memory_is_as_promised)
{
    static const struct jpeg_recipe shapes[] = {
        {.components = 1},
        {.components = 1, .across = {4}, .down = {4}},
        {.components = 3},
        {.components = 3, .across = {2, 1, 1}, .down = {1, 1, 1}},
        {.components = 3, .across = {2, 1, 1}, .down = {2, 1, 1}},
        {.components = 3, .across = {1, 1, 1}, .down = {2, 1, 1}},
        {.components = 3, .across = {4, 1, 1}, .down = {1, 1, 1}},
        {.components = 3, .across = {4, 1, 1}, .down = {2, 1, 1}},
        {.components = 3, .across = {1, 1, 1}, .down = {4, 1, 1}},
        {.components = 3, .across = {1, 2, 2}, .down = {1, 2, 2}},
        {.components = 4},
        {.components = 4, .across = {2, 1, 1, 2}, .down = {2, 1, 1, 2}},
        {.components = 4, .across = {1, 1, 1, 4}, .down = {1, 1, 1, 1}},
    };
    static const size_t sizes[][2] = {{1, 1}, {17, 9}, {640, 48}, {65500, 20}, {3, 20000}};
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    for (size_t i = 0; i < COUNT(shapes) * COUNT(sizes) * 4; i++) {
        struct jpeg_recipe recipe = shapes[i / 4 % COUNT(shapes)];
        recipe.width = sizes[i / 4 / COUNT(shapes)][0];
        recipe.height = sizes[i / 4 / COUNT(shapes)][1];
        recipe.is_progressive = i % 4 == 1;
        recipe.is_in_several_scans = i % 4 == 2;
        recipe.is_arithmetic = i % 4 == 3;
        check_memory(&recipe);
    }
}

#endif

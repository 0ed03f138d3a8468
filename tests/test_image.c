/* test_image.c - pictures, whatever their format: the pixels that Pillow shows, formats, limits,
 * files that are cut off, cancellation, no memory. */
#include "server/image/image.h"
#include "tests/heap_sweep.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_MAX = 1 << 20, GOLDEN_MIN = 90 };

/* Calls check for each picture of tests/images that matches. */
static size_t each_file(const char *pattern, void (*check)(const char *path))
{
    glob_t found;
    cr_assert(glob(pattern, 0, NULL, &found) == 0, "%s", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check(found.gl_pathv[i]);
    const size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

/* ---- pixels ---- */

static void check_golden(const char *path)
{
    struct image_file file = image_file_read(path);
    struct ppm_error error = {0};
    struct ppm_image found = {0};
    char pixmap[200];
    snprintf(pixmap, sizeof pixmap, "%.*s.ppm", (int)(strrchr(path, '.') - path), path);
    struct ppm_image expected = image_file_pixmap(pixmap);
    cr_assert(image_file_decode(&file, PIXELS_MAX, &found, &error) == PPM_OK, "%s: %s", path,
              error.text);
    cr_assert(found.width == expected.width && found.height == expected.height,
              "%s: %zu x %zu, expected %zu x %zu", path, found.width, found.height, expected.width,
              expected.height);
    for (size_t i = 0; i < found.width * found.height * IMAGE_CHANNELS; i++)
        cr_assert(found.pixels[i] == expected.pixels[i], "%s: row %zu, column %zu: %d, expected %d",
                  path, i / IMAGE_CHANNELS / found.width, i / IMAGE_CHANNELS % found.width,
                  found.pixels[i], expected.pixels[i]);
    free(found.pixels);
    free(expected.pixels);
    image_file_free(&file);
}

Test(image, shows_what_pillow_shows)
{
    const size_t count = each_file("tests/images/*.[jp][pn]g", check_golden);
    cr_assert(count >= GOLDEN_MIN, "%zu files", count);
}

/* ---- formats ---- */

Test(image, formats_are_known_by_type)
{
    static const struct {
        const char *type, *name;
    } cases[] = {
        {"image/jpg", "JPEG"},
        {"image/x-png", "PNG"},
        {"image/jpeg", "JPEG"},
        {"image/png", "PNG"},
        {"Image/JPEG", "JPEG"},
        {"image/png; q=1", "PNG"},
        {"image/jpegs", NULL},
        {"image/", NULL},
        {"image/jpeg image", NULL},
        {"image", NULL},
        {"", NULL},
        {"application/json", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct image_format *format = image_format_of_type(cases[i].type);
        const char *name = format ? image_format_name(format) : NULL;
        cr_assert(cases[i].name ? name && strcmp(name, cases[i].name) == 0 : !name, "case %zu: %s",
                  i, name);
    }
    for (size_t i = 0; image_formats[i]; i++)
        cr_assert(image_format_of_type(image_format_media_type(image_formats[i])) ==
                  image_formats[i]);
}

Test(image, formats_are_known_by_first_bytes)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *extension;
    } cases[] = {
        {"\xFF\xD8\xFF\xE0", 4, ".jpg"},
        {"\xFF\xD8\xFF", 3, ".jpg"},
        {"\xFF\xD8", 2, NULL},
        {"\x89PNG\r\n\x1A\n", 8, ".png"},
        {"\x89PNG\r\n\x1A\nIHDR", 12, ".png"},
        {"\x89PNG\r\n\x1A\r", 8, NULL},
        {"\x89PNG\r\n\x1A", 7, NULL},
        {"\x93NUMPY", 6, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image_file file = image_file_copy(cases[i].bytes, cases[i].count);
        const struct image_format *format = image_format_of_bytes(file.bytes, file.count);
        const char *found = format ? image_format_extension(format) : NULL;
        cr_assert(cases[i].extension ? found && strcmp(found, cases[i].extension) == 0 : !found,
                  "case %zu: %s", i, found);
        image_file_free(&file);
    }
}

Test(image, other_bytes_are_refused)
{
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head = {.width = 77};
    struct ppm_error error = {0};
    cr_assert(image_look("GIF89a", 6, &limits, &head, &error) == PPM_MALFORMED);
    cr_assert_str_eq(error.text, "found neither a JPEG nor a PNG in 6 bytes, by how they begin");
    cr_assert(head.width == 77);
}

/* ---- limits ---- */

Test(image, pixels_are_limited)
{
    static const char *const paths[] = {"tests/images/jpeg-orientation-6.jpg",
                                        "tests/images/jpeg-gray.jpg"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct image_file file = image_file_read(paths[i]);
        struct image_limits limits = {35 * 27};
        struct image_head head;
        struct ppm_error error = {0};
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK, "%s",
                  error.text);
        cr_assert(head.width * head.height == limits.pixels_max);
        limits.pixels_max--;
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_TOO_LARGE);
        cr_assert_str_eq(error.text, "JPEG: found 35 x 27 pixels, expected at most 944 in all "
                                     "(image_pixels_max)");
        image_file_free(&file);
    }
}

/* As soon as the size has come, and not before. */
Test(image, beginnings_are_refused_by_their_size)
{
    static const char *const paths[] = {"tests/images/jpeg-orientation-6.jpg",
                                        "tests/images/jpeg-progressive.jpg",
                                        "tests/images/png-rgb-8.png"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct image_file file = image_file_read(paths[i]);
        const struct image_limits small = {208}, large = {35 * 27};
        size_t first = 0;
        for (size_t count = 0; count <= file.count; count++) {
            struct image_file prefix = image_file_copy(file.bytes, count);
            struct ppm_error error = {0};
            cr_assert(image_look_ahead(prefix.bytes, count, &large, &error) == PPM_OK);
            const enum ppm_status status = image_look_ahead(prefix.bytes, count, &small, &error);
            cr_assert(status == PPM_OK || strstr(error.text, "expected at most 208 in all"));
            cr_assert(first == 0 || status == PPM_TOO_LARGE, "%s, %zu bytes", paths[i], count);
            first = first == 0 && status != PPM_OK ? count : first;
            image_file_free(&prefix);
        }
        cr_assert(first > 20 && first <= file.count * 3 / 4, "%s: %zu", paths[i], first);
        image_file_free(&file);
    }
}

Test(image, the_head_says_how_it_is_shown)
{
    const struct image_limits limits = {PIXELS_MAX};
    for (int orientation = 1; orientation <= 8; orientation++) {
        char path[100];
        struct image_head head;
        struct ppm_error error = {0};
        snprintf(path, sizeof path, "tests/images/png-orientation-%d.png", orientation);
        struct image_file file = image_file_read(path);
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK, "%s",
                  error.text);
        cr_assert(head.orientation == orientation);
        cr_assert(head.width == (orientation < 5 ? 19 : 11) &&
                      head.height == (orientation < 5 ? 11 : 19),
                  "%d: %zu x %zu", orientation, head.width, head.height);
        image_file_free(&file);
    }
}

/* ---- files that are cut off ---- */

/* No prefix of a file is a picture; each is refused in a sentence that says so. */
static void check_prefixes(const char *path)
{
    struct image_file file = image_file_read(path);
    const char *end = strstr(path, ".png") ? "IEND" : "end marker (FF D9)";
    const size_t signature_bytes = strstr(path, ".png") ? 8 : 3;
    for (size_t count = 0; count < file.count; count++) {
        struct image_file prefix = image_file_copy(file.bytes, count);
        struct ppm_error error = {0};
        struct ppm_image image = {.width = 77};
        char expected[100];
        snprintf(expected, sizeof expected, "the data end after %zu byte%s,", count,
                 ppm_plural(count));
        cr_assert(image_file_decode(&prefix, PIXELS_MAX, &image, &error) == PPM_MALFORMED,
                  "%s, %zu bytes: %s", path, count, error.text);
        cr_assert(image.width == 77);
        cr_assert(count < signature_bytes ||
                      (strstr(error.text, expected) && strstr(error.text, end)),
                  "%s, %zu bytes: %s", path, count, error.text);
        image_file_free(&prefix);
    }
    image_file_free(&file);
}

Test(image, truncated_files_are_refused)
{
    static const char *const names[] = {"jpeg-420.jpg",
                                        "jpeg-progressive.jpg",
                                        "jpeg-arithmetic.jpg",
                                        "jpeg-orientation-6.jpg",
                                        "jpeg-cmyk.jpg",
                                        "jpeg-several-scans.jpg",
                                        "png-rgb-8.png",
                                        "png-palette-2.png",
                                        "png-parts.png",
                                        "png-rgb-8-interlaced.png",
                                        "png-orientation-after-pixels.png"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[100];
        snprintf(path, sizeof path, "tests/images/%s", names[i]);
        check_prefixes(path);
    }
}

/* The pixels are allowed for, yet of another picture than image_look saw. */
Test(image, another_file_than_was_looked_at_is_refused)
{
    static const char *const paths[][2] = {
        {"tests/images/jpeg-16x16.jpg", "tests/images/jpeg-420.jpg"},
        {"tests/images/png-interlaced-9x9.png", "tests/images/png-rgb-8.png"},
    };
    const struct image_limits limits = {PIXELS_MAX};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct image_file small = image_file_read(paths[i][0]),
                          large = image_file_read(paths[i][1]);
        struct image_head head;
        struct ppm_error error = {0};
        cr_assert(image_look(small.bytes, small.count, &limits, &head, &error) == PPM_OK);
        struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
        cr_assert(image_decode(large.bytes, large.count, &head, NULL, &image, &error) ==
                  PPM_MALFORMED);
        cr_assert(strstr(error.text, "that were found at first"), "%s", error.text);
        free(image.pixels);
        image_file_free(&small);
        image_file_free(&large);
    }
}

/* ---- cancellation ---- */

struct patience {
    size_t left, asked;
};

static bool is_over(void *context)
{
    struct patience *patience = context;
    patience->asked++;
    return patience->left-- == 0;
}

/* Decodes with a client that leaves after `left` questions. */
static size_t decode_for(const char *path, size_t left, enum ppm_status expected)
{
    struct image_file file = image_file_read(path);
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    struct patience patience = {.left = left};
    const struct codec_cancel cancel = {is_over, &patience};
    struct ppm_error error = {0};
    cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK);
    struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
    const enum ppm_status status =
        image_decode(file.bytes, file.count, &head, &cancel, &image, &error);
    cr_assert(status == expected, "%s, %zu: %s", path, left, error.text);
    free(image.pixels);
    image_file_free(&file);
    return patience.asked;
}

Test(image, decoding_can_be_cancelled)
{
    static const char *const paths[] = {
        "tests/images/jpeg-420.jpg", "tests/images/jpeg-progressive.jpg",
        "tests/images/png-rgb-8.png", "tests/images/png-rgb-8-interlaced.png"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        const size_t asked = decode_for(paths[i], SIZE_MAX, PPM_OK);
        cr_assert(asked >= 11, "%s: asked %zu times", paths[i], asked); /* for each row */
        for (size_t left = 0; left < asked; left++)
            decode_for(paths[i], left, PPM_CANCELLED);
    }
}

/* ---- no memory ---- */

#ifndef MALLOC_IS_TAKEN

static struct image_file swept;
static struct ppm_image swept_image;

static bool decode_swept(struct ppm_error *error)
{
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    return image_look(swept.bytes, swept.count, &limits, &head, error) == PPM_OK &&
           image_decode(swept.bytes, swept.count, &head, NULL, &swept_image, error) == PPM_OK;
}

static void release_nothing(void)
{
}

static void sweep(const char *path)
{
    static uint8_t pixels[64 * 64 * IMAGE_CHANNELS];
    swept = image_file_read(path);
    swept_image.pixels = pixels;
    heap_sweep(&(struct heap_attempt){path, decode_swept, release_nothing, .expected = true,
                                      .requests_min = 6});
    image_file_free(&swept);
}

/* Each library allocates with malloc. */
Test(image, fails_cleanly_without_memory)
{
    each_file("tests/images/jpeg-orientation-6*.jpg", sweep);
    each_file("tests/images/jpeg-*cmyk.jpg", sweep);
    each_file("tests/images/png-orientation-6*.png", sweep);
    each_file("tests/images/png-palette-8-transparent.png", sweep);
}

static void check_promise(const char *path)
{
    struct image_file file = image_file_read(path);
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    struct ppm_error error = {0};
    static uint8_t pixels[64 * 64 * IMAGE_CHANNELS];
    struct ppm_image image = {pixels, 0, 0};
    cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK);
    heap_count();
    cr_assert(image_decode(file.bytes, file.count, &head, NULL, &image, &error) == PPM_OK);
    heap_counted();
    cr_assert(heap_counted_bytes() <= head.working_bytes, "%s: %zu bytes, expected at most %zu",
              path, heap_counted_bytes(), head.working_bytes);
    image_file_free(&file);
}

Test(image, the_head_says_how_much_memory_decoding_takes)
{
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    each_file("tests/images/*.[jp][pn]g", check_promise);
}

#endif

/* test_image_png.c - PNGs that are not as they should be: sentences, checksums, memory, chunks that
 * inflate to far more than they are. */
#include "tests/heap.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_MAX = 40000000, GRAY = 0, RGB = 2, PALETTE = 3, RGBA = 6 };

/* ---- heads ---- */

static void check_refusal(struct image_file file, enum ppm_status status, const char *text)
{
    struct ppm_error error = {0};
    struct ppm_image image = {.width = 77};
    cr_assert(image_file_decode(&file, PIXELS_MAX, &image, &error) == status, "%s: %s", text,
              error.text);
    cr_assert_str_eq(error.text, text);
    cr_assert(image.width == 77);
    image_file_free(&file);
}

Test(image_png, combinations_that_there_are_not_are_refused)
{
    static const int depths[7][5] = {{1, 2, 4, 8, 16}, {0}, {8, 16}, {1, 2, 4, 8},
                                     {8, 16},          {0}, {8, 16}};
    const struct image_limits limits = {PIXELS_MAX};
    for (int i = 0; i < 256 * 256; i++) {
        const int color = i / 256, bits = i % 256;
        struct image_file file = image_file_png(3, 2, bits, color, false);
        struct image_head head;
        struct ppm_error error = {0};
        bool is_known = false;
        for (size_t k = 0; color < 7 && k < COUNT(depths[0]); k++)
            is_known |= bits > 0 && bits == depths[color][k];
        image_file_add_chunk(&file, "IEND", NULL, 0);
        cr_assert((image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK) ==
                      is_known,
                  "%d bits of type %d: %s", bits, color, error.text);
        cr_assert(is_known || strstr(error.text, "expected one of the standard's combinations"),
                  "%s", error.text);
        image_file_free(&file);
    }
}

Test(image_png, malformed_heads_are_refused)
{
    static const struct {
        size_t width, height;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {0, 9, PPM_MALFORMED, "PNG: found 0 x 9 pixels, expected one at least"},
        {9, 0, PPM_MALFORMED, "PNG: found 9 x 0 pixels, expected one at least"},
        {50000, 50000, PPM_TOO_LARGE,
         "PNG: found 50000 x 50000 pixels, expected at most 40000000 in all (image_pixels_max)"},
        {0xFFFFFFFF, 0xFFFFFFFF, PPM_TOO_LARGE,
         "PNG: found 4294967295 x 4294967295 pixels, expected at most 40000000 in all "
         "(image_pixels_max)"},
        {5000, 5000, PPM_MALFORMED,
         "PNG: found 45 bytes for 5000 x 5000 pixels, expected 72674 at least"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image_file file = image_file_png(cases[i].width, cases[i].height, 8, RGB, false);
        image_file_add_chunk(&file, "IEND", NULL, 0);
        check_refusal(file, cases[i].status, cases[i].text);
    }
    struct image_file other = image_file_copy("\x89PNG\r\n\x1A\n", 8);
    image_file_add_chunk(&other, "IDAT", NULL, 0);
    check_refusal(other, PPM_MALFORMED, "PNG: found a first chunk of 0 bytes, expected IHDR of 13");
}

Test(image_png, pixels_that_are_not_there_are_refused)
{
    struct image_file none = image_file_png(3, 2, 8, GRAY, false);
    image_file_add_chunk(&none, "IEND", NULL, 0);
    check_refusal(none, PPM_MALFORMED, "PNG: libpng found: IEND: out of place");
    struct image_file few = image_file_png(3, 2, 8, GRAY, false);
    image_file_add_zeros(&few, "IDAT", NULL, 0, 7);
    image_file_add_chunk(&few, "IEND", NULL, 0);
    check_refusal(few, PPM_MALFORMED, "PNG: libpng found: Not enough image data");
    struct image_file colorless = image_file_png(3, 2, 8, PALETTE, false);
    image_file_add_zeros(&colorless, "IDAT", NULL, 0, 8);
    image_file_add_chunk(&colorless, "IEND", NULL, 0);
    check_refusal(colorless, PPM_MALFORMED, "PNG: libpng found: IDAT: Missing PLTE before IDAT");
    struct image_file critical = image_file_png(3, 2, 8, GRAY, false);
    image_file_add_chunk(&critical, "NEED", "x", 1);
    image_file_add_zeros(&critical, "IDAT", NULL, 0, 8);
    image_file_add_chunk(&critical, "IEND", NULL, 0);
    check_refusal(critical, PPM_MALFORMED, "PNG: libpng found: NEED: unhandled critical chunk");
}

/* A checksum covers every byte, of chunks that are not read, too. */
Test(image_png, every_flipped_bit_is_found)
{
    static const char *const paths[] = {"tests/images/png-other-chunks.png",
                                        "tests/images/png-palette-1-interlaced.png"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct image_file file = image_file_read(paths[i]);
        for (size_t bit = 0; bit < 8 * file.count; bit++) {
            struct ppm_image image = {0};
            struct ppm_error error = {0};
            file.bytes[bit / 8] = (char)(file.bytes[bit / 8] ^ (1 << bit % 8));
            cr_assert(image_file_decode(&file, PIXELS_MAX, &image, &error) != PPM_OK,
                      "%s: bit %zu of byte %zu", paths[i], bit % 8, bit / 8);
            cr_assert(*error.text && !strchr(error.text, '\n'));
            file.bytes[bit / 8] = (char)(file.bytes[bit / 8] ^ (1 << bit % 8));
        }
        image_file_free(&file);
    }
}

/* ---- limits ---- */

Test(image_png, chunks_are_limited)
{
    static const char EMPTY[12] = {[4] = 't', 'e', 'S', 't'};
    const struct image_limits limits = {PIXELS_MAX};
    for (size_t chunks = 99998; chunks <= 99999; chunks++) { /* IHDR and IEND besides */
        struct image_file file = image_file_png(3, 2, 8, GRAY, false);
        struct image_head head;
        struct ppm_error error = {0};
        file.bytes = realloc(file.bytes, file.count + sizeof EMPTY * chunks);
        for (size_t i = 0; i < chunks; i++)
            memcpy(file.bytes + file.count + sizeof EMPTY * i, EMPTY, sizeof EMPTY);
        file.count += sizeof EMPTY * chunks;
        image_file_add_chunk(&file, "IEND", NULL, 0);
        const enum ppm_status status = image_look(file.bytes, file.count, &limits, &head, &error);
        cr_assert(status == (chunks == 99998 ? PPM_OK : PPM_TOO_LARGE), "%zu: %s", chunks,
                  error.text);
        image_file_free(&file);
    }
}

#ifndef MALLOC_IS_TAKEN

/* Decodes it within the memory that its head promises, and that in a few KB. */
static void check_small(struct image_file *file, const char *what)
{
    const struct image_limits limits = {PIXELS_MAX};
    struct image_head head;
    struct ppm_error error = {0};
    uint8_t pixels[64 * IMAGE_CHANNELS] = {77};
    struct ppm_image image = {pixels, 0, 0};
    heap_count();
    cr_assert(image_look(file->bytes, file->count, &limits, &head, &error) == PPM_OK, "%s: %s",
              what, error.text);
    cr_assert(heap_counted() == 0, "%s", what);
    cr_assert(head.width * head.height <= COUNT(pixels) / IMAGE_CHANNELS);
    heap_count();
    const enum ppm_status status =
        image_decode(file->bytes, file->count, &head, NULL, &image, &error);
    heap_counted();
    cr_assert(status == PPM_OK, "%s: %s", what, error.text);
    cr_assert(pixels[0] == 0);
    cr_assert(heap_counted_bytes() <= head.working_bytes && head.working_bytes < (1 << 17),
              "%s: %zu bytes, expected at most %zu", what, heap_counted_bytes(),
              head.working_bytes);
    image_file_free(file);
}

/* 64 MB of zeros in 64 KB. */
Test(image_png, bombs_in_other_chunks_are_not_inflated)
{
    static const struct {
        const char *type, *head;
        size_t head_bytes;
    } cases[] = {
        {"iCCP", "a profile\0", 11},
        {"zTXt", "a comment\0", 11},
        {"iTXt", "a comment\0\1\0en\0a comment", 25},
        {"teSt", "", 0},
    };
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image_file file = image_file_png(1, 1, 8, GRAY, false);
        image_file_add_zeros(&file, cases[i].type, cases[i].head, cases[i].head_bytes, 64 << 20);
        image_file_add_zeros(&file, "IDAT", NULL, 0, 2);
        image_file_add_chunk(&file, "IEND", NULL, 0);
        check_small(&file, cases[i].type);
    }
}

/* Long chunks that libpng would keep. */
Test(image_png, other_chunks_are_not_kept)
{
    static const char *const types[] = {"tEXt", "sPLT", "pCAL", "sCAL", "hIST", "bKGD", "gAMA",
                                        "cHRM", "pHYs", "sRGB", "tIME", "oFFs", "sBIT", "teSt"};
    static const char letters[1 << 20] = "a name";
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    for (size_t i = 0; i < COUNT(types); i++) {
        struct image_file file = image_file_png(1, 1, 8, GRAY, false);
        for (int repeated = 0; repeated < 3; repeated++)
            image_file_add_chunk(&file, types[i], letters, sizeof letters);
        image_file_add_zeros(&file, "IDAT", NULL, 0, 2);
        image_file_add_chunk(&file, "IEND", NULL, 0);
        check_small(&file, types[i]);
    }
}

/* Pixels that go on for 64 MB after the last. */
Test(image_png, pixels_beyond_the_last_are_not_inflated)
{
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    struct image_file file = image_file_png(1, 1, 8, GRAY, false);
    image_file_add_zeros(&file, "IDAT", NULL, 0, 64 << 20);
    image_file_add_chunk(&file, "IEND", NULL, 0);
    check_small(&file, "IDAT");
}

Test(image_png, memory_is_as_promised)
{
    static const int kinds[][2] = {{GRAY, 1}, {GRAY, 16}, {RGB, 8}, {RGB, 16}, {RGBA, 16}, {4, 16}};
    static const size_t sizes[][2] = {{1, 1}, {17, 9}, {100000, 2}, {2, 10000}};
    static const size_t samples[] = {[GRAY] = 1, [RGB] = 3, [4] = 2, [RGBA] = 4};
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    for (size_t i = 0; i < COUNT(kinds) * COUNT(sizes) * 2; i++) {
        const int *kind = kinds[i / 2 % COUNT(kinds)];
        const size_t *size = sizes[i / 2 / COUNT(kinds)];
        const struct image_limits limits = {PIXELS_MAX};
        struct image_file file = image_file_png(size[0], size[1], kind[1], kind[0], i % 2);
        struct image_head head;
        struct ppm_error error = {0};
        const size_t row_bytes = size[0] * samples[kind[0]] * (size_t)kind[1] / 8 + 9;
        image_file_add_zeros(&file, "IDAT", NULL, 0, 2 * row_bytes * size[1] + 100);
        image_file_add_chunk(&file, "IEND", NULL, 0);
        cr_assert(image_look(file.bytes, file.count, &limits, &head, &error) == PPM_OK, "%s",
                  error.text);
        struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
        heap_count();
        const enum ppm_status status =
            image_decode(file.bytes, file.count, &head, NULL, &image, &error);
        heap_counted();
        cr_assert(status == PPM_OK, "%s", error.text);
        cr_assert(heap_counted_bytes() <= head.working_bytes,
                  "%zu x %zu, %d bits of type %d: %zu bytes, expected at most %zu", size[0],
                  size[1], kind[1], kind[0], heap_counted_bytes(), head.working_bytes);
        free(image.pixels);
        image_file_free(&file);
    }
}

#endif

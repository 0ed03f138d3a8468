/* test_image_write.c - pixels to PNG and JPEG, and labels over them. */
#include "server/image/image.h"
#include "tests/heap_sweep.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_MAX = 1 << 24 };

static const struct image_format *format_of(const char *name)
{
    for (size_t i = 0; image_formats[i]; i++)
        if (strcmp(image_format_name(image_formats[i]), name) == 0)
            return image_formats[i];
    cr_assert_fail("%s", name);
    return NULL;
}

/* Written within the memory that was asked for, and read again. */
static struct ppm_image round_trip(const struct image_format *format, const struct ppm_image *image)
{
    const size_t bytes_max = image_encoded_bytes_max(format, image->width, image->height);
    struct ppm_error error = {0};
    struct ppm_image back = {0};
    struct image_file file = {malloc(bytes_max), 0};
    cr_assert(image_encode(format, image, NULL, file.bytes, &file.count, &error) == PPM_OK, "%s",
              error.text);
    cr_assert(file.count <= bytes_max);
    cr_assert(image_format_of_bytes(file.bytes, file.count) == format);
    cr_assert(image_file_decode(&file, PIXELS_MAX, &back, &error) == PPM_OK, "%s", error.text);
    cr_assert(back.width == image->width && back.height == image->height);
    image_file_free(&file);
    return back;
}

static const size_t SIZES[][2] = {{1, 1}, {1, 300}, {300, 1}, {17, 9}, {100, 480}, {3000, 2}};

Test(image_write, a_png_is_exact)
{
    for (size_t i = 0; i < 2 * COUNT(SIZES); i++) {
        struct ppm_image image = image_file_pixels(SIZES[i / 2][0], SIZES[i / 2][1], i % 2);
        struct ppm_image back = round_trip(format_of("PNG"), &image);
        cr_assert(memcmp(image.pixels, back.pixels, image.width * image.height * IMAGE_CHANNELS) ==
                  0);
        free(image.pixels);
        free(back.pixels);
    }
}

/* Colors keep their place: with chroma of half the resolution a column of red would spread. */
Test(image_write, a_jpeg_is_close_and_keeps_edges_of_colors)
{
    for (size_t i = 0; i < COUNT(SIZES); i++) {
        struct ppm_image noise = image_file_pixels(SIZES[i][0], SIZES[i][1], true);
        struct ppm_image back = round_trip(format_of("JPEG"), &noise);
        free(noise.pixels);
        free(back.pixels);
    }
    struct ppm_image image = image_file_pixels(64, 40, false);
    for (size_t i = 0; i < 64 * 40; i++) {
        uint8_t *pixel = image.pixels + i * IMAGE_CHANNELS;
        pixel[0] = pixel[1] = pixel[2] = 100;
        if (i % 64 % 5 == 2)
            pixel[0] = 200;
    }
    struct ppm_image back = round_trip(format_of("JPEG"), &image);
    int largest = 0;
    for (size_t i = 0; i < 64 * 40 * IMAGE_CHANNELS; i++)
        largest = abs(image.pixels[i] - back.pixels[i]) > largest
                      ? abs(image.pixels[i] - back.pixels[i])
                      : largest;
    cr_assert(largest > 0 && largest <= 24, "%d", largest);
    free(image.pixels);
    free(back.pixels);
}

/* The file that Pillow writes of these pixels: quality 90, subsampling 0. */
Test(image_write, a_jpeg_is_what_pillow_writes)
{
    struct ppm_image image = image_file_pixmap("tests/images/written.pixels.ppm");
    struct image_file expected = image_file_read("tests/images/written.jpeg");
    char *memory = malloc(image_encoded_bytes_max(format_of("JPEG"), image.width, image.height));
    struct ppm_error error = {0};
    size_t bytes = 0;
    cr_assert(image_encode(format_of("JPEG"), &image, NULL, memory, &bytes, &error) == PPM_OK);
    cr_assert(bytes == expected.count && memcmp(memory, expected.bytes, bytes) == 0,
              "%zu bytes, expected %zu", bytes, expected.count);
    free(memory);
    free(image.pixels);
    image_file_free(&expected);
}

Test(image_write, sizes_have_bounds)
{
    uint8_t pixel[IMAGE_CHANNELS] = {0};
    struct ppm_error error = {0}, same = {0};
    size_t bytes = 77;
    const struct ppm_image wide = {pixel, 65501, 1}, huge = {pixel, 1, (size_t)1 << 31};
    cr_assert(image_encode(format_of("JPEG"), &wide, NULL, NULL, &bytes, &error) == PPM_TOO_LARGE);
    cr_assert_str_eq(error.text, "a JPEG has at most 65500 rows and columns, found 65501 x 1");
    cr_assert(image_encode(format_of("PNG"), &huge, NULL, NULL, &bytes, &same) == PPM_TOO_LARGE);
    cr_assert_str_eq(same.text,
                     "a PNG has at most 2147483647 rows and columns, found 1 x 2147483648");
    cr_assert(bytes == 77);
    cr_assert(image_encoded_bytes_max(format_of("PNG"), SIZE_MAX, 2) == 0);
    cr_assert(image_encoded_bytes_max(format_of("JPEG"), (size_t)1 << 40, (size_t)1 << 22) == 0);
}

static bool is_over(void *context)
{
    return (*(size_t *)context)-- == 0;
}

Test(image_write, writing_can_be_cancelled)
{
    struct ppm_image image = image_file_pixels(30, 20, true);
    for (size_t i = 0; image_formats[i]; i++) {
        char *memory = malloc(image_encoded_bytes_max(image_formats[i], 30, 20));
        for (size_t row = 0; row < 20; row++) {
            struct ppm_error error = {0};
            size_t left = row, bytes = 77;
            cr_assert(image_encode(image_formats[i], &image, &(struct codec_cancel){is_over, &left},
                                   memory, &bytes, &error) == PPM_CANCELLED,
                      "row %zu: %s", row, error.text);
            cr_assert(bytes == 77);
        }
        free(memory);
    }
    free(image.pixels);
}

#ifndef MALLOC_IS_TAKEN

static const struct image_format *swept_format;

static bool write_swept(struct ppm_error *error)
{
    static uint8_t pixels[50 * 50 * IMAGE_CHANNELS];
    static char memory[60000];
    size_t bytes;
    cr_assert(image_encoded_bytes_max(swept_format, 50, 50) <= sizeof memory);
    return image_encode(swept_format, &(struct ppm_image){pixels, 50, 50}, NULL, memory, &bytes,
                        error) == PPM_OK;
}

static void release_nothing(void)
{
}

Test(image_write, fails_cleanly_without_memory)
{
    for (size_t i = 0; image_formats[i]; i++) {
        swept_format = image_formats[i];
        heap_sweep(&(struct heap_attempt){image_format_name(swept_format), write_swept,
                                          release_nothing, .expected = true, .requests_min = 6});
    }
}

Test(image_write, memory_is_as_promised)
{
    static const size_t sizes[][2] = {{1, 1}, {640, 9}, {65500, 2}, {2, 3000}};
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    for (size_t i = 0; i < COUNT(sizes) * 2; i++) {
        const struct image_format *format = image_formats[i % 2];
        struct ppm_image image = image_file_pixels(sizes[i / 2][0], sizes[i / 2][1], true);
        char *memory = malloc(image_encoded_bytes_max(format, image.width, image.height));
        const size_t bytes_max = image_encode_working_bytes(format, image.width);
        struct ppm_error error = {0};
        size_t bytes;
        heap_count();
        cr_assert(image_encode(format, &image, NULL, memory, &bytes, &error) == PPM_OK);
        heap_counted();
        cr_assert(heap_counted_bytes() <= bytes_max,
                  "%s, %zu x %zu: %zu bytes, expected at most %zu", image_format_name(format),
                  image.width, image.height, heap_counted_bytes(), bytes_max);
        free(memory);
        free(image.pixels);
    }
}

#endif

/* ---- labels over a picture ---- */

static const uint8_t COLORS[][3] = {{0, 0, 0}, {255, 255, 255}, {128, 64, 200}};
static const struct codec_palette PALETTE = {COLORS, COUNT(COLORS)};

/* Every pixel with every color: (1 - opacity) * pixel + opacity * color, to the nearest. */
Test(overlay, is_the_sum_to_the_nearest)
{
    static const double opacities[] = {0, 1, 0.5, 0.25, 0.3, 0.999, 1e-9};
    for (size_t k = 0; k < COUNT(opacities) * COUNT(COLORS); k++) {
        const double opacity = opacities[k / COUNT(COLORS)];
        const size_t label = k % COUNT(COLORS);
        uint8_t pixels[256 * IMAGE_CHANNELS];
        int32_t labels[256];
        struct ppm_image image = {pixels, 64, 4};
        struct ppm_error error = {0};
        for (size_t i = 0; i < 256; i++) {
            memset(pixels + i * IMAGE_CHANNELS, (int)i, IMAGE_CHANNELS);
            labels[i] = (int32_t)label;
        }
        cr_assert(image_overlay(&image, labels, &PALETTE, opacity, NULL, &error) == PPM_OK);
        for (size_t i = 0; i < COUNT(pixels); i++) {
            const double exact = (1 - opacity) * (double)(i / IMAGE_CHANNELS) +
                                 opacity * COLORS[label][i % IMAGE_CHANNELS];
            cr_assert(fabs(pixels[i] - exact) <= 0.5 + 1.0 / 128, "%g: %d, expected %g", opacity,
                      pixels[i], exact);
            cr_assert(opacity != 0 || pixels[i] == i / IMAGE_CHANNELS);
            cr_assert(opacity != 1 || pixels[i] == COLORS[label][i % IMAGE_CHANNELS]);
        }
    }
}

Test(overlay, labels_are_row_by_row)
{
    uint8_t pixels[2 * 3 * IMAGE_CHANNELS] = {0};
    const int32_t labels[] = {0, 1, 2, 2, 0, 1};
    struct ppm_image image = {pixels, 3, 2};
    struct ppm_error error = {0};
    cr_assert(image_overlay(&image, labels, &PALETTE, 1, NULL, &error) == PPM_OK);
    for (size_t i = 0; i < COUNT(labels); i++)
        cr_assert(memcmp(pixels + i * IMAGE_CHANNELS, COLORS[labels[i]], IMAGE_CHANNELS) == 0);
}

Test(overlay, labels_without_a_color_are_refused)
{
    for (int i = 0; i < 2; i++) {
        uint8_t pixels[2 * IMAGE_CHANNELS] = {0};
        const int32_t labels[] = {0, i ? -1 : 3};
        struct ppm_image image = {pixels, 2, 1};
        struct ppm_error error = {0};
        cr_assert(image_overlay(&image, labels, &PALETTE, 0.5, NULL, &error) == PPM_UNFIT);
        cr_assert_str_eq(error.text,
                         i ? "found label -1 at pixel 1, expected one of the palette's 3 colors"
                           : "found label 3 at pixel 1, expected one of the palette's 3 colors");
    }
}

Test(overlay, can_be_cancelled)
{
    static uint8_t pixels[CODEC_SLICE_NUMBERS * 3 * IMAGE_CHANNELS];
    static int32_t labels[CODEC_SLICE_NUMBERS * 3];
    struct ppm_image image = {pixels, CODEC_SLICE_NUMBERS, 3};
    for (size_t slice = 0; slice < 4; slice++) {
        struct ppm_error error = {0};
        size_t left = slice;
        cr_assert(image_overlay(&image, labels, &PALETTE, 0.5,
                                &(struct codec_cancel){is_over, &left},
                                &error) == (slice < 3 ? PPM_CANCELLED : PPM_OK));
    }
}

/* fuzz_jpeg.c - JPEGs: pixels compared with those of libjpeg's own source and whole rows, put where
 * the standard's words about orientation say. */
#include "server/image/image.h"
#include "tests/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { PIXELS_MAX = 1 << 14 };

struct plain {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    jmp_buf way_back;
    uint8_t *rows; /* [height][width][components] */
};

static void jump_back(j_common_ptr info)
{
    longjmp(((struct plain *)info->client_data)->way_back, 1);
}

static void say_nothing(j_common_ptr info)
{
    (void)info;
}

/* The picture as stored: RGB, or CMYK as it is. False: libjpeg refuses it. */
static bool read_plain(struct plain *plain, const uint8_t *data, size_t size)
{
    struct jpeg_decompress_struct *info = &plain->info;
    info->err = jpeg_std_error(&plain->errors);
    info->client_data = plain;
    plain->errors.error_exit = jump_back;
    plain->errors.output_message = say_nothing;
    if (setjmp(plain->way_back) != 0)
        return false;
    jpeg_create_decompress(info);
    jpeg_mem_src(info, data, size);
    jpeg_read_header(info, TRUE);
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(info);
    const size_t row_bytes = (size_t)info->output_width * (size_t)info->output_components;
    plain->rows = malloc(row_bytes * info->output_height);
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = plain->rows + info->output_scanline * row_bytes;
        jpeg_read_scanlines(info, &row, 1);
    }
    return true;
}

/* Where the stored pixel (x, y) of a width x height picture is shown. */
static size_t shown_at(int orientation, size_t x, size_t y, size_t width, size_t height)
{
    const size_t right = width - 1 - x, bottom = height - 1 - y;
    const size_t places[][2] = {{x, y}, {right, y},  {right, bottom}, {x, bottom},
                                {y, x}, {bottom, x}, {bottom, right}, {y, right}};
    const size_t *place = places[orientation - 1];
    return place[1] * (orientation < 5 ? width : height) + place[0];
}

static void check_pixel(const uint8_t *found, const uint8_t *stored, int components)
{
    for (int c = 0; c < 3; c++) {
        const double light = stored[components - 1];
        const double expected = components == 4 ? light * stored[c] / 255 : stored[c];
        FUZZ_CHECK(found[c] >= expected - 0.51 && found[c] <= expected + 0.51,
                   "channel %d: found %d, expected %g", c, found[c], expected);
    }
}

static void check_pixels(const struct image_head *head, const struct ppm_image *image,
                         const uint8_t *data, size_t size)
{
    struct plain *plain = calloc(1, sizeof *plain);
    FUZZ_CHECK(plain && read_plain(plain, data, size), "libjpeg alone refuses it");
    const size_t width = plain->info.output_width, height = plain->info.output_height;
    const int components = plain->info.output_components;
    FUZZ_CHECK(width * height == image->width * image->height &&
                   image->width == (head->orientation < 5 ? width : height),
               "%zu x %zu", image->width, image->height);
    for (size_t i = 0; i < width * height; i++) {
        const size_t at = shown_at(head->orientation, i % width, i / width, width, height);
        check_pixel(image->pixels + 3 * at, plain->rows + (size_t)components * i, components);
    }
    jpeg_destroy_decompress(&plain->info);
    free(plain->rows);
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct image_limits limits = {PIXELS_MAX};
    const char *body = (const char *)data;
    struct image_head head;
    struct ppm_error error = {0};
    if (size < 2 || memcmp(data, "\xFF\xD8", 2) != 0)
        return 0;
    const bool is_refused =
        image_look_ahead(body, size / 2, &limits, &(struct ppm_error){0}) != PPM_OK;
    if (image_look(body, size, &limits, &head, &error) != PPM_OK) {
        fuzz_check_error(&error);
        return 0;
    }
    FUZZ_CHECK(head.width * head.height <= PIXELS_MAX, "%zu x %zu", head.width, head.height);
    FUZZ_CHECK(!is_refused, "what is taken was refused at half its bytes");
    struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
    if (image_decode(body, size, &head, NULL, &image, &error) == PPM_OK)
        check_pixels(&head, &image, data, size);
    else
        fuzz_check_error(&error);
    free(image.pixels);
    return 0;
}

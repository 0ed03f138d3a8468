/* fuzz_png.c - PNGs, with checksums that fit: pixels compared with those of libpng's own whole rows
 * and passes, and written and read again. */
#include "server/image/image.h"
#include "tests/fuzz/fuzz.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIXELS_MAX = 1 << 14, SIGNATURE_BYTES = 8, CHUNK_BYTES = 12 };

static size_t read_u32(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Without this, nearly all inputs would end at a checksum. */
static void mend_checksums(uint8_t *data, size_t size)
{
    size_t at = SIGNATURE_BYTES;
    while (size >= at + CHUNK_BYTES && read_u32(data + at) <= size - at - CHUNK_BYTES) {
        const size_t bytes = read_u32(data + at);
        const uLong sum = crc32(0, data + at + 4, (uInt)bytes + 4);
        for (int i = 0; i < 4; i++)
            data[at + 8 + bytes + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += CHUNK_BYTES + bytes;
    }
}

/* ---- libpng alone ---- */

struct plain {
    png_structp png;
    png_infop info;
    const uint8_t *at;
    size_t left;
};

static void jump_back(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void pass_over(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void give_bytes(png_structp png, png_bytep to, size_t count)
{
    struct plain *plain = png_get_io_ptr(png);
    if (count > plain->left)
        png_error(png, "end");
    memcpy(to, plain->at, count);
    plain->at += count;
    plain->left -= count;
}

static bool read_plain(struct plain *plain)
{
    plain->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, jump_back, pass_over);
    plain->info = png_create_info_struct(plain->png);
    if (setjmp(png_jmpbuf(plain->png)) != 0)
        return false;
    png_set_read_fn(plain->png, plain, give_bytes);
    png_read_png(plain->png, plain->info,
                 PNG_TRANSFORM_EXPAND | PNG_TRANSFORM_STRIP_16 | PNG_TRANSFORM_GRAY_TO_RGB, NULL);
    return true;
}

/* Of a picture that is shown as it is stored. libpng alone refuses some that we read: for what is
 * in a chunk that nobody asked for. */
static void check_pixels(const struct ppm_image *image, const uint8_t *data, size_t size)
{
    struct plain *plain = calloc(1, sizeof *plain);
    *plain = (struct plain){.at = data, .left = size};
    if (read_plain(plain)) {
        png_bytepp rows = png_get_rows(plain->png, plain->info);
        const size_t channels = png_get_channels(plain->png, plain->info);
        for (size_t i = 0; i < image->width * image->height; i++) {
            const uint8_t *stored = rows[i / image->width] + channels * (i % image->width);
            for (size_t c = 0; c < 3; c++) {
                const double expected = channels == 4 ? stored[c] * stored[3] / 255.0 : stored[c];
                const double found = image->pixels[3 * i + c];
                FUZZ_CHECK(found >= expected - 0.5 && found <= expected + 0.5,
                           "pixel %zu, channel %zu: found %g, expected %g", i, c, found, expected);
            }
        }
    }
    png_destroy_read_struct(&plain->png, &plain->info, NULL);
    free(plain);
}

static void check_round_trip(const struct image_format *format, const struct ppm_image *image)
{
    const struct image_limits limits = {PIXELS_MAX};
    const size_t pixel_bytes = image->width * image->height * IMAGE_CHANNELS;
    char *memory = malloc(image_encoded_bytes_max(format, image->width, image->height));
    struct ppm_image back = {malloc(pixel_bytes), 0, 0};
    struct image_head head;
    struct ppm_error error = {0};
    size_t bytes = 0;
    FUZZ_CHECK(image_encode(format, image, NULL, memory, &bytes, &error) == PPM_OK &&
                   image_look(memory, bytes, &limits, &head, &error) == PPM_OK &&
                   image_decode(memory, bytes, &head, NULL, &back, &error) == PPM_OK,
               "%s", error.text);
    FUZZ_CHECK(back.width == image->width && back.height == image->height &&
                   memcmp(back.pixels, image->pixels, pixel_bytes) == 0,
               "another picture");
    free(back.pixels);
    free(memory);
}

static void check(const uint8_t *data, size_t size)
{
    const struct image_limits limits = {PIXELS_MAX};
    const char *body = (const char *)data;
    struct image_head head;
    struct ppm_error error = {0};
    const bool is_refused =
        image_look_ahead(body, size / 2, &limits, &(struct ppm_error){0}) != PPM_OK;
    if (image_look(body, size, &limits, &head, &error) != PPM_OK) {
        fuzz_check_error(&error);
        return;
    }
    FUZZ_CHECK(!is_refused, "what is taken was refused at half its bytes");
    struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
    if (image_decode(body, size, &head, NULL, &image, &error) != PPM_OK) {
        fuzz_check_error(&error);
    } else {
        check_round_trip(head.format, &image);
        if (head.orientation == 1)
            check_pixels(&image, data, size);
    }
    free(image.pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t SIGNATURE[] = "\x89PNG\r\n\x1A\n";
    if (size < SIGNATURE_BYTES || memcmp(data, SIGNATURE, SIGNATURE_BYTES) != 0)
        return 0;
    uint8_t *mended = malloc(size);
    memcpy(mended, data, size);
    mend_checksums(mended, size);
    check(mended, size);
    free(mended);
    return 0;
}

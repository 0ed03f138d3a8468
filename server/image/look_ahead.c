/*
 * look_ahead.c - see look_ahead.h.
 */
#include "server/image/look_ahead.h"
#include "server/image/format.h"

#include <string.h>

static size_t read_big_endian(const uint8_t *at, size_t bytes)
{
    size_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* IHDR comes first: its length and type, then width and height. */
static bool png_size(struct image_bytes body, size_t *ret_width, size_t *ret_height)
{
    enum { TYPE_AT = 12, WIDTH_AT = 16, HEIGHT_AT = 20, END = 24 };
    if (body.count < END || memcmp(body.at + TYPE_AT, "IHDR", 4) != 0)
        return false;
    *ret_width = read_big_endian(body.at + WIDTH_AT, 4);
    *ret_height = read_big_endian(body.at + HEIGHT_AT, 4);
    return true;
}

/* Whether a segment has the frame: SOF0 to SOF15, without DHT, JPG and DAC among them. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* Whether it is a marker alone: TEM, RST0 to RST7, SOI. */
static bool is_alone(uint8_t marker)
{
    return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

static bool jpeg_size(struct image_bytes body, size_t *ret_width, size_t *ret_height)
{
    enum { SEGMENTS_MAX = 1000, FRAME_BYTES = 9, EOI = 0xD9, SOS = 0xDA };
    size_t at = 0;
    for (int i = 0; i < SEGMENTS_MAX && at < body.count && body.count - at >= FRAME_BYTES; i++) {
        const uint8_t *segment = body.at + at;
        const uint8_t marker = segment[1];
        if (segment[0] != 0xFF || marker == EOI || marker == SOS)
            return false;
        if (is_frame(marker)) {
            *ret_height = read_big_endian(segment + 5, 2);
            *ret_width = read_big_endian(segment + 7, 2);
            return true;
        }
        /* before a marker there may be any number of bytes FF */
        at += marker == 0xFF ? 1 : is_alone(marker) ? 2 : 2 + read_big_endian(segment + 2, 2);
    }
    return false;
}

enum ppm_status image_look_ahead(const char *body, size_t bytes, const struct image_limits *limits,
                                 struct ppm_error *error)
{
    const struct image_format *format = image_format_of_bytes(body, bytes);
    const struct image_bytes file = {(const uint8_t *)body, bytes};
    size_t width = 0, height = 0, pixels;
    const bool is_told = format == &image_png    ? png_size(file, &width, &height)
                         : format == &image_jpeg ? jpeg_size(file, &width, &height)
                                                 : false;
    if (!is_told ||
        (!__builtin_mul_overflow(width, height, &pixels) && pixels <= limits->pixels_max))
        return PPM_OK;
    return ppm_fail(error, PPM_TOO_LARGE,
                    "%s: found %zu x %zu pixels, expected at most %zu in all (image_pixels_max)",
                    format->name, width, height, limits->pixels_max);
}

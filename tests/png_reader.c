/* png_reader.c - see png_reader.h. */
#include "tests/png_reader.h"

#include <criterion/criterion.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const char *at;
    size_t left;
};

static void give_bytes(png_structp png, png_bytep to, size_t count)
{
    struct source *source = png_get_io_ptr(png);
    cr_assert(count <= source->left, "the PNG ends too soon");
    memcpy(to, source->at, count);
    source->at += count;
    source->left -= count;
}

static void fail(png_structp png, png_const_charp message)
{
    (void)png;
    cr_assert_fail("libpng: %s", message);
}

struct png_map png_map_read(const void *bytes, size_t count)
{
    struct source source = {bytes, count};
    struct png_map map = {0};
    png_colorp colors;
    int color_count;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, fail, fail);
    png_infop info = png_create_info_struct(png);
    png_set_read_fn(png, &source, give_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png, info);
    cr_assert(png_get_bit_depth(png, info) == 8 &&
              png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE &&
              png_get_interlace_type(png, info) == PNG_INTERLACE_NONE);
    cr_assert(png_get_PLTE(png, info, &colors, &color_count) == PNG_INFO_PLTE);
    map.palette_count = (size_t)color_count;
    for (size_t i = 0; i < map.palette_count; i++)
        memcpy(map.palette[i], (uint8_t[]){colors[i].red, colors[i].green, colors[i].blue}, 3);
    map.w = png_get_image_width(png, info);
    map.h = png_get_image_height(png, info);
    map.labels = malloc(map.w * map.h);
    for (size_t row = 0; row < map.h; row++)
        png_read_row(png, map.labels + row * map.w, NULL);
    png_read_end(png, NULL);
    cr_assert(source.left == 0, "%zu bytes after the PNG", source.left);
    png_destroy_read_struct(&png, &info, NULL);
    return map;
}

void png_map_free(struct png_map *map)
{
    free(map->labels);
}

/*
 * png.c - PNG, by libpng.
 *
 * libpng reports errors with longjmp: out of read_rows or write_rows, back into try_to_read or
 * try_to_write. Neither has a local variable that changes before the jump and is used after it.
 */
#include "server/image/png_head.h"

#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { ALPHA_CHANNELS = 4 };

/* What libpng calls with. */
struct work {
    png_structp png;
    png_infop info;
    jmp_buf way_back;
    const struct codec_cancel *cancel;
    struct ppm_error *error;
};

/* The first cause is kept, such as PPM_NO_MEMORY. */
static _Noreturn void jump_back(png_structp png, png_const_charp message)
{
    struct work *work = png_get_error_ptr(png);
    ppm_fail(work->error, PPM_MALFORMED, "PNG: libpng found: %s", message);
    longjmp(work->way_back, 1);
}

/* libpng's own function would print it. */
static void pass_over(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    struct work work;
    const struct image_reading *reading;
    size_t at;         /* in the body */
    size_t bytes_left; /* that libpng may allocate, in all */
    uint8_t *row;
};

static void *allocate_to_read(png_structp png, png_alloc_size_t bytes)
{
    struct reader *reader = png_get_mem_ptr(png);
    void *memory = bytes <= reader->bytes_left ? malloc(bytes) : NULL;
    if (memory)
        reader->bytes_left -= bytes;
    else
        ppm_fail(reader->work.error, PPM_NO_MEMORY, "no memory to read a PNG");
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void give_bytes(png_structp png, png_bytep to, size_t count)
{
    struct reader *reader = png_get_io_ptr(png);
    const struct image_bytes body = reader->reading->body;
    if (count > body.count - reader->at) {
        png_fail_at_end(body, reader->work.error);
        png_error(png, "the data end");
    }
    memcpy(to, body.at + reader->at, count);
    reader->at += count;
}

/* Over black, rounded as Pillow does. */
static void rgba_to_rgb(uint8_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgba = row + ALPHA_CHANNELS * i;
        const unsigned alpha = rgba[3];
        uint8_t rgb[IMAGE_CHANNELS];
        for (int c = 0; c < IMAGE_CHANNELS; c++) {
            const unsigned product = rgba[c] * alpha + 128;
            rgb[c] = (uint8_t)((product + product / 256) / 256);
        }
        memcpy(row + IMAGE_CHANNELS * i, rgb, sizeof rgb);
    }
}

/* Only what pixels are made of is read: of all other chunks, only the checksum. */
static void expect_pixels_alone(png_structp png)
{
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png, 0); /* chunks are not kept: any length */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
}

/* The pixels of a pass: a column and a row of each step, from the first on. */
struct pass {
    size_t x, y, step_x, step_y;
};

static const struct pass WHOLE = {0, 0, 1, 1};
static const struct pass ADAM7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                    {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

static void read_pass(struct reader *reader, const struct pass *pass)
{
    const struct image_target *target = &reader->reading->target;
    const bool has_alpha = png_get_channels(reader->work.png, reader->work.info) == ALPHA_CHANNELS;
    if (target->width <= pass->x)
        return;
    const size_t columns = (target->width - pass->x + pass->step_x - 1) / pass->step_x;
    for (size_t y = pass->y; y < target->height; y += pass->step_y) {
        if (codec_check(reader->work.cancel, reader->work.error) != PPM_OK)
            png_error(reader->work.png, "cancelled");
        png_read_row(reader->work.png, reader->row, NULL);
        if (has_alpha)
            rgba_to_rgb(reader->row, columns);
        orient_put(target, y, pass->x, pass->step_x, reader->row, columns);
    }
}

static void read_rows(struct reader *reader)
{
    png_structp png = reader->work.png;
    png_infop info = reader->work.info;
    const struct image_target *target = &reader->reading->target;
    png_set_read_fn(png, reader, give_bytes);
    expect_pixels_alone(png);
    png_read_info(png, info);
    const png_uint_32 width = png_get_image_width(png, info);
    const png_uint_32 height = png_get_image_height(png, info);
    if (width != target->width || height != target->height) {
        ppm_fail(reader->work.error, PPM_MALFORMED,
                 "PNG: found %u x %u pixels, expected the %zu x %zu that were found at first",
                 width, height, target->width, target->height);
        return;
    }
    png_set_expand(png);
    png_set_strip_16(png);
    png_set_gray_to_rgb(png);
    png_read_update_info(png, info);
    reader->row = png_malloc(png, png_get_rowbytes(png, info));
    if (png_get_interlace_type(png, info) == PNG_INTERLACE_NONE)
        read_pass(reader, &WHOLE);
    else
        for (size_t i = 0; i < sizeof ADAM7 / sizeof *ADAM7; i++)
            read_pass(reader, &ADAM7[i]);
    png_read_end(png, NULL);
}

static void try_to_read(struct reader *reader)
{
    struct work *work = &reader->work;
    if (setjmp(work->way_back) == 0) {
        work->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, work, jump_back, pass_over,
                                             reader, allocate_to_read, release);
        work->info = work->png ? png_create_info_struct(work->png) : NULL;
        if (work->info)
            read_rows(reader);
    }
    if (work->png)
        png_free(work->png, reader->row);
    png_destroy_read_struct(&work->png, &work->info, NULL);
}

static enum ppm_status read_png(const struct image_reading *reading, struct ppm_error *error)
{
    struct reader reader = {
        .work = {.cancel = reading->cancel, .error = error},
        .reading = reading,
        .bytes_left = reading->working_bytes_max,
    };
    try_to_read(&reader);
    return error->status;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct writer {
    struct work work;
    char *to; /* the end of the bytes written so far */
    size_t room;
};

static void take_bytes(png_structp png, png_bytep bytes, size_t count)
{
    struct writer *writer = png_get_io_ptr(png);
    assert(count <= writer->room);
    memcpy(writer->to, bytes, count);
    writer->to += count;
    writer->room -= count;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void *allocate_to_write(png_structp png, png_alloc_size_t bytes)
{
    struct writer *writer = png_get_mem_ptr(png);
    void *memory = malloc(bytes);
    if (!memory)
        ppm_fail(writer->work.error, PPM_NO_MEMORY, "no memory to write a PNG");
    return memory;
}

static void write_rows(struct writer *writer, const struct ppm_image *image)
{
    png_structp png = writer->work.png;
    png_set_write_fn(png, writer, take_bytes, flush_nothing);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(png, Z_BEST_SPEED);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    png_set_IHDR(png, writer->work.info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, writer->work.info);
    for (size_t y = 0; y < image->height; y++) {
        if (codec_check(writer->work.cancel, writer->work.error) != PPM_OK)
            return;
        png_write_row(png, image->pixels + y * image->width * IMAGE_CHANNELS);
    }
    png_write_end(png, NULL);
}

static void try_to_write(struct writer *writer, const struct ppm_image *image)
{
    struct work *work = &writer->work;
    if (setjmp(work->way_back) == 0) {
        work->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, work, jump_back, pass_over,
                                              writer, allocate_to_write, release);
        work->info = work->png ? png_create_info_struct(work->png) : NULL;
        if (work->info)
            write_rows(writer, image);
    }
    png_destroy_write_struct(&work->png, &work->info);
}

static enum ppm_status write_png(const struct ppm_image *image, const struct codec_cancel *cancel,
                                 char *memory, size_t bytes_max, size_t *ret_bytes,
                                 struct ppm_error *error)
{
    struct writer writer = {
        .work = {.cancel = cancel, .error = error}, .to = memory, .room = bytes_max};
    if (image->width > PNG_UINT_31_MAX || image->height > PNG_UINT_31_MAX)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "a PNG has at most 2147483647 rows and columns, found %zu x %zu",
                        image->width, image->height);
    try_to_write(&writer, image);
    if (error->status != PPM_OK)
        return error->status;
    *ret_bytes = (size_t)(writer.to - memory);
    return PPM_OK;
}

/* Deflate adds at most a 64th and an eighth, by its own bound; a chunk has 12 bytes besides 8192.
 */
static size_t written_bytes_max(size_t width, size_t height)
{
    const size_t rows = (width * IMAGE_CHANNELS + 1) * height;
    const size_t deflated = rows + rows / 8 + rows / 64 + 64;
    return deflated + (deflated / 8192 + 1) * 12 + 1024;
}

const struct image_format image_png = {
    .name = "PNG",
    .media_type = "image/png",
    .also_sent = "image/x-png",
    .extension = ".png",
    .signature = {(const uint8_t *)"\x89PNG\r\n\x1A\n", 8},
    .find_size = png_find_size,
    .look = png_look,
    .read = read_png,
    .write = write_png,
    .written_bytes_max = written_bytes_max,
    .write_working_bytes = 320 << 10, /* zlib's windows */
    .write_pixel_bytes = 16,          /* rows that filters are chosen from */
};

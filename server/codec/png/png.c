/*
 * png.c - see png.h.
 *
 * libpng reports errors, out of memory included, with longjmp: out of write_map, back into
 * try_to_write. This is the only file that calls libpng, and neither function has a local variable
 * that changes before the jump and is used after it.
 */
#include "server/codec/png/png.h"

#include <assert.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <zlib.h>

enum { LABELS_MAX = 256 };

struct writer {
    png_structp png;
    png_infop info;
    jmp_buf way_back;
    bool is_whole;
    const struct codec_cancel *cancel;
    struct ppm_error *error; /* PPM_CANCELLED */
    char *to;                /* the end of the bytes written so far */
    size_t room;
};

static void jump_back(png_structp png, png_const_charp message)
{
    struct writer *writer = png_get_error_ptr(png);
    (void)message; /* the only possible error is a lack of memory */
    longjmp(writer->way_back, 1);
}

/* libpng's own function would print it. */
static void pass_over(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

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

/* rows: a byte for each label, rows contiguous. Jumps when there is no memory. */
static void write_map(struct writer *writer, const uint8_t *rows, size_t h, size_t w,
                      const struct codec_palette *palette)
{
    png_color colors[LABELS_MAX];
    for (size_t i = 0; i < palette->count; i++)
        colors[i] =
            (png_color){palette->colors[i][0], palette->colors[i][1], palette->colors[i][2]};
    writer->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writer, jump_back, pass_over);
    writer->info = writer->png ? png_create_info_struct(writer->png) : NULL;
    if (!writer->info)
        return;
    png_set_write_fn(writer->png, writer, take_bytes, flush_nothing);
    png_set_user_limits(writer->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(writer->png, Z_BEST_SPEED);
    png_set_compression_strategy(writer->png, Z_RLE); /* bench/README.md */
    png_set_IHDR(writer->png, writer->info, (png_uint_32)w, (png_uint_32)h, 8,
                 PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_PLTE(writer->png, writer->info, colors, (int)palette->count);
    png_write_info(writer->png, writer->info);
    for (size_t row = 0; row < h; row++) {
        if (codec_check(writer->cancel, writer->error) != PPM_OK)
            return;
        png_write_row(writer->png, rows + row * w);
    }
    png_write_end(writer->png, NULL);
    writer->is_whole = true;
}

static void try_to_write(struct writer *writer, const uint8_t *rows, size_t h, size_t w,
                         const struct codec_palette *palette)
{
    if (setjmp(writer->way_back) == 0)
        write_map(writer, rows, h, w, palette);
    png_destroy_write_struct(&writer->png, &writer->info);
}

/* Makes each label a byte, in place. */
static enum ppm_status narrow_labels(const struct ppm_tensor *labels, size_t count,
                                     size_t palette_count, const struct codec_cancel *cancel,
                                     struct ppm_error *error)
{
    const int32_t *from = labels->data;
    uint8_t *to = labels->data;
    for (size_t i = 0; i < count; i++) {
        const int32_t label = from[i];
        if (i % CODEC_SLICE_NUMBERS == 0 && codec_check(cancel, error) != PPM_OK)
            return error->status;
        if (label < 0 || (size_t)label >= palette_count)
            return ppm_fail(error, PPM_UNFIT,
                            "found label %d at pixel %zu, expected one of the palette's %zu colors",
                            (int)label, i, palette_count);
        to[i] = (uint8_t)label;
    }
    return PPM_OK;
}

static enum ppm_status check_map(const struct ppm_tensor *labels,
                                 const struct codec_palette *palette, struct ppm_error *error)
{
    const struct ppm_shape s = labels->shape;
    if (labels->dtype != PPM_INT32 || s.c != 1 || palette->count == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "a PNG shows a map of at most %d labels (\"as\": \"argmax\"), found %s of "
                        "%zu channel%s%s",
                        LABELS_MAX, ppm_dtype_name(labels->dtype), s.c, ppm_plural(s.c),
                        labels->dtype == PPM_INT32 ? " without a palette" : "");
    if (s.n != 1)
        return ppm_fail(error, PPM_UNFIT, "a PNG shows one map, found a batch of %zu", s.n);
    if (s.h > PNG_UINT_31_MAX || s.w > PNG_UINT_31_MAX)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "a PNG has at most 2147483647 rows and columns, "
                        "found %zu x %zu",
                        s.h, s.w);
    return PPM_OK;
}

static enum ppm_status encode(const struct codec_answer *answer, char *memory, size_t *ret_bytes,
                              struct ppm_error *error)
{
    const struct ppm_tensor *labels = answer->tensor;
    const size_t h = labels->shape.h, w = labels->shape.w;
    if (check_map(labels, &answer->palette, error) != PPM_OK ||
        narrow_labels(labels, h * w, answer->palette.count, answer->cancel, error) != PPM_OK)
        return error->status;
    struct writer writer = {.to = memory,
                            .room = codec_encoded_bytes_max(&codec_png, h * w),
                            .cancel = answer->cancel,
                            .error = error};
    try_to_write(&writer, labels->data, h, w, &answer->palette);
    if (!writer.is_whole)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to write a PNG of %zu x %zu pixels", w, h);
    *ret_bytes = (size_t)(writer.to - memory);
    return PPM_OK;
}

const struct codec_form codec_png = {
    .name = "PNG",
    .media_type = "image/png",
    .extension = ".png",
    .dtypes = 1 << CODEC_FLOAT32, /* none of its own: a model that answers labels has no floats */
    .labels_max = LABELS_MAX,
    .encode = encode,
    .head_bytes_max = 4096, /* chunks except the pixels', and zlib's own */
    /* In the narrowest map a row is its filter's byte and a pixel. Incompressible data grows by an
     * eighth at most, and by 12 bytes for each chunk of 8192. */
    .element_bytes_max = 3,
    .working_bytes = 320 << 10, /* zlib's windows */
    .begin_us = 100,            /* to set zlib up, and more */
};

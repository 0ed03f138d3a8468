/*
 * jpeg.c - JPEG, by libjpeg-turbo.
 *
 * libjpeg reports errors with a call that must not return: it jumps out of read_rows or write_rows,
 * back into try_to_read or try_to_write. This is the only file that calls libjpeg, and none of
 * these functions has a local variable that changes before the jump and is used after it.
 */
#include "server/image/jpeg_head.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    QUALITY = 90,
    CMYK_CHANNELS = 4,
    MCU = 8,             /* pixels each way, at 4:4:4 */
    MCU_PIXEL_BYTES = 6, /* as libjpeg-turbo's tjBufSize counts, which is above any of noise */
    HEAD_BYTES_MAX = 2048,
};

/* What libjpeg calls with: its client_data. */
struct work {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf way_back;
    const struct codec_cancel *cancel;
    struct ppm_error *error;
};

static _Noreturn void jump_back(j_common_ptr info)
{
    struct work *work = info->client_data;
    longjmp(work->way_back, 1);
}

static _Noreturn void fail(j_common_ptr info)
{
    struct work *work = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    if (info->err->msg_code == JERR_OUT_OF_MEMORY)
        ppm_fail(work->error, PPM_NO_MEMORY, "no memory to read or write a JPEG");
    else
        ppm_fail(work->error, PPM_MALFORMED, "JPEG: libjpeg found: %s", text);
    jump_back(info);
}

/* Warnings that say nothing of the pixels; Pillow shows these pictures, too. */
static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
           code == JWRN_BOGUS_PROGRESSION;
}

/* level: -1 for a warning, after which libjpeg would go on with pixels that it makes up. */
static void refuse_damage(j_common_ptr info, int level)
{
    if (level < 0 && !is_harmless(info->err->msg_code))
        fail(info);
}

/* libjpeg asks for each row of blocks of each scan, and for each row of pixels. */
static void ask(j_common_ptr info)
{
    struct work *work = info->client_data;
    if (codec_check(work->cancel, work->error) != PPM_OK)
        jump_back(info);
}

static void prepare(struct work *work, j_common_ptr info)
{
    info->err = jpeg_std_error(&work->errors);
    info->client_data = work;
    work->errors.error_exit = fail;
    work->errors.emit_message = refuse_damage;
    work->progress.progress_monitor = ask;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    struct work work;
    struct jpeg_decompress_struct info;
    struct jpeg_source_mgr source;
    const struct image_reading *reading;
};

static const struct image_reading *reading_of(j_decompress_ptr info)
{
    /* work is the first member. */
    return ((const struct reader *)info->client_data)->reading;
}

static void begin_source(j_decompress_ptr info)
{
    const struct image_bytes body = reading_of(info)->body;
    info->src->next_input_byte = body.at;
    info->src->bytes_in_buffer = body.count;
}

/* All bytes are in the buffer: who asks for more has a file that is cut off. */
static boolean refuse_end(j_decompress_ptr info)
{
    jpeg_fail_at_end(reading_of(info)->body, ((struct work *)info->client_data)->error);
    jump_back((j_common_ptr)info);
}

static void skip_bytes(j_decompress_ptr info, long count)
{
    if (count <= 0)
        return;
    if ((size_t)count > info->src->bytes_in_buffer)
        refuse_end(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void end_source(j_decompress_ptr info)
{
    (void)info;
}

/* (255 - C) (255 - K) / 255, rounded as Pillow does. row holds 255 - C, 255 - M, 255 - Y, 255 - K.
 */
static void cmyk_to_rgb(uint8_t *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *inverted = row + CMYK_CHANNELS * i;
        const unsigned light = inverted[3];
        uint8_t rgb[IMAGE_CHANNELS];
        for (int c = 0; c < IMAGE_CHANNELS; c++) {
            const unsigned taken = (255u - inverted[c]) * light + 128;
            rgb[c] = (uint8_t)(light - (taken + taken / 256) / 256);
        }
        memcpy(row + IMAGE_CHANNELS * i, rgb, sizeof rgb);
    }
}

static void read_rows(struct reader *reader)
{
    struct jpeg_decompress_struct *info = &reader->info;
    const struct image_target *target = &reader->reading->target;
    jpeg_read_header(info, TRUE);
    if (info->image_width != target->width || info->image_height != target->height) {
        ppm_fail(reader->work.error, PPM_MALFORMED,
                 "JPEG: found %u x %u pixels, expected the %zu x %zu that were found at first",
                 info->image_width, info->image_height, target->width, target->height);
        return;
    }
    const bool is_cmyk = info->num_components == CMYK_CHANNELS;
    info->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    JSAMPARRAY row = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE,
                                             info->image_width * CMYK_CHANNELS, 1);
    jpeg_start_decompress(info);
    for (size_t y = 0; y < target->height; y++) {
        jpeg_read_scanlines(info, row, 1);
        if (is_cmyk)
            cmyk_to_rgb(row[0], target->width);
        orient_put(target, y, 0, 1, row[0], target->width);
    }
    jpeg_finish_decompress(info);
}

static void try_to_read(struct reader *reader)
{
    struct jpeg_decompress_struct *info = &reader->info;
    prepare(&reader->work, (j_common_ptr)info);
    if (setjmp(reader->work.way_back) == 0) {
        jpeg_create_decompress(info);
        info->src = &reader->source;
        info->progress = &reader->work.progress;
        info->mem->max_memory_to_use = (long)reader->reading->working_bytes_max;
        read_rows(reader);
    }
    jpeg_destroy_decompress(info);
}

static enum ppm_status read_jpeg(const struct image_reading *reading, struct ppm_error *error)
{
    struct reader reader = {
        .work = {.cancel = reading->cancel, .error = error},
        .source = {.init_source = begin_source,
                   .fill_input_buffer = refuse_end,
                   .skip_input_data = skip_bytes,
                   .resync_to_restart = jpeg_resync_to_restart,
                   .term_source = end_source},
        .reading = reading,
    };
    if (jpeg_check_scans(reading->body, error) != PPM_OK)
        return error->status;
    try_to_read(&reader);
    return error->status;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct writer {
    struct work work;
    struct jpeg_compress_struct info;
    struct jpeg_destination_mgr destination;
    const struct ppm_image *image;
};

static void begin_or_end_destination(j_compress_ptr info)
{
    (void)info;
}

/* The memory is larger than any JPEG of this size. */
static boolean refuse_more(j_compress_ptr info)
{
    ERREXIT(info, JERR_BUFFER_SIZE);
    return FALSE;
}

static void write_rows(struct writer *writer)
{
    struct jpeg_compress_struct *info = &writer->info;
    const struct ppm_image *image = writer->image;
    info->image_width = (JDIMENSION)image->width;
    info->image_height = (JDIMENSION)image->height;
    info->input_components = IMAGE_CHANNELS;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, QUALITY, TRUE);
    info->comp_info[0].h_samp_factor = info->comp_info[0].v_samp_factor = 1; /* 4:4:4 */
    jpeg_start_compress(info, TRUE);
    for (size_t y = 0; y < image->height; y++) {
        JSAMPROW row = image->pixels + y * image->width * IMAGE_CHANNELS;
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
}

static void try_to_write(struct writer *writer)
{
    struct jpeg_compress_struct *info = &writer->info;
    prepare(&writer->work, (j_common_ptr)info);
    if (setjmp(writer->work.way_back) == 0) {
        jpeg_create_compress(info);
        info->dest = &writer->destination;
        info->progress = &writer->work.progress;
        write_rows(writer);
    }
    jpeg_destroy_compress(info);
}

static enum ppm_status write_jpeg(const struct ppm_image *image, const struct codec_cancel *cancel,
                                  char *memory, size_t bytes_max, size_t *ret_bytes,
                                  struct ppm_error *error)
{
    struct writer writer = {
        .work = {.cancel = cancel, .error = error},
        .destination = {.init_destination = begin_or_end_destination,
                        .empty_output_buffer = refuse_more,
                        .term_destination = begin_or_end_destination,
                        .next_output_byte = (JOCTET *)memory,
                        .free_in_buffer = bytes_max},
        .image = image,
    };
    if (image->width > JPEG_MAX_DIMENSION || image->height > JPEG_MAX_DIMENSION)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "a JPEG has at most %ld rows and columns, found %zu x %zu",
                        JPEG_MAX_DIMENSION, image->width, image->height);
    try_to_write(&writer);
    if (error->status != PPM_OK)
        return error->status;
    *ret_bytes = bytes_max - writer.destination.free_in_buffer;
    return PPM_OK;
}

static size_t written_bytes_max(size_t width, size_t height)
{
    const size_t w = (width + MCU - 1) / MCU * MCU, h = (height + MCU - 1) / MCU * MCU;
    return w * h * MCU_PIXEL_BYTES + HEAD_BYTES_MAX;
}

const struct image_format image_jpeg = {
    .name = "JPEG",
    .media_type = "image/jpeg",
    .also_sent = "image/jpg",
    .extension = ".jpg",
    .signature = {(const uint8_t *)"\xFF\xD8\xFF", 3},
    .find_size = jpeg_find_size,
    .look = jpeg_look,
    .read = read_jpeg,
    .write = write_jpeg,
    .written_bytes_max = written_bytes_max,
    .write_working_bytes = 128 << 10, /* tables */
    .write_pixel_bytes = 128,         /* rows of blocks, of each component, twice */
};

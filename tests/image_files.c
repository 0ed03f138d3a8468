/* image_files.c - see image_files.h. */
#include "tests/image_files.h"

#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <jpeglib.h>

struct image_file image_file_copy(const void *bytes, size_t count)
{
    struct image_file file = {malloc(count), count};
    cr_assert(file.bytes || count == 0);
    if (count > 0)
        memcpy(file.bytes, bytes, count);
    return file;
}

struct image_file image_file_read(const char *path)
{
    size_t count = 0;
    char *bytes = support_read(path, &count);
    struct image_file file = image_file_copy(bytes, count);
    free(bytes);
    return file;
}

void image_file_free(struct image_file *file)
{
    free(file->bytes);
    *file = (struct image_file){0};
}

enum ppm_status image_file_decode(const struct image_file *file, size_t pixels_max,
                                  struct ppm_image *ret_image, struct ppm_error *error)
{
    const struct image_limits limits = {pixels_max};
    struct image_head head;
    if (image_look(file->bytes, file->count, &limits, &head, error) != PPM_OK)
        return error->status;
    struct ppm_image image = {malloc(head.width * head.height * IMAGE_CHANNELS), 0, 0};
    cr_assert(image.pixels);
    if (image_decode(file->bytes, file->count, &head, NULL, &image, error) != PPM_OK) {
        free(image.pixels);
        return error->status;
    }
    cr_assert(image.width == head.width && image.height == head.height);
    *ret_image = image;
    return PPM_OK;
}

struct ppm_image image_file_pixmap(const char *path)
{
    struct ppm_image image = {0};
    struct image_file file = image_file_read(path);
    int start = 0;
    cr_assert(sscanf(file.bytes, "P6 %zu %zu 255%n", &image.width, &image.height, &start) == 2,
              "%s", path);
    const size_t bytes = image.width * image.height * IMAGE_CHANNELS;
    cr_assert(file.count == (size_t)start + 1 + bytes, "%s: %zu bytes", path, file.count);
    image.pixels = malloc(bytes);
    memcpy(image.pixels, file.bytes + start + 1, bytes);
    image_file_free(&file);
    return image;
}

struct ppm_image image_file_pixels(size_t width, size_t height, bool is_noise)
{
    const size_t bytes = width * height * IMAGE_CHANNELS;
    struct ppm_image image = {malloc(bytes), width, height};
    uint64_t state = 1;
    cr_assert(image.pixels);
    for (size_t i = 0; i < bytes; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        image.pixels[i] = is_noise ? (uint8_t)(state >> 56) : (uint8_t)(i / IMAGE_CHANNELS % width);
    }
    return image;
}

/* ---- JPEG ------------------------------------------------------------------------------------ */

static const J_COLOR_SPACE SPACES[] = {[1] = JCS_GRAYSCALE, [3] = JCS_YCbCr, [4] = JCS_CMYK};

static void set_up(struct jpeg_compress_struct *info, const struct jpeg_recipe *recipe)
{
    static jpeg_scan_info scans[4];
    info->image_width = (JDIMENSION)recipe->width;
    info->image_height = (JDIMENSION)recipe->height;
    info->input_components = recipe->components;
    info->in_color_space = SPACES[recipe->components];
    jpeg_set_defaults(info);
    info->arith_code = recipe->is_arithmetic;
    for (int i = 0; i < recipe->components; i++) {
        info->comp_info[i].h_samp_factor = recipe->across[i] ? recipe->across[i] : 1;
        info->comp_info[i].v_samp_factor = recipe->down[i] ? recipe->down[i] : 1;
        scans[i] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {i}, .Se = 63};
    }
    if (recipe->is_progressive)
        jpeg_simple_progression(info);
    if (recipe->is_in_several_scans) {
        info->scan_info = scans;
        info->num_scans = recipe->components;
    }
}

struct image_file image_file_jpeg(const struct jpeg_recipe *recipe)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    JSAMPLE *row = malloc(recipe->width * 4);
    uint32_t state = 1;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &bytes, &count);
    set_up(&info, recipe);
    jpeg_start_compress(&info, TRUE);
    for (size_t y = 0; y < recipe->height; y++) {
        for (size_t i = 0; i < recipe->width * 4; i++)
            row[i] = (JSAMPLE)((state = state * 1664525 + 1013904223) >> 24);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    struct image_file file = image_file_copy(bytes, count);
    free(bytes);
    free(row);
    return file;
}

/* ---- PNG ------------------------------------------------------------------------------------- */

static void add(struct image_file *file, const void *bytes, size_t count)
{
    if (count == 0)
        return;
    file->bytes = realloc(file->bytes, file->count + count);
    cr_assert(file->bytes);
    memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static void add_u32(struct image_file *file, size_t value)
{
    add(file,
        (uint8_t[]){(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                    (uint8_t)value},
        4);
}

void image_file_add_chunk(struct image_file *file, const char *type, const void *data, size_t bytes)
{
    uLong sum = crc32(0, (const Bytef *)type, 4);
    sum = bytes > 0 ? crc32(sum, data, (uInt)bytes) : sum;
    add_u32(file, bytes);
    add(file, type, 4);
    add(file, data, bytes);
    add_u32(file, sum);
}

void image_file_add_zeros(struct image_file *file, const char *type, const void *head,
                          size_t head_bytes, size_t count)
{
    uLongf packed_bytes = compressBound(count);
    uint8_t *zeros = calloc(1, count ? count : 1), *data = malloc(head_bytes + packed_bytes);
    cr_assert(zeros && data);
    if (head_bytes > 0)
        memcpy(data, head, head_bytes);
    cr_assert(compress2(data + head_bytes, &packed_bytes, zeros, count, Z_BEST_COMPRESSION) ==
              Z_OK);
    image_file_add_chunk(file, type, data, head_bytes + packed_bytes);
    free(zeros);
    free(data);
}

struct image_file image_file_png(size_t width, size_t height, int bits, int color, bool interlaced)
{
    struct image_file file = {0};
    add(&file, "\x89PNG\r\n\x1A\n", 8);
    const uint8_t head[13] = {
        (uint8_t)(width >> 24),  (uint8_t)(width >> 16),  (uint8_t)(width >> 8),  (uint8_t)width,
        (uint8_t)(height >> 24), (uint8_t)(height >> 16), (uint8_t)(height >> 8), (uint8_t)height,
        (uint8_t)bits,           (uint8_t)color,          [12] = interlaced};
    image_file_add_chunk(&file, "IHDR", head, sizeof head);
    return file;
}

/* ---- EXIF ------------------------------------------------------------------------------------ */

/* Into a file that has room for it. */
static void put(struct image_file *file, bool is_big_endian, size_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        file->bytes[file->count++] = (char)(value >> 8 * (is_big_endian ? bytes - 1 - i : i));
}

struct image_file image_file_exif(bool is_big_endian, const struct exif_entry *entries,
                                  size_t count, size_t room)
{
    struct image_file file = {malloc(8 + 2 + 12 * count + 4 + room), 0};
    memcpy(file.bytes, is_big_endian ? "MM" : "II", 2);
    file.count = 2;
    put(&file, is_big_endian, 42, 2);
    put(&file, is_big_endian, 8, 4);
    put(&file, is_big_endian, count, 2);
    for (size_t i = 0; i < count; i++) {
        const bool is_short = entries[i].format == 3 && entries[i].components == 1;
        put(&file, is_big_endian, entries[i].tag, 2);
        put(&file, is_big_endian, entries[i].format, 2);
        put(&file, is_big_endian, entries[i].components, 4);
        put(&file, is_big_endian, entries[i].value, is_short ? 2 : 4);
        put(&file, is_big_endian, 0, is_short ? 2 : 0);
    }
    put(&file, is_big_endian, 0, 4);
    memset(file.bytes + file.count, 'a', room);
    file.count += room;
    return file;
}

/*
 * image_files.h - pictures for tests: read from tests/images, written by libjpeg, or put together
 * from chunks as no library would write them.
 */
#ifndef PPM_TESTS_IMAGE_FILES_H
#define PPM_TESTS_IMAGE_FILES_H

#include "server/image/image.h"

/* bytes come from malloc, exactly as many as there are, so that AddressSanitizer sees a read past
 * them. */
struct image_file {
    char *bytes;
    size_t count;
};

struct image_file image_file_read(const char *path);
struct image_file image_file_copy(const void *bytes, size_t count);
void image_file_free(struct image_file *file);

/* image_look and image_decode, with at most pixels_max pixels. Returns what failed first; on
 * success the caller frees ret_image->pixels. */
enum ppm_status image_file_decode(const struct image_file *file, size_t pixels_max,
                                  struct ppm_image *ret_image, struct ppm_error *error);

/* The pixels of a portable pixmap (P6, 255), as tools/golden_images.py writes it. */
struct ppm_image image_file_pixmap(const char *path);

/* Pixels from a seed: noise, or smooth. */
struct ppm_image image_file_pixels(size_t width, size_t height, bool is_noise);

/* ---- JPEG ---- */

struct jpeg_recipe {
    size_t width, height;
    int components;         /* 1, 3 or 4 */
    int across[4], down[4]; /* sampling factors; 0: 1 */
    bool is_progressive, is_in_several_scans, is_arithmetic;
};

/* A picture of noise. */
struct image_file image_file_jpeg(const struct jpeg_recipe *recipe);

/* ---- PNG ---- */

/* The signature and IHDR; chunks are added to it. */
struct image_file image_file_png(size_t width, size_t height, int bits, int color, bool interlaced);
void image_file_add_chunk(struct image_file *file, const char *type, const void *data,
                          size_t bytes);
/* The chunk's data are head, then `count` zeros compressed. */
void image_file_add_zeros(struct image_file *file, const char *type, const void *head,
                          size_t head_bytes, size_t count);

/* ---- EXIF ---- */

struct exif_entry {
    uint16_t tag, format;
    uint32_t components, value; /* of a SHORT the value is its first two bytes */
};

/* A TIFF file of one directory with these entries and `room` bytes after it. */
struct image_file image_file_exif(bool is_big_endian, const struct exif_entry *entries,
                                  size_t count, size_t room);

#endif

/*
 * image.h - pictures: files of JPEG and PNG to pixels, and back.
 *
 *     struct image_head head;
 *     if (image_look(body, bytes, &limits, &head, error) == PPM_OK) {
 *         // take head.width * head.height * 3 + head.working_bytes from the budget
 *         struct ppm_image image = {pixels, head.width, head.height};
 *         image_decode(body, bytes, &head, cancel, &image, error);
 *     }
 *
 * Whatever the file holds, pixels are red, green and blue of 8 bits, upright. libjpeg-turbo, libpng
 * and libexif do the work, with their defaults, so that pixels are those of Pillow with the same
 * libraries:
 *
 * - Gray and palettes become RGB. Of 16 bits the upper 8 are kept. What is transparent is laid over
 *   black. Color profiles and gamma are not applied.
 * - CMYK and YCCK of a JPEG are taken as inverted, as Adobe writes them, and red is
 *   (255 - C) (255 - K) / 255.
 * - The orientation of EXIF (JPEG's first APP1 of that kind, PNG's eXIf) is applied. EXIF that
 * cannot be read, and an orientation that is not 1 to 8, means upright.
 * - A file is read to its end marker; what comes after it is ignored. A file that is cut off is
 *   refused, and so is one whose damage the libraries notice: they would make up pixels.
 *
 * Errors are PPM_MALFORMED with the format's name first, PPM_TOO_LARGE beyond the limits,
 * PPM_NO_MEMORY and PPM_CANCELLED. Any thread may call; nothing here uses several.
 */
#ifndef PPM_SERVER_IMAGE_IMAGE_H
#define PPM_SERVER_IMAGE_IMAGE_H

#include "server/codec/form.h"

/* A row of the table. */
struct image_format;
extern const struct image_format *const image_formats[]; /* ends with NULL */

const char *image_format_name(const struct image_format *format);       /* "JPEG" */
const char *image_format_media_type(const struct image_format *format); /* "image/jpeg" */
const char *image_format_extension(const struct image_format *format);  /* ".jpg" */

/* The format that a Content-Type names, without regard to case and parameters; NULL: none. */
const struct image_format *image_format_of_type(const char *content_type);
/* The format whose signature the bytes begin with; NULL: none. */
const struct image_format *image_format_of_bytes(const char *bytes, size_t count);

struct image_limits {
    size_t pixels_max;
};

enum { IMAGE_PIXELS_MAX_DEFAULT = 40000000, IMAGE_CHANNELS = 3 };

struct image_head {
    const struct image_format *format;
    size_t width, height; /* as shown: after its orientation */
    int orientation;      /* EXIF's: 1 to 8 */
    size_t working_bytes; /* all that image_decode allocates; the pixels are the caller's */
};

/* Reads the head of a whole file: what it promises, and what decoding it takes. Takes microseconds,
 * and a few KB. Refuses more than limits->pixels_max
 * pixels and what nothing here can decode; the pixels are not looked at. */
enum ppm_status image_look(const char *body, size_t bytes, const struct image_limits *limits,
                           struct image_head *ret_head, struct ppm_error *error);

/* The same of a file of which only the beginning has come: PPM_TOO_LARGE, in the same sentence, as
 * soon as its size is known; PPM_OK as long as it is not. Takes microseconds, allocates nothing. */
enum ppm_status image_look_ahead(const char *body, size_t bytes, const struct image_limits *limits,
                                 struct ppm_error *error);

/* image->pixels is the caller's memory for head->width * head->height * 3 bytes, which are
 * undefined after a failure. head is what image_look found in these very bytes. */
enum ppm_status image_decode(const char *body, size_t bytes, const struct image_head *head,
                             const struct codec_cancel *cancel, struct ppm_image *image,
                             struct ppm_error *error);

/* A file of these pixels, in memory of image_encoded_bytes_max bytes: a PNG of RGB, exactly, or a
 * JPEG of quality 90 with colors at full resolution (4:4:4), since colors of labels end at sharp
 * edges. PPM_TOO_LARGE beyond 65500 rows or columns of a JPEG. */
enum ppm_status image_encode(const struct image_format *format, const struct ppm_image *image,
                             const struct codec_cancel *cancel, char *memory, size_t *ret_bytes,
                             struct ppm_error *error);
/* 0: the size overflows. */
size_t image_encoded_bytes_max(const struct image_format *format, size_t width, size_t height);
/* All that image_encode allocates. */
size_t image_encode_working_bytes(const struct image_format *format, size_t width);

/* Lays labels over the image, in place: pixel = (1 - opacity) * pixel + opacity * color of the
 * label, to the nearest. labels: height * width, row by row; opacity in [0, 1]. PPM_UNFIT for a
 * label without a color. */
enum ppm_status image_overlay(struct ppm_image *image, const int32_t *labels,
                              const struct codec_palette *palette, double opacity,
                              const struct codec_cancel *cancel, struct ppm_error *error);

#endif

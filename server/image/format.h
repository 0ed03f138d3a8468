/*
 * format.h - a format of pictures: a row of the table in formats.c.
 */
#ifndef PPM_SERVER_IMAGE_FORMAT_H
#define PPM_SERVER_IMAGE_FORMAT_H

#include "server/image/orient.h"

/* The bytes of a file. */
struct image_bytes {
    const uint8_t *at;
    size_t count;
};

/* What a file's head says. */
struct image_promise {
    size_t width, height;    /* as stored */
    struct image_bytes exif; /* a TIFF file, as EXIF is; count 0: none */
    size_t bytes_min;        /* without which a file cannot hold that many pixels; 0: not known */
    size_t working_bytes;    /* that read allocates */
};

/* What to read, and where to. */
struct image_reading {
    struct image_bytes body;
    struct image_target target;
    size_t working_bytes_max;
    const struct codec_cancel *cancel;
};

struct image_format {
    const char *name;       /* in sentences: "JPEG" */
    const char *media_type; /* "image/jpeg" */
    const char *also_sent;  /* "image/jpg": not registered, but sent for it */
    const char *extension;  /* ".jpg" */
    struct image_bytes signature;
    /* The size as stored, from the beginning of a file alone; false: it does not tell yet. */
    bool (*find_size)(struct image_bytes beginning, size_t *ret_width, size_t *ret_height);
    enum ppm_status (*look)(struct image_bytes body, struct image_promise *ret_promise,
                            struct ppm_error *error);
    enum ppm_status (*read)(const struct image_reading *reading, struct ppm_error *error);
    /* Into memory of bytes_max bytes, with sizes that are not 0. */
    enum ppm_status (*write)(const struct ppm_image *image, const struct codec_cancel *cancel,
                             char *memory, size_t bytes_max, size_t *ret_bytes,
                             struct ppm_error *error);
    /* Of pixels that take at most SIZE_MAX / 16 bytes. */
    size_t (*written_bytes_max)(size_t width, size_t height);
    size_t write_working_bytes,
        write_pixel_bytes; /* that writing allocates: in all, and a column */
};

extern const struct image_format image_jpeg, image_png;

#endif

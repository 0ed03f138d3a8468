/* fit.h - how an image of a size becomes the x of a model, and the memory that this takes. */
#ifndef PPM_CORE_IMAGE_FIT_H
#define PPM_CORE_IMAGE_FIT_H

#include "core/image/resample.h"
#include "core/image/tile_axis.h"
#include "core/model/model.h"

/* The average of tiles. */
struct average {
    size_t channels; /* of what a tile answers */
    size_t rows;     /* of the band: the tile's, and the last one before it */
    float *band;     /* [channels][rows][image_w]: row i of the image at i % rows */
    float *cover;    /* [image_w]: how many tiles a pixel is in, along its row */
    uint32_t *low;   /* [output.w]: simd_taps, if the answer is stretched */
    float *weight;
    float *blocks; /* [threads][block_floats] */
    size_t block_floats;
};

struct fit {
    const struct ppm_model *model;
    size_t image_h, image_w;           /* as it comes */
    struct resample_axis down, across; /* the image to the pixels of x, if it is resized */
    bool is_resized, is_tiled;
    struct tile_axis rows, columns; /* of tiles, if there are several */
    struct ppm_sizes sizes;         /* of a run; its input is x */
    enum ppm_layout layout;         /* of x */
    struct ppm_shape output;        /* of the answer */
    bool is_stretched;              /* the average of tiles, to the answer's size */
    int threads;

    /* In the room: */
    float *x;
    uint8_t *narrow;  /* [image_h][across.out][3] */
    uint8_t *resized; /* [threads][across.out][3]: a row of the resized image */
    float *tile_y;    /* [channels][H][W] of the answer to a tile */
    struct average average;
};

/* Of an image to be computed on up to `threads` threads. want_h, want_w: as for ppm_image_costs.
 * PPM_UNFIT if the model takes none, PPM_MALFORMED if it has no pixels, PPM_TOO_LARGE if a side is
 * too long or the arrays overflow memory. */
enum ppm_status fit_of(const struct ppm_model *model, size_t width, size_t height, size_t want_h,
                       size_t want_w, int threads, struct fit *ret_fit, struct ppm_error *error);

/* Takes the fit's arrays out of room; without a base they are only counted. */
void fit_place(struct fit *fit, struct room *room);

/* How many times the network runs. */
size_t fit_runs(const struct fit *fit);

#endif

/*
 * overlay.c - labels over a picture.
 */
#include "server/image/image.h"

#include <math.h>

/* A share of 1 in integers: an overlay is off by less than 1/128 of a step of a pixel. */
enum { ONE = 1 << 16 };

static void mix(uint8_t *pixel, const uint8_t *color, uint32_t share)
{
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        pixel[c] = (uint8_t)((pixel[c] * (ONE - share) + color[c] * share + ONE / 2) / ONE);
}

enum ppm_status image_overlay(struct ppm_image *image, const int32_t *labels,
                              const struct codec_palette *palette, double opacity,
                              const struct codec_cancel *cancel, struct ppm_error *error)
{
    const uint32_t share = (uint32_t)lround(opacity * ONE);
    const size_t count = image->width * image->height;
    for (size_t i = 0; i < count; i++) {
        const int32_t label = labels[i];
        if (i % CODEC_SLICE_NUMBERS == 0 && codec_check(cancel, error) != PPM_OK)
            return error->status;
        if (label < 0 || (size_t)label >= palette->count)
            return ppm_fail(error, PPM_UNFIT,
                            "found label %d at pixel %zu, expected one of the palette's %zu colors",
                            (int)label, i, palette->count);
        mix(image->pixels + i * IMAGE_CHANNELS, palette->colors[label], share);
    }
    return PPM_OK;
}

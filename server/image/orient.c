/*
 * orient.c - see orient.h.
 */
#include "server/image/orient.h"

#include <string.h>

/* How stored pixels are shown, by EXIF's number: first rows and columns change places, then each
 * axis may run backwards. */
static const struct {
    bool is_transposed, is_x_back, is_y_back; /* x and y of the shown picture */
} TURNS[ORIENT_MAX + 1] = {
    [1] = {false, false, false}, [2] = {false, true, false}, [3] = {false, true, true},
    [4] = {false, false, true},  [5] = {true, false, false}, [6] = {true, true, false},
    [7] = {true, true, true},    [8] = {true, false, true},
};

bool orient_is_transposed(int orientation)
{
    return TURNS[orientation].is_transposed;
}

struct image_target orient_target(const struct ppm_image *image, int orientation)
{
    const bool is_transposed = TURNS[orientation].is_transposed;
    ptrdiff_t step_x = IMAGE_CHANNELS, step_y = (ptrdiff_t)image->width * IMAGE_CHANNELS;
    uint8_t *origin = image->pixels;
    if (TURNS[orientation].is_x_back) {
        origin += (ptrdiff_t)(image->width - 1) * step_x;
        step_x = -step_x;
    }
    if (TURNS[orientation].is_y_back) {
        origin += (ptrdiff_t)(image->height - 1) * step_y;
        step_y = -step_y;
    }
    return (struct image_target){
        .origin = origin,
        .step_x = is_transposed ? step_y : step_x,
        .step_y = is_transposed ? step_x : step_y,
        .width = is_transposed ? image->height : image->width,
        .height = is_transposed ? image->width : image->height,
    };
}

void orient_put(const struct image_target *target, size_t y, size_t x, size_t step,
                const uint8_t *pixels, size_t count)
{
    uint8_t *to = target->origin + (ptrdiff_t)y * target->step_y + (ptrdiff_t)x * target->step_x;
    const ptrdiff_t stride = (ptrdiff_t)step * target->step_x;
    if (stride == IMAGE_CHANNELS) {
        memcpy(to, pixels, count * IMAGE_CHANNELS);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *pixel = to + (ptrdiff_t)i * stride;
        pixel[0] = pixels[IMAGE_CHANNELS * i];
        pixel[1] = pixels[IMAGE_CHANNELS * i + 1];
        pixel[2] = pixels[IMAGE_CHANNELS * i + 2];
    }
}

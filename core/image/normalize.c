/* normalize.c - see normalize.h. */
#include "core/image/normalize.h"

void levels_of(const struct ppm_image_info *info, struct levels *ret_levels)
{
    for (size_t c = 0; c < 3; c++) {
        ret_levels->from[c] = info->is_bgr ? 2 - c : c;
        for (size_t level = 0; level < 256; level++)
            ret_levels->x[c][level] = ((float)level - info->mean[c]) / info->std[c];
    }
}

void normalize_row(const struct levels *levels, const uint8_t *pixels, const struct levels_row *row,
                   float *ret_x)
{
    for (size_t c = 0; c < 3; c++) {
        const float *of_level = levels->x[c];
        const uint8_t *from = pixels + levels->from[c];
        float *x = ret_x + c * row->apart;
        for (size_t i = 0; i < row->width; i++)
            x[i * row->step] = of_level[from[3 * i]];
        for (size_t i = row->width; i < row->padded; i++)
            x[i * row->step] = 0;
    }
}

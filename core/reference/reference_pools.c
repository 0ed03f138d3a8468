/* reference_pools.c - pooling: means and maxima over windows. */
#include "core/reference/reference_ops.h"

void reference_pool(const struct run *run, const float *x, size_t planes, size_t h, size_t w,
                    enum pool pool, const struct branch_geometry *branch, float *ret)
{
    size_t done = 0;
    for (size_t plane = 0; plane < planes; plane++, x += h * w)
        for (size_t row = 0; row < branch->pooled_h; row++)
            for (size_t column = 0; column < branch->pooled_w; column++) {
                size_t top, bottom, left, right;
                double sum = 0;
                if (!run_goes_on(run, &done, 1))
                    return;
                geometry_bin(pool, branch, AXIS_H, h, row, &top, &bottom);
                geometry_bin(pool, branch, AXIS_W, w, column, &left, &right);
                for (size_t y = top; y < bottom && run_goes_on(run, &done, right - left); y++)
                    for (size_t i = left; i < right; i++)
                        sum += (double)x[y * w + i];
                *ret++ = (float)(sum / (double)((bottom - top) * (right - left)));
            }
}

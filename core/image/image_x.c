/* image_x.c - see image_x.h. */
#include "core/image/image_x.h"
#include "core/base/threads.h"

/* Row i of x: the pixels of a row, and zeros after them. */
static void put_row(const struct fit *fit, const struct levels *levels, const uint8_t *pixels,
                    size_t width, size_t i)
{
    const struct ppm_shape x = fit->sizes.inputs[0];
    const bool is_planar = fit->layout == PPM_NCHW;
    const struct levels_row row = {.width = width,
                                   .padded = x.w,
                                   .apart = is_planar ? x.h * x.w : 1,
                                   .step = is_planar ? 1 : 3};
    normalize_row(levels, pixels, &row, fit->x + i * x.w * row.step);
}

/* Rows of pixels `apart` bytes from each other, and rows of zeros after them. */
static void put_rows(const struct fit *fit, const struct levels *levels, const uint8_t *pixels,
                     size_t apart, size_t height, size_t width, const struct run *run)
{
    const struct ppm_shape x = fit->sizes.inputs[0];
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = 0; i < x.h; i++)
        if (run_goes_on(run, &done, 3 * x.w))
            put_row(fit, levels, pixels + size_min(i, height) * apart, i < height ? width : 0, i);
}

static void resize_across(const struct fit *fit, const struct ppm_image *image,
                          const struct run *run)
{
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = 0; i < fit->image_h; i++)
        if (run_goes_on(run, &done, 3 * image->width))
            resample_across(&fit->across, image->pixels + 3 * i * image->width,
                            fit->narrow + 3 * i * fit->across.out);
}

static void resize_down(const struct fit *fit, const struct levels *levels, const struct run *run)
{
    const size_t h = fit->sizes.inputs[0].h, bytes = 3 * fit->across.out;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = 0; i < h; i++) {
        uint8_t *row = fit->resized + (size_t)omp_get_thread_num() * bytes;
        const bool is_image = i < fit->down.out;
        if (!run_goes_on(run, &done, fit->down.taps * bytes))
            continue;
        if (is_image)
            resample_down(&fit->down, i, fit->narrow, bytes, row);
        put_row(fit, levels, row, is_image ? fit->across.out : 0, i);
    }
}

void image_x_begin(struct fit *fit, const struct run *run)
{
    if (!fit->is_resized)
        return;
    resample_axis_fill(&fit->across, run);
    resample_axis_fill(&fit->down, run);
}

void image_x_whole(const struct fit *fit, const struct levels *levels,
                   const struct ppm_image *image, const struct run *run)
{
    if (!fit->is_resized) {
        put_rows(fit, levels, image->pixels, 3 * image->width, image->height, image->width, run);
        return;
    }
    resize_across(fit, image, run);
    if (!run_is_cancelled(run))
        resize_down(fit, levels, run);
}

void image_x_tile(const struct fit *fit, const struct levels *levels, const struct ppm_image *image,
                  size_t i, size_t k, const struct run *run)
{
    const size_t y0 = tile_start(&fit->rows, i), x0 = tile_start(&fit->columns, k);
    put_rows(fit, levels, image->pixels + 3 * (y0 * image->width + x0), 3 * image->width,
             fit->rows.covered, fit->columns.covered, run);
}

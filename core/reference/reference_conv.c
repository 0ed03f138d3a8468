/* reference_conv.c - the convolution: sums over channels and taps. */
#include "core/base/threads.h"
#include "core/model/panels.h"
#include "core/reference/reference_ops.h"
#include "core/shape/window_axis.h"

/* One map's convolution. */
struct conv {
    const struct run *run;
    const struct layer *layer;
    struct window_axis down, right;
    size_t h, w; /* of x */
};

/* sums[i] += weight * x[(column + i) * stride + tap * dilation - before] for i < count, with zeros
 * outside x[0 .. w). */
static void add_row(const struct conv *conv, double *sums, const float *x, size_t tap,
                    size_t column, size_t count, double weight)
{
    const struct window *window = &conv->layer->window;
    const size_t stride = window->stride[AXIS_W], before = conv->right.before;
    const size_t first = column * stride + tap * window->dilation[AXIS_W]; /* padding counted */
    const size_t end = conv->w + before;
    const size_t from = first < before ? size_div_up(before - first, stride) : 0;
    const size_t to = first < end ? size_min(count, size_div_up(end - first, stride)) : 0;
    for (size_t i = from; i < to; i++)
        sums[i] += weight * (double)x[first + i * stride - before];
}

/* Pixels [column, column + count) of one row of one output channel:
 *
 *     ret[i] = scale * sum_{c, ky, kx} weight[c][ky][kx] * x[c][row'][i'] + shift
 *     row'   = row * stride + ky * dilation - before, and i' likewise
 *
 * over the channels c of its group.
 */
static void conv_columns(const struct conv *conv, size_t *done, size_t channel, const float *x,
                         size_t row, size_t column, size_t count, float *ret)
{
    const struct layer *layer = conv->layer;
    const struct window *window = &layer->window;
    const size_t group = channel / (layer->out_channels / layer->groups);
    const size_t first = group * (layer->in_channels / layer->groups);
    double sums[COLUMNS] = {0};
    for (size_t part = 0; part < layer->part_count; part++)
        for (size_t tap = 0; tap < conv_taps(layer); tap++) {
            const size_t y = row * window->stride[AXIS_H] +
                             tap / window->size[AXIS_W] * window->dilation[AXIS_H];
            size_t rows;
            const float *weights = conv_row(layer, channel, part, tap, &rows);
            if (y < conv->down.before || y >= conv->down.before + conv->h)
                continue; /* the padding above and below */
            for (size_t i = 0;
                 i < layer->parts[part].channels && run_goes_on(conv->run, done, count); i++) {
                const size_t c = first + layer->parts[part].first + i;
                add_row(conv, sums, x + (c * conv->h + y - conv->down.before) * conv->w,
                        tap % window->size[AXIS_W], column, count,
                        (double)conv_weight(layer, weights, rows, i));
            }
        }
    for (size_t i = 0; i < count; i++)
        ret[column + i] = (float)(layer->scale[channel] * sums[i] + layer->shift[channel]);
}

void reference_conv(const struct run *run, const struct layer *layer,
                    const struct reference_maps *maps)
{
    const struct ppm_shape in = maps->reads[0].shape, out = maps->shape;
    const struct conv conv = {.run = run,
                              .layer = layer,
                              .down = window_axis_of(&layer->window, AXIS_H, in.h),
                              .right = window_axis_of(&layer->window, AXIS_W, in.w),
                              .h = in.h,
                              .w = in.w};
    size_t done = 0;
#pragma omp parallel for collapse(2) schedule(dynamic, share_of_loop(out.n)) firstprivate(done)    \
    num_threads(run->threads)
    for (size_t n = 0; n < out.n; n++)
        for (size_t row = 0; row < out.h; row++)
            for (size_t column = 0; column < out.w; column += COLUMNS)
                for (size_t c = 0; c < out.c && run_goes_on(run, &done, 0); c++)
                    conv_columns(&conv, &done, c, maps->reads[0].values + n * in.c * in.h * in.w,
                                 row, column, columns_from(column, out.w),
                                 maps->ret + ((n * out.c + c) * out.h + row) * out.w);
}

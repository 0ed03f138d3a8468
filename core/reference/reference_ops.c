/* reference_ops.c - see reference_ops.h. Written to be read. */
#include "core/reference/reference_ops.h"
#include "core/base/size.h"
#include "core/base/threads.h"
#include "core/model/panels.h"

#include <math.h>
#include <string.h>

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

static void resize_row(const struct run *run, size_t *done, const float *above, const float *below,
                       double weight, size_t w, enum resize mode, size_t out_w, float *ret)
{
    for (size_t i = 0; i < out_w && run_goes_on(run, done, 1); i++) {
        struct resize_tap tap = geometry_tap(mode, i, w, out_w);
        double top =
            (1 - tap.weight) * (double)above[tap.low] + tap.weight * (double)above[tap.high];
        double bottom =
            (1 - tap.weight) * (double)below[tap.low] + tap.weight * (double)below[tap.high];
        ret[i] = (float)((1 - weight) * top + weight * bottom);
    }
}

void reference_resize(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t h, size_t w, enum resize mode, size_t out_h, size_t out_w, float *ret,
                      size_t ret_stride)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t c = 0; c < channels; c++)
            for (size_t row = 0; row < out_h && run_goes_on(run, &done, 0); row++) {
                const float *plane = x + (n * channels + c) * h * w;
                struct resize_tap tap = geometry_tap(mode, row, h, out_h);
                resize_row(run, &done, plane + tap.low * w, plane + tap.high * w, tap.weight, w,
                           mode, out_w, ret + n * ret_stride + (c * out_h + row) * out_w);
            }
}

/* Columns computed at a time: a row of double accumulators on the stack. */
enum { COLUMNS = 256 };

static size_t columns_from(size_t column, size_t count)
{
    return size_min(count - column, COLUMNS);
}

/* sums[i] += weight * x[at + i - border] for i < count, with zeros outside x[0 .. w). */
static void add_shifted_row(double *sums, const float *x, size_t w, size_t at, size_t border,
                            size_t count, double weight)
{
    const size_t from = at < border ? border - at : 0;
    const size_t to = at < w + border ? size_min(count, w + border - at) : 0;
    for (size_t i = from; i < to; i++)
        sums[i] += weight * (double)x[at + i - border];
}

/* Pixels [column, column + count) of one row of one output channel:
 *   ret[i] = scale * sum_{c, ky, kx} weight[c][ky][kx] * x[c][row + ky - b][i + kx - b] + shift
 * with b = floor(kernel / 2). */
static void conv_columns(const struct run *run, size_t *done, const struct layer *layer,
                         size_t channel, const float *x, size_t h, size_t w, size_t row,
                         size_t column, size_t count, float *ret)
{
    const size_t kernel = layer->window.size[0], border = kernel / 2;
    const size_t panel = channel / layer->simd->gemm_rows, rows = conv_panel_rows(layer, panel);
    double sums[COLUMNS] = {0};
    for (size_t part = 0; part < layer->part_count; part++)
        for (size_t tap = 0; tap < conv_taps(layer); tap++) {
            const size_t down = tap / kernel, right = tap % kernel;
            const float *weights =
                conv_panel_at(layer, panel, part, tap, 0) + channel % layer->simd->gemm_rows;
            if (row + down < border || row + down >= h + border)
                continue; /* the padding above and below */
            for (size_t i = 0; i < layer->parts[part].channels && run_goes_on(run, done, count);
                 i++) {
                const size_t c = layer->parts[part].first + i;
                add_shifted_row(sums, x + (c * h + row + down - border) * w, w, column + right,
                                border, count, (double)conv_weight(layer, weights, rows, i));
            }
        }
    for (size_t i = 0; i < count; i++)
        ret[column + i] = (float)(layer->scale[channel] * sums[i] + layer->shift[channel]);
}

static void reference_conv(const struct run *run, const struct layer *layer, const float *x,
                           size_t batches, size_t h, size_t w, float *ret)
{
    const size_t in = layer->in_channels, out = layer->out_channels;
    size_t done = 0;
#pragma omp parallel for collapse(2) schedule(dynamic, share_of_loop(batches)) firstprivate(done)  \
    num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t row = 0; row < h; row++)
            for (size_t column = 0; column < w; column += COLUMNS)
                for (size_t c = 0; c < out && run_goes_on(run, &done, 0); c++)
                    conv_columns(run, &done, layer, c, x + n * in * h * w, h, w, row, column,
                                 columns_from(column, w), ret + ((n * out + c) * h + row) * w);
}

/* ret = f(x), COLUMNS pixels of a channel at a time. */
static void each_plane(const struct run *run, const struct layer *layer, const float *x,
                       size_t batches, size_t pixels, float *ret,
                       void (*f)(const struct layer *layer, size_t c, const float *x, size_t count,
                                 float *ret))
{
    const size_t channels = layer->out_channels;
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t plane = 0; plane < batches * channels; plane++)
        for (size_t at = 0; at < pixels && run_goes_on(run, &done, COLUMNS); at += COLUMNS)
            f(layer, plane % channels, x + plane * pixels + at, columns_from(at, pixels),
              ret + plane * pixels + at);
}

static void norm(const struct layer *layer, size_t c, const float *x, size_t count, float *ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = (float)(layer->scale[c] * (double)x[i] + layer->shift[c]);
}

static void reference_batch_norm(const struct run *run, const struct layer *layer, const float *x,
                                 size_t batches, size_t h, size_t w, float *ret)
{
    each_plane(run, layer, x, batches, h * w, ret, norm);
}

static void leaky_relu(const struct layer *layer, size_t c, const float *x, size_t count,
                       float *ret)
{
    simd_scalar.activate[SIMD_LEAKY_RELU](x, ret, count, layer->slopes[c]);
}

static void reference_prelu(const struct run *run, const struct layer *layer, const float *x,
                            size_t batches, size_t h, size_t w, float *ret)
{
    each_plane(run, layer, x, batches, h * w, ret, leaky_relu);
}

static void activate(const struct layer *layer, size_t c, const float *x, size_t count, float *ret)
{
    (void)c;
    simd_scalar.activate[layer->activation](x, ret, count, layer->slope);
}

static void reference_activation(const struct run *run, const struct layer *layer, const float *x,
                                 size_t batches, size_t h, size_t w, float *ret)
{
    each_plane(run, layer, x, batches, h * w, ret, activate);
}

void reference_softmax_in_place(const struct run *run, float *x, size_t batches, size_t channels,
                                size_t h, size_t w)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t row = 0; row < h; row++)
            for (size_t column = 0; column < w && run_goes_on(run, &done, COLUMNS * channels);
                 column += COLUMNS)
                simd_scalar.softmax(x + (n * channels * h + row) * w + column, channels, h * w,
                                    columns_from(column, w));
}

static void reference_softmax(const struct run *run, const struct layer *layer, const float *x,
                              size_t batches, size_t h, size_t w, float *ret)
{
    if (ret != x)
        run_copy(run, ret, x, batches * layer->out_channels * h * w);
    reference_softmax_in_place(run, ret, batches, layer->out_channels, h, w);
}

void reference_layer(const struct run *run, const struct layer *layer, const float *x,
                     size_t batches, size_t h, size_t w, float *ret)
{
    static void (*const run_layer[])(const struct run *run, const struct layer *layer,
                                     const float *x, size_t batches, size_t h, size_t w,
                                     float *ret) = {
#define ROW(constant, name) [LAYER_##constant] = reference_##name,
        LAYERS(ROW) ROW(ACTIVATION, activation)};
    run_layer[layer->kind](run, layer, x, batches, h, w, ret);
}

void reference_argmax(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t pixels, int32_t *ret)
{
    size_t done = 0;
#pragma omp parallel for collapse(2) firstprivate(done) num_threads(run->threads)
    for (size_t n = 0; n < batches; n++)
        for (size_t i = 0; i < pixels; i++) {
            if (!run_goes_on(run, &done, channels))
                continue;
            const float *values = x + n * channels * pixels + i;
            size_t best = 0;
            for (size_t c = 1; c < channels && !isnan(values[best * pixels]); c++)
                if (values[c * pixels] > values[best * pixels] || isnan(values[c * pixels]))
                    best = c;
            ret[n * pixels + i] = (int32_t)best;
        }
}

/* resample.c - see resample.h. */
#include "core/image/resample.h"

#include <math.h>

enum { FRACTION_BITS = 22, HALF = 1 << (FRACTION_BITS - 1) };

/* Source pixels per result, at least 1: half the width of the triangle. */
static double reach_of(const struct resample_axis *axis)
{
    return fmax((double)axis->in / (double)axis->out, 1);
}

struct resample_axis resample_axis_of(size_t in, size_t out)
{
    struct resample_axis axis = {.in = in, .out = out};
    axis.taps = (size_t)ceil(reach_of(&axis)) * 2 + 1;
    return axis;
}

void resample_axis_place(struct resample_axis *axis, struct room *room)
{
    axis->first = room_take(room, axis->out, sizeof *axis->first);
    axis->count = room_take(room, axis->out, sizeof *axis->count);
    axis->weights = room_take(room, size_times(axis->out, axis->taps), sizeof *axis->weights);
}

/* The triangle at source pixel k, for a result centered there. */
static double weight_at(size_t k, double center, double reach)
{
    const double from_center = fabs(((double)k - center + 0.5) * (1 / reach));
    return from_center < 1 ? 1 - from_center : 0;
}

static void fill_result(struct resample_axis *axis, size_t i)
{
    const double reach = reach_of(axis);
    const double center = ((double)i + 0.5) * ((double)axis->in / (double)axis->out);
    const size_t first = (size_t)fmax(center - reach + 0.5, 0);
    const size_t end = size_min((size_t)(center + reach + 0.5), axis->in);
    int32_t *weights = axis->weights + i * axis->taps;
    double sum = 0;
    for (size_t k = first; k < end; k++)
        sum += weight_at(k, center, reach);
    for (size_t k = first; k < end; k++)
        weights[k - first] =
            (int32_t)(0.5 + weight_at(k, center, reach) / sum * (1 << FRACTION_BITS));
    axis->first[i] = (uint32_t)first;
    axis->count[i] = (uint32_t)(end - first);
}

void resample_axis_fill(struct resample_axis *axis, const struct run *run)
{
    size_t done = 0;
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = 0; i < axis->out; i++)
        if (run_goes_on(run, &done, axis->taps))
            fill_result(axis, i);
}

/* Rounded weights may add up to more than 1. */
static uint8_t byte_of(int32_t sum)
{
    const int32_t value = sum >> FRACTION_BITS;
    return value > UINT8_MAX ? UINT8_MAX : (uint8_t)value;
}

void resample_across(const struct resample_axis *axis, const uint8_t *pixels, uint8_t *ret)
{
    for (size_t i = 0; i < axis->out; i++, ret += 3) {
        const int32_t *weights = axis->weights + i * axis->taps;
        const uint8_t *from = pixels + (size_t)3 * axis->first[i];
        int32_t r = HALF, g = HALF, b = HALF;
        for (size_t k = 0; k < axis->count[i]; k++, from += 3) {
            r += from[0] * weights[k];
            g += from[1] * weights[k];
            b += from[2] * weights[k];
        }
        ret[0] = byte_of(r);
        ret[1] = byte_of(g);
        ret[2] = byte_of(b);
    }
}

void resample_down(const struct resample_axis *axis, size_t i, const uint8_t *rows, size_t bytes,
                   uint8_t *ret)
{
    enum { TOGETHER = 512 };
    int32_t sums[TOGETHER];
    const int32_t *weights = axis->weights + i * axis->taps;
    for (size_t at = 0; at < bytes; at += TOGETHER) {
        const size_t count = size_min(bytes - at, TOGETHER);
        const uint8_t *from = rows + axis->first[i] * bytes + at;
        for (size_t j = 0; j < count; j++)
            sums[j] = HALF;
        for (size_t k = 0; k < axis->count[i]; k++, from += bytes)
            for (size_t j = 0; j < count; j++)
                sums[j] += from[j] * weights[k];
        for (size_t j = 0; j < count; j++)
            ret[at + j] = byte_of(sums[j]);
    }
}

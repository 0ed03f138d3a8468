/* output.c - the output stage, a row of pixels at a time: resized, soft-maxed or arg-maxed while
 * all its channels are in cache; resized logits are never stored. */
#include "core/engine.h"
#include "core/threads.h"

#include <math.h>
#include <string.h>

/* One channel of an output row: two rows blended, then stretched. between: [w] */
static void resize_row(const struct plan *plan, const float *map, size_t row, float *between,
                       float *ret)
{
    const struct ppm_shape out = plan->g.output;
    const struct resize_tap down = geometry_tap(plan->spec->output.resize, row, plan->g.h, out.h);
    core_simd()->lerp_rows(map + down.low * plan->g.w, map + down.high * plan->g.w,
                           (float)down.weight, between, plan->g.w);
    for (size_t i = 0; i < out.w; i++) {
        const struct resize_tap *right = &plan->output_taps[i];
        const float weight = (float)right->weight;
        ret[i] = (1 - weight) * between[right->low] + weight * between[right->high];
    }
}

/* ret[i] = the lowest channel with the largest value; NaN counts as larger than all */
static void argmax_row(const float *values, size_t channels, size_t count, float *best,
                       int32_t *ret)
{
    memcpy(best, values, count * sizeof *best);
    memset(ret, 0, count * sizeof *ret);
    for (size_t c = 1; c < channels; c++) {
        values += count;
        for (size_t i = 0; i < count; i++)
            if (!(values[i] <= best[i]) && !isnan(best[i])) {
                best[i] = values[i];
                ret[i] = (int32_t)c;
            }
    }
}

static void store_row(const struct work *work, size_t n, size_t row, const float *values,
                      const struct ppm_tensor *y)
{
    const struct ppm_shape out = work->plan->g.output;
    float *ret = y->data;
    if (y->layout == PPM_NHWC) {
        core_simd()->transpose(values, out.w, out.c, out.w, ret + (n * out.h + row) * out.w * out.c,
                               out.c);
        return;
    }
    for (size_t c = 0; c < out.c; c++, values += out.w)
        memcpy(ret + ((n * out.c + c) * out.h + row) * out.w, values, out.w * sizeof *ret);
}

size_t output_scratch_floats(const struct plan *plan, size_t channels)
{
    return (channels + 1) * plan->g.output.w + plan->g.w;
}

void stage_output(struct work *work, size_t channels, const struct ppm_tensor *y)
{
    const struct plan *plan = work->plan;
    const struct ppm_shape out = plan->g.output;
    float *values = work->blocks + (size_t)omp_get_thread_num() * work->block_floats;
    float *best = values + channels * out.w, *between = best + out.w;
#pragma omp for collapse(2) schedule(dynamic, 4)
    for (size_t n = 0; n < work->n; n++)
        for (size_t row = 0; row < out.h; row++) {
            for (size_t c = 0; c < channels; c++) {
                const float *map = work->values + (n * channels + c) * plan->pixels;
                if (plan->g.needs_resize)
                    resize_row(plan, map, row, between, values + c * out.w);
                else
                    memcpy(values + c * out.w, map + row * out.w, out.w * sizeof *values);
            }
            if (work->spec->output.as == AS_ARGMAX) {
                argmax_row(values, channels, out.w, best,
                           (int32_t *)y->data + (n * out.h + row) * out.w);
                continue;
            }
            if (work->spec->output.as == AS_SOFTMAX)
                core_simd()->softmax(values, channels, out.w, out.w);
            store_row(work, n, row, values, y);
        }
}

/* concat.c - see concat.h. */
#include "core/engine/concat.h"
#include "core/base/threads.h"
#include "core/engine/upsample.h"

static void concat_channel(const struct run_state *state, size_t *done, size_t n, size_t channel,
                           float *ret)
{
    const struct spec *spec = state->spec;
    const size_t pixels = state->plan->tiles.pixels, w = state->plan->g.w;
    const struct part *part = spec->pyramid.parts;
    while (channel >= part->first + part->channels)
        part++;
    const size_t c = channel - part->first;
    if (part->source == PART_MAP)
        run_copy(state->run, ret, state->x + (n * spec->channels + c) * pixels, pixels);
    else
        for (size_t row = 0; row < state->plan->g.h; row++)
            for (size_t left = 0; left < w; left += RUN_VALUES) {
                const size_t count = size_min(w - left, RUN_VALUES);
                if (!run_goes_on(state->run, done, count))
                    return;
                upsample_row(state, part->branch, n, c, row, left, count, ret + row * w + left);
            }
}

/* Threads take whole channels, and write each once, from end to end. */
void stage_concat(struct run_state *state, float *ret)
{
    const size_t channels = state->spec->pyramid.concat_channels, planes = state->n * channels;
    const size_t share = 8 * share_of_loop(planes / 8);
    size_t done = 0;
#pragma omp for schedule(dynamic)
    for (size_t first = 0; first < planes; first += share) {
        const size_t end = size_min(first + share, planes);
        for (size_t plane = first; plane < end && run_goes_on(state->run, &done, 0); plane++)
            concat_channel(state, &done, plane / channels, plane % channels,
                           ret + plane * state->plan->tiles.pixels);
    }
}

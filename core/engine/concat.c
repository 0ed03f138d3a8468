/* concat.c - see concat.h. */
#include "core/engine/concat.h"
#include "core/base/team.h"
#include "core/engine/stretch.h"
#include "core/engine/upsample.h"

/* Channel c of a source that is not a map as it is, some pixels at a time. */
static void concat_stretched(const struct section_state *state, size_t *done,
                             const struct source *source, size_t n, size_t c, float *ret)
{
    const size_t w = state->plan->out.w;
    for (size_t row = 0; row < state->plan->out.h; row++)
        for (size_t left = 0; left < w; left += RUN_VALUES) {
            const size_t count = size_min(w - left, RUN_VALUES);
            if (!run_goes_on(state->run, done, count))
                return;
            if (source->kind == PART_BRANCH)
                upsample_row(state, source->branch, n, c, row, left, count, ret + row * w + left);
            else
                stretch_pixels(state, source, n, c, 1, &(struct span){row, left, count, 1},
                               ret + row * w + left, 0);
        }
}

static void concat_channel(const struct section_state *state, size_t *done,
                           const struct source *sources, size_t n, size_t channel)
{
    const struct source *source = sources;
    float *ret = map_at(&state->of->ret, n, channel);
    while (channel >= source->first + source->channels)
        source++;
    const size_t c = channel - source->first;
    if (source->kind == PART_MAP)
        run_copy(state->run, ret, map_at(&source->map, n, source->from + c),
                 source->map.h * source->map.w);
    else
        concat_stretched(state, done, source, n, c, ret);
}

/* Threads take whole channels, and write each once, from end to end. */
void stage_concat(const struct section_state *state, const struct source *sources)
{
    const size_t channels = state->plan->section->concat_channels, planes = state->n * channels;
    struct team_loop loop = team_begin(state->of->shares, planes);
    size_t done = 0;
    for (size_t plane; team_next(&loop, &plane);)
        if (run_goes_on(state->run, &done, 0))
            concat_channel(state, &done, sources, plane / channels, plane % channels);
    team_end(&loop);
}

bool concat_fits(const struct section_state *state, const struct source *sources)
{
    bool fits = state->of->ret.layout == PPM_NCHW;
    for (size_t i = 0; i < state->plan->section->part_count; i++)
        fits = fits && (sources[i].kind == PART_BRANCH || sources[i].map.layout == PPM_NCHW);
    return fits;
}

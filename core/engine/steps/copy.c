/* copy.c - concats and slices that are stored: planes of other maps. */
#include "core/engine/steps/step_rows.h"

/* The rows of a unit, from channel c of a map. */
static void copy_rows(const struct step_run *step, const struct unit *unit, const struct map *x,
                      size_t c)
{
    const size_t at = unit->first * x->w;
    run_copy(step->run, map_at(&step->ret, unit->n, unit->channel) + at, map_at(x, unit->n, c) + at,
             unit->count * x->w);
}

static void concat_run(const struct step_run *step, const struct unit *unit, size_t *done,
                       float *scratch)
{
    size_t k = 0, channel = unit->channel;
    (void)done, (void)scratch;
    while (channel >= step_read(step, k)->channels)
        channel -= step_read(step, k++)->channels;
    copy_rows(step, unit, step_read(step, k), channel);
}

static void slice_run(const struct step_run *step, const struct unit *unit, size_t *done,
                      float *scratch)
{
    (void)done, (void)scratch;
    copy_rows(step, unit, step_read(step, 0), step->layer->first_channel + unit->channel);
}

const struct step_row concat_step = {BY_ROWS, concat_run};
const struct step_row slice_step = {BY_ROWS, slice_run};

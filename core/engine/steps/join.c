/* join.c - see join.h. */
#include "core/engine/steps/join.h"

#include <string.h>

/* A read at pixels [at, ...) of a channel: rows of it, or one value for all pixels. */
static const float *values_of(const struct step_run *step, size_t k, const struct unit *unit,
                              size_t at, bool *ret_is_one)
{
    const struct map *x = step_read(step, k);
    const float *plane = map_at(x, unit->n, x->channels == 1 ? 0 : unit->channel);
    *ret_is_one = x->h * x->w == 1;
    return *ret_is_one ? plane : plane + at;
}

static void begin_with(const float *x, bool is_one, size_t count, float *ret)
{
    if (!is_one && ret != x)
        memcpy(ret, x, count * sizeof *ret);
    for (size_t i = 0; is_one && i < count; i++)
        ret[i] = *x;
}

/* Pixels [at, at + count), which stay in the first-level cache. */
static void join_pixels(const struct step_run *step, const struct unit *unit, size_t at,
                        size_t count, const struct join *join)
{
    float *ret = map_at(&step->ret, unit->n, unit->channel) + at;
    for (size_t k = 0; k < step->read_count; k++) {
        bool is_one;
        const float *x = values_of(step, k, unit, at, &is_one);
        if (k == 0)
            begin_with(x, is_one, count, ret);
        else if (is_one)
            join->value(step, *x, count, ret);
        else
            join->rows(step, x, count, ret);
    }
    step_activate(step, ret, count);
}

void join_run(const struct step_run *step, const struct unit *unit, size_t *done,
              const struct join *join)
{
    enum { TOGETHER = 2048 };
    const size_t first = unit->first * step->ret.w, end = first + unit->count * step->ret.w;
    for (size_t at = first; at < end; at += TOGETHER) {
        const size_t count = size_min(end - at, TOGETHER);
        if (!run_goes_on(step->run, done, count))
            return;
        join_pixels(step, unit, at, count, join);
    }
}

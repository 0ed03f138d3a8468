/* add.c - sums of maps. */
#include "core/engine/steps/join.h"
#include "core/engine/steps/step_rows.h"

#include <math.h>

static void add_rows(const struct step_run *step, const float *x, size_t count, float *ret)
{
    step->simd->add(ret, x, -INFINITY, INFINITY, ret, count);
}

static void add_value(const struct step_run *step, float value, size_t count, float *ret)
{
    step->simd->affine(ret, 1, value, -INFINITY, INFINITY, ret, count);
}

static void add_run(const struct step_run *step, const struct unit *unit, size_t *done,
                    float *scratch)
{
    static const struct join join = {add_rows, add_value};
    (void)scratch;
    join_run(step, unit, done, &join);
}

const struct step_row add_step = {BY_ROWS, add_run};

/* mul.c - products of maps. */
#include "core/engine/steps/join.h"
#include "core/engine/steps/step_rows.h"

#include <math.h>

static void mul_rows(const struct step_run *step, const float *x, size_t count, float *ret)
{
    step->simd->mul(ret, x, ret, count);
}

static void mul_value(const struct step_run *step, float value, size_t count, float *ret)
{
    /* - 0, so that a zero keeps its sign */
    step->simd->affine(ret, value, -0.0F, -INFINITY, INFINITY, ret, count);
}

static void mul_run(const struct step_run *step, const struct unit *unit, size_t *done,
                    float *scratch)
{
    static const struct join join = {mul_rows, mul_value};
    (void)scratch;
    join_run(step, unit, done, &join);
}

const struct step_row mul_step = {BY_ROWS, mul_run};

/* bench_steps.c - see bench_steps.h. */
#include "server/commands/bench_steps.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNS_KEPT = 500 };

enum ppm_status bench_steps_begin(struct bench_steps *ret_steps, const struct ppm_model *model,
                                  const struct ppm_sizes *sizes, struct ppm_error *error)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    *ret_steps = (struct bench_steps){0};
    if (info.step_count <= 2)
        return PPM_OK;
    ret_steps->infos = calloc(info.step_count, sizeof *ret_steps->infos);
    ret_steps->ms = malloc(RUNS_KEPT * info.step_count * sizeof *ret_steps->ms);
    if (!ret_steps->infos || !ret_steps->ms)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    ret_steps->count = info.step_count;
    return ppm_model_steps(model, sizes, ret_steps->infos, error);
}

void bench_steps_release(struct bench_steps *steps)
{
    free(steps->infos);
    free(steps->ms);
}

double *bench_steps_next(struct bench_steps *steps)
{
    return steps->count > 0 && steps->kept < RUNS_KEPT ? &steps->ms[steps->count * steps->kept++]
                                                       : NULL;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_ms(const struct bench_steps *steps, size_t step)
{
    double values[RUNS_KEPT];
    for (size_t run = 0; run < steps->kept; run++)
        values[run] = steps->ms[run * steps->count + step];
    qsort(values, steps->kept, sizeof *values, by_value);
    return steps->kept > 0 ? values[steps->kept / 2] : 0;
}

json_t *bench_steps_json(const struct bench_steps *steps)
{
    json_t *list = json_array();
    for (size_t i = 0; i < steps->count; i++) {
        const struct ppm_step_info *info = &steps->infos[i];
        const double ms = median_ms(steps, i);
        const double gflops = ms > 0 ? (double)info->flops / (1e6 * ms) : 0;
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:I, s:f, s:b}", "where",
                                              info->where, "what", info->what, "median_ms", ms,
                                              "flops", (json_int_t)info->flops, "gflops", gflops,
                                              "is_effective", info->is_effective));
    }
    return list;
}

static double ms_of(const json_t *step)
{
    return json_number_value(json_object_get(step, "median_ms"));
}

static int by_ms_falling(const void *left, const void *right)
{
    const double a = ms_of(*(const json_t *const *)left), b = ms_of(*(const json_t *const *)right);
    return (a < b) - (a > b);
}

static void print_step(const json_t *step, double total_ms)
{
    char rate[64] = "-";
    const double gflops = json_number_value(json_object_get(step, "gflops"));
    if (gflops > 0)
        snprintf(rate, sizeof rate, "%.4g%s", gflops,
                 json_is_true(json_object_get(step, "is_effective")) ? " effective" : "");
    printf("%9.3f %5.1f %% %17s  %s: %s\n", ms_of(step), 100 * ms_of(step) / total_ms, rate,
           json_string_value(json_object_get(step, "where")),
           json_string_value(json_object_get(step, "what")));
}

void bench_steps_print(const json_t *list, size_t most)
{
    const size_t count = json_array_size(list), shown = most < count ? most : count;
    double total_ms = 0;
    const json_t **steps = malloc((count + 1) * sizeof *steps);
    if (!steps || shown == 0) {
        free(steps);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        steps[i] = json_array_get(list, i);
        total_ms += ms_of(steps[i]);
    }
    qsort(steps, count, sizeof *steps, by_ms_falling);
    printf("\nthe longest %zu of %zu steps (effective: it multiplies less than FLOPs are counted)\n"
           "%9s %7s %17s  step\n",
           shown, count, "ms", "share", "GFLOP/s");
    for (size_t i = 0; i < shown; i++)
        print_step(steps[i], total_ms);
    free(steps);
}

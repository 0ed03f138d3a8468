/* bench_steps.h - the steps of a network's runs: how long each takes, and how fast it computes. */
#ifndef PPM_SERVER_COMMANDS_BENCH_STEPS_H
#define PPM_SERVER_COMMANDS_BENCH_STEPS_H

#include "core/ppm.h"

struct json_t;

struct bench_steps {
    struct ppm_step_info *infos; /* [count] */
    double *ms;                  /* [runs kept][count] */
    size_t count, kept;          /* count 0: stages say it all */
};

/* Of a model that has more steps than a section and the output. It must be released in any case. */
enum ppm_status bench_steps_begin(struct bench_steps *ret_steps, const struct ppm_model *model,
                                  const struct ppm_sizes *sizes, struct ppm_error *error);
void bench_steps_release(struct bench_steps *steps);

/* Room for the times of the next run (ppm_run_options.ret_step_ms), or NULL: enough are kept. */
double *bench_steps_next(struct bench_steps *steps);

/* [{"where", "what", "median_ms", "flops", "gflops", "is_effective"}, ...] in their order. */
struct json_t *bench_steps_json(const struct bench_steps *steps);

/* Prints the longest of that list, at most `most`, the longest first. */
void bench_steps_print(const struct json_t *list, size_t most);

#endif

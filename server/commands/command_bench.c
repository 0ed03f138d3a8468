/* command_bench.c - see command_bench.h. */
#include "server/commands/command_bench.h"
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/commands/bench_steps.h"
#include "server/commands/common.h"
#include "server/config/arguments.h"
#include "server/observe/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { RUNS_MAX = 100000, RUNS_MIN = 3, STEPS_SHOWN = 10 };

struct measurement {
    double *total_ms;
    struct ppm_stage_times *stages;
    size_t runs;
    struct bench_steps steps;
};

/* How the result is printed. */
struct report {
    bool as_json;
    size_t steps; /* the longest ones of a network, at most */
};

/* Values like those of a feature map: of both signs, at most 1. */
static void fill_input(struct ppm_tensor *x)
{
    float *values = x->data;
    const size_t count = x->shape.n * x->shape.c * x->shape.h * x->shape.w;
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
}

/* What is measured. Options keep plan and scratch, and y keeps its memory, between runs. */
struct subject {
    const struct ppm_model *model;
    struct ppm_sizes sizes;
    struct ppm_costs costs;
    struct ppm_tensor inputs[PPM_INPUTS_MAX], y;
    struct ppm_run_options options;
};

static enum ppm_status make_inputs(struct subject *subject, struct ppm_error *error)
{
    for (size_t i = 0; i < subject->sizes.count; i++) {
        struct ppm_tensor *input = &subject->inputs[i];
        *input = (struct ppm_tensor){.shape = subject->sizes.inputs[i], .is_batch = true};
        if (ppm_tensor_allocate(input, error) != PPM_OK)
            return error->status;
        fill_input(input);
    }
    return PPM_OK;
}

static enum ppm_status run_once(struct subject *subject, double *ret_ms, struct ppm_error *error)
{
    const double start_s = clock_now_s();
    enum ppm_status status =
        ppm_run(subject->model, subject->inputs, &subject->options, &subject->y, error);
    *ret_ms = 1e3 * (clock_now_s() - start_s);
    return status;
}

/* Makes what a server keeps between runs. */
static enum ppm_status prepare(struct subject *subject, struct ppm_error *error)
{
    struct ppm_run_options *options = &subject->options;
    if (ppm_model_costs(subject->model, &subject->sizes, PPM_NCHW, options->threads,
                        &subject->costs, error) != PPM_OK)
        return error->status;
    options->scratch_bytes = options->reference ? 0 : subject->costs.scratch_bytes;
    if (options->scratch_bytes == 0) /* the literal graph */
        return PPM_OK;
    options->plan = ppm_plan_create(subject->model, &subject->sizes, options, error);
    options->scratch = buffer_take(options->scratch_bytes);
    if (!options->scratch)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    return error->status;
}

/* Runs once to warm up, then for the given seconds. */
static enum ppm_status measure(struct subject *subject, double seconds, struct measurement *ret,
                               struct ppm_error *error)
{
    double warm_up_ms;
    progress_start("measuring");
    if (prepare(subject, error) != PPM_OK || run_once(subject, &warm_up_ms, error) != PPM_OK)
        return error->status;
    const double start_s = clock_now_s();
    while (ret->runs < RUNS_MAX && (ret->runs < RUNS_MIN || clock_now_s() - start_s < seconds)) {
        subject->options.ret_times = &ret->stages[ret->runs];
        subject->options.ret_step_ms = bench_steps_next(&ret->steps);
        if (run_once(subject, &ret->total_ms[ret->runs], error) != PPM_OK)
            return error->status;
        ret->runs++;
        progress_report("", (clock_now_s() - start_s) / seconds);
    }
    progress_end();
    return PPM_OK;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The quantile of sorted values, by nearest rank. */
static double quantile(const double *sorted, size_t count, double share)
{
    size_t rank = (size_t)(share * (double)(count - 1) + 0.5);
    return sorted[rank];
}

/* A quantile of each stage: {"pool": .., "branches": .., "head": .., "output": ..} */
static json_t *stages_json(const struct measurement *m, double share, double *buffer)
{
    static const struct {
        const char *name;
        size_t offset;
    } stages[] = {{"pool", offsetof(struct ppm_stage_times, pool_ms)},
                  {"branches", offsetof(struct ppm_stage_times, branches_ms)},
                  {"head", offsetof(struct ppm_stage_times, head_ms)},
                  {"output", offsetof(struct ppm_stage_times, output_ms)}};
    json_t *ret = json_object();
    for (size_t k = 0; k < sizeof stages / sizeof *stages; k++) {
        for (size_t i = 0; i < m->runs; i++)
            buffer[i] = *(const double *)((const char *)&m->stages[i] + stages[k].offset);
        qsort(buffer, m->runs, sizeof *buffer, by_value);
        json_object_set_new(ret, stages[k].name, json_real(quantile(buffer, m->runs, share)));
    }
    return ret;
}

/* Networks are shown by steps. */
static void add_steps(json_t *result, const struct bench_steps *steps)
{
    if (steps->kept > 0)
        json_object_set_new(result, "steps", bench_steps_json(steps));
}

static json_t *shape_json(struct ppm_shape s)
{
    return json_pack("[I,I,I,I]", (json_int_t)s.n, (json_int_t)s.c, (json_int_t)s.h,
                     (json_int_t)s.w);
}

/* The shape of the only input, or an object with those of several. */
static json_t *shapes_json(const struct ppm_model_info *info, const struct ppm_sizes *sizes)
{
    if (sizes->count == 1)
        return shape_json(sizes->inputs[0]);
    json_t *shapes = json_object();
    for (size_t i = 0; i < sizes->count; i++)
        json_object_set_new(shapes, info->inputs[i].name, shape_json(sizes->inputs[i]));
    return shapes;
}

static json_t *result_json(const struct subject *subject, const struct measurement *m,
                           double *buffer)
{
    struct ppm_model_info info;
    const struct ppm_costs *costs = &subject->costs;
    struct rusage usage;
    ppm_model_info(subject->model, &info);
    getrusage(RUSAGE_SELF, &usage);
    qsort(m->total_ms, m->runs, sizeof *m->total_ms, by_value);
    const double median_ms = quantile(m->total_ms, m->runs, 0.5);
    return json_pack(
        "{s:s, s:o, s:s, s:i, s:I, s:f, s:f, s:f, s:I, s:I, s:f, s:o, s:o, s:o, s:I}", "model",
        info.name, "shape", shapes_json(&info, &subject->sizes), "isa", info.isa, "threads",
        subject->options.threads, "runs", (json_int_t)m->runs, "median_ms", median_ms, "p10_ms",
        quantile(m->total_ms, m->runs, 0.1), "p99_ms", quantile(m->total_ms, m->runs, 0.99),
        "flops_literal", (json_int_t)costs->flops_literal, "flops_folded",
        (json_int_t)costs->flops_folded, "gflops", (double)costs->flops_folded / (1e6 * median_ms),
        "stages_ms", stages_json(m, 0.5, buffer), "stages_p10_ms", stages_json(m, 0.1, buffer),
        "stages_p99_ms", stages_json(m, 0.99, buffer), "max_rss_bytes",
        (json_int_t)usage.ru_maxrss * 1024);
}

/* Prints a value with its unit. */
static void print_value(const char *name, const json_t *value)
{
    char text[QUANTITY_BYTES];
    const double number = json_number_value(value);
    if (strcmp(name, "gflops") == 0) {
        printf("%.4g (effective: flops_folded in median_ms; Winograd multiplies less)", number);
    } else if (strncmp(name, "flops_", 6) == 0) {
        fputs(command_quantity(number, "FLOP", text), stdout);
    } else if (strcmp(name, "max_rss_bytes") == 0) {
        fputs(command_quantity(number, "B", text), stdout);
    } else {
        char *json = ppm_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(5));
        fputs(json ? json : "", stdout);
        free(json);
    }
}

static void print_text(const json_t *result, size_t steps)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)result, name, value)
    {
        if (strcmp(name, "steps") == 0)
            continue;
        printf("%-14s ", name);
        print_value(name, value);
        putchar('\n');
    }
    bench_steps_print(json_object_get(result, "steps"), steps);
}

static enum ppm_status bench(struct subject *subject, double seconds, const struct report *report,
                             struct ppm_error *error)
{
    struct measurement m = {.total_ms = malloc(RUNS_MAX * sizeof *m.total_ms),
                            .stages = malloc(RUNS_MAX * sizeof *m.stages)};
    double *buffer = malloc(RUNS_MAX * sizeof *buffer);
    json_t *result = NULL;
    if (!m.total_ms || !m.stages || !buffer)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    else if ((subject->options.reference ||
              bench_steps_begin(&m.steps, subject->model, &subject->sizes, error) == PPM_OK) &&
             make_inputs(subject, error) == PPM_OK &&
             measure(subject, seconds, &m, error) == PPM_OK)
        result = result_json(subject, &m, buffer);
    if (result)
        add_steps(result, &m.steps);
    if (result && report->as_json)
        json_dumpf(result, stdout, JSON_REAL_PRECISION(6));
    else if (result)
        print_text(result, report->steps);
    if (result && report->as_json)
        putchar('\n');
    json_decref(result);
    bench_steps_release(&m.steps);
    free(m.total_ms);
    free(m.stages);
    free(buffer);
    return error->status;
}

enum ppm_status command_bench(int count, char *const *arguments, struct ppm_error *error)
{
    const char *path = NULL, *size = NULL, *threads_text = NULL, *seconds_text = NULL,
               *steps_text = NULL;
    struct argument_list shapes = {.count = 0};
    bool reference = false;
    struct report report = {.steps = STEPS_SHOWN};
    const struct argument table[] = {{.flag = "--model", .value = &path, .is_required = true},
                                     {.flag = "--shape", .list = &shapes, .is_required = true},
                                     {.flag = "--size", .value = &size},
                                     {.flag = "--threads", .value = &threads_text},
                                     {.flag = "--seconds", .value = &seconds_text},
                                     {.flag = "--steps", .value = &steps_text},
                                     {.flag = "--reference", .is_set = &reference},
                                     {.flag = "--json", .is_set = &report.as_json},
                                     {0}};
    size_t threads = (size_t)ppm_default_threads(), seconds = 3;
    if (arguments_read(count, arguments, table, error) != PPM_OK ||
        arguments_number("--threads", threads_text, 1, 1024, &threads, error) != PPM_OK ||
        arguments_number("--seconds", seconds_text, 1, 86400, &seconds, error) != PPM_OK ||
        arguments_number("--steps", steps_text, 0, 100000, &report.steps, error) != PPM_OK)
        return error->status;
    struct ppm_model_info info;
    struct subject subject = {.options = {.threads = (int)threads, .reference = reference}};
    struct ppm_model *model = command_load_model(path, error);
    subject.model = model;
    if (model)
        ppm_model_info(model, &info);
    if (model && command_read_sizes(&shapes, size, &info, &subject.sizes, error) == PPM_OK) {
        subject.options.output_h = subject.sizes.output_h;
        subject.options.output_w = subject.sizes.output_w;
        bench(&subject, (double)seconds, &report, error);
    }
    for (size_t i = 0; i < subject.sizes.count; i++)
        ppm_tensor_free(&subject.inputs[i]);
    ppm_tensor_free(&subject.y);
    ppm_plan_free(subject.options.plan);
    buffer_give(subject.options.scratch);
    ppm_model_free(model);
    return error->status;
}

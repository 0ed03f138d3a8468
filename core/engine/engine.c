/* engine.c - a run: its memory, its steps in order, its output. */
#include "core/engine/engine.h"
#include "core/base/tensor.h"
#include "core/base/threads.h"
#include "core/engine/output.h"
#include "core/engine/section.h"
#include "core/engine/steps/step_run.h"

#include <stdlib.h>
#include <string.h>

/* Steps of fewer values take less time than threads take to meet. */
enum { ALONE_VALUES = 1 << 13 };

/* What all threads share. */
struct engine_run {
    const struct plan *plan;
    const struct run *run;
    size_t n;
    int threads;
    enum ppm_layout layout; /* of the inputs and of y */
    const struct ppm_tensor *inputs, *y;
    struct ppm_stage_times *times;

    struct map *values; /* [nodes]: the plan's */

    /* scratch */
    struct team_share *shares;     /* [threads] */
    atomic_bool *is_finite;        /* [n] */
    float *copies[PPM_INPUTS_MAX]; /* of the inputs as NCHW; NULL: they are read as they are */
    float *turned; /* y as NCHW, before it is in its layout; NULL: it is not needed */
    char *arena;
    void *shared; /* the scratch of each step, one after the other, and of the output stage */
};

/* ---- scratch ---- */

static struct map map_of(struct ppm_shape shape, enum ppm_layout layout, void *data)
{
    return (struct map){
        .data = data, .channels = shape.c, .h = shape.h, .w = shape.w, .layout = layout};
}

static size_t map_bytes(const struct engine_run *of, size_t value)
{
    const struct ppm_shape shape = of->plan->shapes[value];
    return size_times(size_times(of->n, shape.c),
                      size_times(size_times(shape.h, shape.w), sizeof(float)));
}

static struct section_run section_run_of(const struct engine_run *of,
                                         const struct planned_step *planned)
{
    const bool is_pooled =
        of->run && of->run->pooling && planned->section.pyramid == plan_first_pyramid(of->plan);
    return (struct section_run){.plan = &planned->section,
                                .run = of->run,
                                .n = of->n,
                                .threads = of->threads,
                                .shares = of->shares,
                                .values = of->values,
                                .ret = of->values[planned->step->value],
                                .is_finite = of->is_finite,
                                .pooling = is_pooled ? of->run->pooling : NULL,
                                .times = of->times};
}

static struct step_run step_run_of(const struct engine_run *of, const struct planned_step *planned)
{
    const struct node *nodes = of->plan->spec->graph.nodes;
    const struct step *step = planned->step;
    const struct node *node = &nodes[step->node];
    return (struct step_run){
        .run = of->run,
        .simd = of->plan->simd,
        .plan = &planned->own,
        .layer = &node->layer,
        .after = step->after == NO_VALUE ? NULL : &nodes[step->after].layer,
        .values = of->values,
        .reads = node->reads,
        .read_count = node->read_count,
        .ret = of->values[step->value],
        .n = of->n,
    };
}

static size_t step_scratch_bytes(const struct engine_run *of, const struct planned_step *planned)
{
    if (planned->step->is_section) {
        const struct section_run section = section_run_of(of, planned);
        return section_scratch_bytes(&section);
    }
    const struct step_run own = step_run_of(of, planned);
    return size_times(size_times((size_t)of->threads, step_scratch_floats(&own)), sizeof(float));
}

/* The most that a step, or the output stage, takes. */
static size_t shared_bytes(const struct engine_run *of)
{
    const struct plan *plan = of->plan;
    size_t bytes = 0;
    for (size_t i = 0; i < plan->program->count; i++)
        bytes = size_max(bytes, step_scratch_bytes(of, &plan->steps[i]));
    if (!plan->has_output)
        return bytes;
    const size_t channels = plan->shapes[plan->spec->graph.output].c;
    return size_max(bytes,
                    size_times(size_times((size_t)of->threads, output_block_floats(plan, channels)),
                               sizeof(float)));
}

static void place_inputs(struct engine_run *of, struct room *room)
{
    for (size_t i = 0; i < of->plan->spec->graph.input_count; i++) {
        const bool is_copied = of->layout == PPM_NHWC && plan_needs_nchw(of->plan, i);
        of->copies[i] = is_copied ? room_take(room, map_bytes(of, i), 1) : NULL;
        of->values[i] = map_of(of->plan->shapes[i], is_copied ? PPM_NCHW : of->layout,
                               is_copied    ? of->copies[i]
                               : of->inputs ? of->inputs[i].data
                                            : NULL);
    }
}

/* The answer is what the last step makes, unless an output stage follows. */
static void place_answer(struct engine_run *of, struct room *room)
{
    const struct plan *plan = of->plan;
    const size_t output = plan->spec->graph.output;
    const bool is_section = plan->steps[plan->program->count - 1].step->is_section;
    void *data = of->y ? of->y->data : NULL;
    of->turned = NULL;
    if (plan->has_output)
        return;
    if (of->layout == PPM_NHWC && !is_section)
        data = of->turned = room_take(room, map_bytes(of, output), 1);
    of->values[output] = map_of(plan->shapes[output], is_section ? of->layout : PPM_NCHW, data);
}

/* Places the scratch of a run, and its values. */
static void place_scratch(struct engine_run *of, struct room *room)
{
    const struct plan *plan = of->plan;
    of->shares = room_take(room, (size_t)of->threads, sizeof *of->shares);
    of->is_finite = room_take(room, of->n, sizeof *of->is_finite);
    of->arena = room_take(room, size_times(of->n, plan->places.bytes), 1);
    for (size_t i = 0; i < plan->spec->graph.count; i++) {
        const size_t offset = plan->places.offsets[i];
        of->values[i] = map_of(plan->shapes[i], PPM_NCHW,
                               of->arena && offset < SIZE_MAX ? of->arena + of->n * offset : NULL);
    }
    place_inputs(of, room);
    place_answer(of, room);
    of->shared = room_take(room, shared_bytes(of), 1);
}

/* ---- layouts ---- */

/* ret [n][columns][rows] = x [n][rows][columns], by the whole team. */
static void transpose_maps(const struct engine_run *of, const float *x, size_t rows, size_t columns,
                           float *ret)
{
    enum { TOGETHER = 64 }; /* rows of a tile */
    size_t done = 0;
#pragma omp for collapse(2)
    for (size_t n = 0; n < of->n; n++)
        for (size_t row = 0; row < rows; row += TOGETHER) {
            const size_t count = size_min(rows - row, TOGETHER), at = n * rows * columns;
            if (run_goes_on(of->run, &done, count * columns))
                of->plan->simd->transpose(x + at + row * columns, columns, count, columns,
                                          ret + at + row, rows);
        }
}

static void transpose_inputs(const struct engine_run *of)
{
    for (size_t i = 0; i < of->plan->spec->graph.input_count; i++) {
        const struct ppm_shape shape = of->plan->shapes[i];
        if (of->copies[i])
            transpose_maps(of, of->inputs[i].data, shape.h * shape.w, shape.c, of->copies[i]);
    }
}

/* ---- a run ---- */

static bool is_alone(const struct step_run *own)
{
    return step_values(own) <= ALONE_VALUES;
}

/* One thread takes steps of few values, one after the other, while the others wait for the next
 * larger one. */
static void run_alone(const struct step_run *own, float *scratch)
{
    const size_t units = step_unit_count(own);
    size_t done = 0;
    for (size_t i = 0; i < units; i++)
        step_run_unit(own, i, &done, scratch);
}

static void run_together(const struct step_run *own, struct team_share *shares, float *scratch)
{
    struct team_loop loop = team_begin(shares, step_unit_count(own));
    size_t done = 0;
    for (size_t unit; team_next(&loop, &unit);)
        if (run_goes_on(own->run, &done, 0))
            step_run_unit(own, unit, &done, scratch);
    team_end(&loop);
}

static void run_own(const struct engine_run *of, size_t index)
{
    const struct planned_step *planned = &of->plan->steps[index];
    const struct step_run own = step_run_of(of, planned);
    float *scratch = (float *)of->shared + (size_t)omp_get_thread_num() * step_scratch_floats(&own);
    if (!is_alone(&own)) {
        run_together(&own, of->shares, scratch);
        return;
    }
#pragma omp master
    run_alone(&own, scratch);
    if (index + 1 < of->plan->program->count && !planned[1].step->is_section) {
        const struct step_run next = step_run_of(of, &planned[1]);
        if (is_alone(&next))
            return;
    }
#pragma omp barrier
}

/* The map that the section's pyramid reads, as it is before the section runs. */
static void keep_pyramid_input(const struct engine_run *of, const struct section *section)
{
    const struct map *x = &of->values[section->pyramid_value];
    float *ret = of->run->pyramid_inputs[section->pyramid_node];
    const size_t pixels = x->h * x->w;
#pragma omp master
    if (x->layout == PPM_NHWC)
        tensor_transpose(of->run, (const uint32_t *)x->data, (uint32_t *)ret, of->n, pixels,
                         x->channels);
    else
        run_copy(of->run, ret, x->data, of->n * x->channels * pixels);
#pragma omp barrier
}

/* The master's time since *at_s is that of a step. */
static void note_step(const struct engine_run *of, size_t index, double *at_s)
{
    if (!of->run->step_ms)
        return;
    const double now_s = threads_now_s();
    of->run->step_ms[index] = 1e3 * (now_s - *at_s);
    *at_s = now_s;
}

static void run_steps(const struct engine_run *of)
{
    const struct plan *plan = of->plan;
    double at_s = threads_now_s();
    transpose_inputs(of);
    for (size_t i = 0; i < plan->program->count; i++) {
        if (plan->steps[i].step->is_section) {
            const struct section_run section = section_run_of(of, &plan->steps[i]);
            if (of->run->pyramid_inputs && section.plan->section->pyramid)
                keep_pyramid_input(of, section.plan->section);
            section_run(&section, of->shared);
        } else {
            run_own(of, i);
        }
#pragma omp master
        note_step(of, i, &at_s);
    }
}

static void run_output(const struct engine_run *of)
{
    const struct plan *plan = of->plan;
    const struct map *values = &of->values[plan->spec->graph.output];
    const struct output_run output = {.plan = plan,
                                      .run = of->run,
                                      .n = of->n,
                                      .values = values,
                                      .y = of->y,
                                      .shares = of->shares,
                                      .blocks = of->shared};
    if (plan->has_output)
        stage_output(&output);
    else if (of->turned)
        transpose_maps(of, of->turned, values->channels, values->h * values->w, of->y->data);
}

/* A thread's share of a run. */
static void take_part(const struct engine_run *of, double *ret_steps_end_s)
{
    const struct simd_ops *simd = of->plan->simd;
    const unsigned before = simd->begin();
    run_steps(of);
#pragma omp master
    *ret_steps_end_s = threads_now_s();
    double at_s = threads_now_s();
    run_output(of);
#pragma omp master
    note_step(of, of->plan->program->count, &at_s);
    simd->end(before);
}

/* A team of one still asks the kernel at each barrier to wake the others, so one thread runs
 * without a region; except within another region, whose threads would share the loops. */
static void run_team(const struct engine_run *of, double *ret_steps_end_s)
{
    if (of->threads == 1 && !omp_in_parallel()) {
        take_part(of, ret_steps_end_s);
    } else {
#pragma omp parallel num_threads(of->threads)
        take_part(of, ret_steps_end_s);
    }
}

static size_t count_scratch(struct ppm_plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    struct engine_run of = {
        .plan = &plan->plan, .n = n, .threads = threads, .layout = layout, .values = plan->maps};
    struct room room = {0};
    place_scratch(&of, &room);
    return room.bytes;
}

size_t engine_scratch_bytes(struct ppm_plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const size_t alone = count_scratch(plan, n, layout, 1);
    if (threads == 1 || pace_is_for_one_thread(plan->plan.map_us, n))
        return alone;
    return size_max(alone, count_scratch(plan, n, layout, threads));
}

/* The caller's, if it is large enough, or *ret_own. */
static void *find_scratch(const struct run *run, size_t bytes, void **ret_own,
                          struct ppm_error *error)
{
    if (run->scratch && run->scratch_bytes >= bytes)
        return run->scratch;
    return *ret_own = core_allocate(bytes, error);
}

/* What is neither a pyramid's nor the output stage's is the head's. */
static void note_times(struct ppm_stage_times *times, double start_s, double steps_end_s)
{
    times->head_ms = 1e3 * (steps_end_s - start_s) - times->pool_ms - times->branches_ms;
    times->output_ms = 1e3 * (threads_now_s() - steps_end_s);
}

static void copy_head(const struct engine_run *of)
{
    const struct map *values = &of->values[of->plan->spec->graph.output];
    if (of->run->head && of->plan->has_output)
        run_copy(of->run, of->run->head, values->data,
                 of->n * values->channels * values->h * values->w);
}

enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *inputs,
                           struct ppm_tensor *y, const struct run *run,
                           struct ppm_stage_times *times, struct ppm_error *error)
{
    const size_t n = inputs->shape.n;
    struct engine_run of = {
        .plan = &plan->plan,
        .run = run,
        .n = n,
        .threads = pace_choose_threads(&plan->pace, plan->plan.map_us, n, run->threads),
        .layout = inputs->layout,
        .inputs = inputs,
        .y = y,
        .times = times,
        .values = plan->maps};
    void *own = NULL;
    struct room room = {
        .base = find_scratch(run, count_scratch(plan, n, of.layout, of.threads), &own, error)};
    if (!room.base)
        return error->status;
    place_scratch(&of, &room);
    memset(of.shares, 0, (size_t)of.threads * sizeof *of.shares);
    for (size_t i = 0; i < n; i++)
        atomic_init(&of.is_finite[i], true);
    const double start_s = threads_now_s();
    double steps_end_s = start_s;
    run_team(&of, &steps_end_s);
    note_times(times, start_s, steps_end_s);
    pace_note(&plan->pace, n, of.threads, 1e3 * (threads_now_s() - start_s));
    copy_head(&of);
    free(own);
    return PPM_OK;
}

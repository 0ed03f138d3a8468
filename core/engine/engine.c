/* engine.c - a run: its scratch, its section, its output. */
#include "core/engine/engine.h"
#include "core/base/threads.h"
#include "core/engine/output.h"
#include "core/engine/section.h"

#include <stdlib.h>

/* What all threads share. */
struct engine_run {
    struct section_run section;
    struct output_run output;
    struct map x, values;
    bool has_output;
    void *scratch; /* of the section; then of the output stage, which follows it */
};

static struct engine_run run_of(const struct plan *plan, size_t n, enum ppm_layout layout,
                                int threads, const struct run *run)
{
    const struct geometry *g = &plan->g;
    const bool has_output = geometry_has_output(plan->spec, g);
    return (struct engine_run){
        .section = {.plan = &plan->section, .run = run, .n = n, .threads = threads},
        .output = {.plan = plan, .run = run, .n = n},
        .x = {.channels = g->input.c, .h = g->input.h, .w = g->input.w, .layout = layout},
        .values = {.channels = section_channels(plan->section.section),
                   .h = g->h,
                   .w = g->w,
                   .layout = has_output ? PPM_NCHW : layout},
        .has_output = has_output};
}

/* Places the scratch of a run, which holds pointers to itself from then on. */
static void place_scratch(struct engine_run *of, struct room *room)
{
    const size_t n = of->section.n, pixels = of->values.h * of->values.w;
    of->section.is_finite = room_take(room, n, sizeof *of->section.is_finite);
    if (of->has_output)
        of->values.data = room_take(room, size_times(n, size_times(of->values.channels, pixels)),
                                    sizeof *of->values.data);
    of->section.values = &of->x;
    of->section.ret = of->values;
    of->output.values = &of->values;
    const size_t blocks = size_times((size_t)of->section.threads,
                                     output_block_floats(of->output.plan, of->values.channels));
    const size_t of_output = of->has_output ? size_times(blocks, sizeof(float)) : 0;
    of->scratch = room_take(room, size_max(section_scratch_bytes(&of->section), of_output), 1);
    of->output.blocks = of->scratch;
}

/* A thread's share of a run. */
static void take_part(const struct engine_run *of)
{
    const struct simd_ops *simd = of->output.plan->simd;
    const unsigned before = simd->begin();
    section_run(&of->section, of->scratch);
    if (of->has_output)
        stage_output(&of->output);
    simd->end(before);
}

/* A team of one still asks the kernel at each barrier to wake the others, so one thread runs
 * without a region; except within another region, whose threads would share the loops. */
static void run_team(const struct engine_run *of)
{
    if (of->section.threads == 1 && !omp_in_parallel()) {
        take_part(of);
    } else {
#pragma omp parallel num_threads(of->section.threads)
        take_part(of);
    }
}

static size_t count_scratch(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    struct engine_run of = run_of(plan, n, layout, threads, NULL);
    struct room room = {0};
    place_scratch(&of, &room);
    return room.bytes;
}

size_t engine_scratch_bytes(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const size_t alone = count_scratch(plan, n, layout, 1);
    if (threads == 1 || pace_is_for_one_thread(plan->map_us, n))
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

static double sum_ms(const struct ppm_stage_times *times)
{
    return times->pool_ms + times->branches_ms + times->head_ms + times->output_ms;
}

enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *x, struct ppm_tensor *y,
                           const struct run *run, struct ppm_stage_times *times,
                           struct ppm_error *error)
{
    const size_t n = x->shape.n;
    const int threads = pace_choose_threads(&plan->pace, plan->plan.map_us, n, run->threads);
    struct engine_run of = run_of(&plan->plan, n, x->layout, threads, run);
    void *own = NULL;
    struct room counted = {0}, room = {0};
    of.x.data = x->data;
    of.values.data = y->data;
    of.output.y = y;
    of.section.pooling = run->pooling;
    of.section.times = times;
    place_scratch(&of, &counted);
    if (!(room.base = find_scratch(run, counted.bytes, &own, error)))
        return error->status;
    of.values.data = y->data;
    place_scratch(&of, &room);
    for (size_t i = 0; i < n; i++)
        atomic_init(&of.section.is_finite[i], true);
    const double start_s = threads_now_s();
    run_team(&of);
    times->output_ms = 1e3 * (threads_now_s() - start_s) - sum_ms(times);
    pace_note(&plan->pace, n, threads, sum_ms(times));
    if (run->head && of.has_output)
        run_copy(run, run->head, of.values.data,
                 n * of.values.channels * of.values.h * of.values.w);
    free(own);
    return PPM_OK;
}

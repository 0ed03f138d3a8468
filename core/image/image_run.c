/* image_run.c - the answer of a model to an image: see image.h. */
#include "core/image/average.h"
#include "core/image/image_x.h"
#include "core/run.h"

#include <assert.h>
#include <stdlib.h>

/* One run for an image. */
struct image_run {
    struct fit fit;
    const struct ppm_image *image;
    struct ppm_run_options options; /* of each run of the network */
    struct run run;                 /* of what is computed here */
    struct levels levels;
};

static enum ppm_status abandon(struct ppm_error *error)
{
    return ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
}

static struct ppm_tensor x_of(const struct fit *fit)
{
    return (struct ppm_tensor){
        .shape = fit->sizes.inputs[0], .layout = fit->layout, .data = fit->x};
}

static enum ppm_status run_whole(struct image_run *of, struct ppm_tensor *ret_y,
                                 struct ppm_error *error)
{
    const struct fit *fit = &of->fit;
    const struct ppm_tensor x = x_of(fit);
    image_x_begin(&of->fit, &of->run);
    image_x_whole(fit, &of->levels, of->image, &of->run);
    if (run_is_cancelled(&of->run))
        return abandon(error);
    return run_sized(fit->model, &fit->sizes, &x, &of->options, ret_y, error);
}

/* ---- tiles ---- */

static void add_times(const struct ppm_stage_times *times, struct ppm_stage_times *sum)
{
    sum->pool_ms += times->pool_ms;
    sum->branches_ms += times->branches_ms;
    sum->head_ms += times->head_ms;
    sum->output_ms += times->output_ms;
}

static enum ppm_status run_tile(const struct image_run *of, size_t i, size_t k,
                                struct ppm_stage_times *sum, struct ppm_error *error)
{
    const struct fit *fit = &of->fit;
    const struct ppm_tensor x = x_of(fit);
    struct ppm_tensor tile = {.data = fit->tile_y};
    struct ppm_stage_times times;
    struct ppm_run_options with = of->options;
    with.ret_times = &times;
    image_x_tile(fit, &of->levels, of->image, i, k, &of->run);
    if (run_is_cancelled(&of->run))
        return abandon(error);
    if (run_sized(fit->model, &fit->sizes, &x, &with, &tile, error) != PPM_OK)
        return error->status;
    add_times(&times, sum);
    average_add(fit, i, k, &of->run);
    return PPM_OK;
}

static enum ppm_status run_rows(const struct image_run *of, const struct ppm_tensor *y,
                                struct ppm_error *error)
{
    const struct fit *fit = &of->fit;
    struct ppm_stage_times sum = {0};
    size_t next = 0;
    average_begin(fit, &of->run);
    for (size_t i = 0; i < fit->rows.count; i++) {
        for (size_t k = 0; k < fit->columns.count; k++)
            if (run_tile(of, i, k, &sum, error) != PPM_OK)
                return error->status;
        average_finish_row(fit, i, &of->run, y, &next);
    }
    if (run_is_cancelled(&of->run))
        return abandon(error);
    if (of->options.ret_times)
        *of->options.ret_times = sum;
    return PPM_OK;
}

/* All tiles by one plan: the caller's, or one for this image. */
static enum ppm_status run_tiles(struct image_run *of, struct ppm_tensor *ret_y,
                                 struct ppm_error *error)
{
    const struct fit *fit = &of->fit;
    struct ppm_plan *own = NULL;
    struct ppm_tensor y = {.shape = fit->output,
                           .layout = fit->model->spec.layout,
                           .dtype = output_dtype(&fit->model->spec.output),
                           .data = ret_y->data};
    if (of->options.stages)
        return ppm_fail(error, PPM_UNFIT,
                        "found an image of %zu tiles, expected one of at most a tile, %zu x %zu "
                        "pixels (W x H), for intermediate results",
                        fit_runs(fit), fit->sizes.inputs[0].w, fit->sizes.inputs[0].h);
    if (!y.data && ppm_tensor_allocate(&y, error) != PPM_OK)
        return error->status;
    if (!of->options.plan && !of->options.reference && !spec_is_literal(&fit->model->spec))
        of->options.plan = own = ppm_plan_create(fit->model, &fit->sizes, &of->options, error);
    if (error->status == PPM_OK)
        run_rows(of, &y, error);
    ppm_plan_free(own);
    if (error->status == PPM_OK)
        *ret_y = y;
    else if (!ret_y->data)
        ppm_tensor_free(&y);
    return error->status;
}

/* ---- both ---- */

/* Scratch for this run alone. The caller frees it. */
static void *allocate_scratch(struct image_run *of, struct ppm_error *error)
{
    struct ppm_run_options *options = &of->options;
    struct ppm_image_costs costs;
    if (ppm_image_costs(of->fit.model, of->image->width, of->image->height, options->output_h,
                        options->output_w, options->threads, &costs, error) != PPM_OK)
        return NULL;
    options->scratch = core_allocate(costs.scratch_bytes, error);
    options->scratch_bytes = costs.scratch_bytes;
    return options->scratch;
}

/* Places the fit's arrays in the scratch, and leaves the rest to the runs of the network. */
static enum ppm_status take_scratch(struct image_run *of, void **ret_own, struct ppm_error *error)
{
    struct ppm_run_options *options = &of->options;
    struct room counted = {0}, room = {0};
    fit_place(&of->fit, &counted);
    if ((!options->scratch || options->scratch_bytes < counted.bytes) &&
        !(*ret_own = allocate_scratch(of, error)))
        return error->status;
    room.base = options->scratch;
    fit_place(&of->fit, &room);
    options->scratch = room.base + room.bytes;
    options->scratch_bytes -= room.bytes;
    return PPM_OK;
}

enum ppm_status ppm_image_run(const struct ppm_model *model, const struct ppm_image *image,
                              const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                              struct ppm_error *error)
{
    struct image_run of = {.image = image};
    atomic_bool is_abandoned = false;
    void *own = NULL;
    if (options)
        of.options = *options;
    assert(!of.options.pooling);
    of.run = run_of(&of.options, &is_abandoned);
    of.options.threads = of.run.threads;
    if (fit_of(model, image->width, image->height, of.options.output_h, of.options.output_w,
               of.run.threads, &of.fit, error) != PPM_OK ||
        take_scratch(&of, &own, error) != PPM_OK)
        return error->status;
    levels_of(&model->spec.image, &of.levels);
    if (of.fit.is_tiled)
        run_tiles(&of, ret_y, error);
    else
        run_whole(&of, ret_y, error);
    free(own);
    return error->status;
}

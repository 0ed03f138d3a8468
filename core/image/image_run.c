/* image_run.c - the answer of a model to an image: see image.h. */
#include "core/base/memory.h"
#include "core/image/fit.h"
#include "core/image/normalize.h"

#include <assert.h>
#include <stdlib.h>

static const struct ppm_run_options defaults;

static void fill_x(const struct ppm_model *model, const struct fit *fit,
                   const struct ppm_image *image, const struct run *run, struct ppm_tensor *x)
{
    const size_t h = x->shape.h, w = x->shape.w;
    const bool is_planar = x->layout == PPM_NCHW;
    const struct levels_row row = {.width = fit->image_w,
                                   .padded = w,
                                   .apart = is_planar ? h * w : 1,
                                   .step = is_planar ? 1 : 3};
    struct levels levels;
    size_t done = 0;
    levels_of(&model->spec.image, &levels);
#pragma omp parallel for firstprivate(done) num_threads(run->threads)
    for (size_t i = 0; i < h; i++)
        if (run_goes_on(run, &done, 3 * w))
            normalize_row(&levels, image->pixels + 3 * i * image->width, &row,
                          (float *)x->data + i * w * row.step);
}

static enum ppm_status run_whole(const struct ppm_model *model, const struct fit *fit,
                                 const struct ppm_image *image,
                                 const struct ppm_run_options *options, void *memory,
                                 struct ppm_tensor *ret_y, struct ppm_error *error)
{
    atomic_bool is_abandoned = false;
    const struct run run = {.threads = options->threads,
                            .is_cancelled = options->is_cancelled,
                            .cancel_context = options->cancel_context,
                            .is_abandoned = &is_abandoned};
    struct ppm_tensor x = {.shape = fit->sizes.inputs[0], .layout = fit->layout, .data = memory};
    fill_x(model, fit, image, &run, &x);
    if (run_is_cancelled(&run))
        return ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
    return ppm_run(model, &x, options, ret_y, error);
}

enum ppm_status ppm_image_run(const struct ppm_model *model, const struct ppm_image *image,
                              const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                              struct ppm_error *error)
{
    struct ppm_image_costs costs;
    struct fit fit;
    struct ppm_run_options with = options ? *options : defaults;
    void *own = NULL;
    assert(!with.pooling);
    with.threads = with.threads ? with.threads : ppm_default_threads();
    if (!model->spec.takes_images)
        return ppm_image_costs(model, image->width, image->height, 0, 0, 1, &costs, error);
    if (fit_of(model, image->width, image->height, with.output_h, with.output_w, &fit, error) !=
        PPM_OK)
        return error->status;
    with.output_h = fit.sizes.output_h;
    with.output_w = fit.sizes.output_w;
    char *memory = with.scratch;
    const bool fits = memory && with.scratch_bytes >= fit.bytes;
    if (!fits && !(own = memory = core_allocate(fit.bytes, error)))
        return error->status;
    with.scratch = fits ? memory + fit.bytes : NULL;
    with.scratch_bytes = fits ? with.scratch_bytes - fit.bytes : 0;
    run_whole(model, &fit, image, &with, memory, ret_y, error);
    free(own);
    return error->status;
}

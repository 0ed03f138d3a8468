/* image_costs.c - what an image takes: see image.h. */
#include "core/image/fit.h"
#include "core/shape/costs.h"

/* Nanoseconds of one thread: for a pixel to become x, for a byte of a pixel and a tap in resizing,
 * for a value of a tile to be averaged. */
static const double pixel_ns = 2, tap_ns = 0.4, average_ns = 0.5;

/* The network does not take x: says what image that is of. */
static enum ppm_status refuse_x(const struct fit *fit, const struct ppm_error *cause,
                                struct ppm_error *error)
{
    const struct ppm_shape x = fit->sizes.inputs[0];
    return ppm_fail(error, cause->status,
                    "an image of %zu x %zu pixels (W x H), which is %s%zu x %zu: %.300s",
                    fit->image_w, fit->image_h, fit->is_tiled ? "computed in tiles of " : "x of ",
                    x.w, x.h, cause->text);
}

/* Besides the runs. */
static double own_us(const struct fit *fit)
{
    const struct ppm_shape x = fit->sizes.inputs[0];
    const double pixels = (double)x.h * (double)x.w * (double)fit_runs(fit);
    double ns = pixels * pixel_ns;
    if (fit->is_resized)
        ns += 3 * tap_ns * (double)fit->across.out *
              ((double)fit->image_h * (double)fit->across.taps +
               (double)fit->down.out * (double)fit->down.taps);
    if (fit->is_tiled)
        ns += pixels * (double)fit->average.channels * average_ns;
    return ns / 1e3;
}

enum ppm_status ppm_image_costs(const struct ppm_model *model, size_t width, size_t height,
                                size_t want_h, size_t want_w, int threads,
                                struct ppm_image_costs *ret_costs, struct ppm_error *error)
{
    struct ppm_image_costs costs = {0};
    struct ppm_error cause = {0};
    struct room room = {0};
    struct fit fit;
    if (fit_of(model, width, height, want_h, want_w, threads, &fit, error) != PPM_OK ||
        ppm_shape_bytes(fit.output, &costs.output_bytes, error) != PPM_OK)
        return error->status;
    if (ppm_model_costs(model, &fit.sizes, fit.layout, threads, &costs.run, &cause) != PPM_OK)
        return refuse_x(&fit, &cause, error);
    fit_place(&fit, &room);
    costs.runs = fit_runs(&fit);
    costs.sizes = fit.sizes;
    costs.output = fit.output;
    costs.plan_bytes = costs.run.plan_bytes;
    costs.scratch_bytes = size_plus(room.bytes, costs.run.scratch_bytes);
    costs.working_bytes = size_plus(size_plus(room.bytes, costs.output_bytes),
                                    costs.run.working_bytes - costs.run.output_bytes);
    costs.one_thread_us = (double)costs.runs * costs.run.one_thread_us + own_us(&fit);
    *ret_costs = costs;
    return PPM_OK;
}

/* image_costs.c - what an image takes: see image.h. */
#include "core/base/tensor.h"
#include "core/image/fit.h"
#include "core/image/image.h"

static enum ppm_status refuse_model(const struct ppm_model *model, struct ppm_error *error)
{
    if (model->spec.graph.input_count > 1)
        return ppm_fail(error, PPM_UNFIT,
                        "the model %s takes no images: it has %zu inputs, expected one of 3 "
                        "channels",
                        model->spec.name, model->spec.graph.input_count);
    if (model->spec.channels != 3)
        return ppm_fail(error, PPM_UNFIT,
                        "the model %s takes no images: its input has %zu channel%s, expected 3",
                        model->spec.name, model->spec.channels, ppm_plural(model->spec.channels));
    return ppm_fail(error, PPM_UNFIT,
                    "the model %s takes no images: its JSON does not say how a pixel becomes x, "
                    "expected \"image\": {\"mean\": [...], \"std\": [...]} in its \"input\"",
                    model->spec.name);
}

enum ppm_status ppm_image_costs(const struct ppm_model *model, size_t width, size_t height,
                                size_t want_h, size_t want_w, int threads,
                                struct ppm_image_costs *ret_costs, struct ppm_error *error)
{
    struct fit fit;
    struct ppm_image_costs costs = {.runs = 1};
    if (!model->spec.takes_images)
        return refuse_model(model, error);
    if (fit_of(model, width, height, want_h, want_w, &fit, error) != PPM_OK ||
        ppm_model_costs(model, &fit.sizes, fit.layout, threads, &costs.run, error) != PPM_OK)
        return error->status;
    costs.sizes = fit.sizes;
    costs.output = costs.run.output;
    costs.output_bytes = costs.run.output_bytes;
    costs.plan_bytes = costs.run.plan_bytes;
    costs.scratch_bytes = size_plus(fit.bytes, costs.run.scratch_bytes);
    costs.working_bytes = size_plus(costs.scratch_bytes, costs.run.working_bytes);
    costs.one_thread_us = costs.run.one_thread_us;
    *ret_costs = costs;
    return PPM_OK;
}

/* load.c - loads a model: its configuration, then its weights, in bfloat16 if it asks for that. */
#include "core/compute_error.h"
#include "core/model/bfloat16.h"
#include "core/shape/warm_up_shapes.h"

static enum ppm_status load(struct ppm_model *model, const char *path,
                            const struct ppm_progress *progress, struct ppm_error *error)
{
    if (spec_read(path, &model->spec, error) != PPM_OK)
        return error->status;
    if (warm_up_shapes_check(&model->spec, path, error) != PPM_OK)
        return error->status;
    const bool is_bfloat16 = model->spec.compute == COMPUTE_BFLOAT16;
    if (is_bfloat16 && bfloat16_require(path, model->simd, error) != PPM_OK)
        return error->status;
    if (model_read_weights(model, path, progress, error) != PPM_OK)
        return error->status;
    if (is_bfloat16 && (bfloat16_measure(model->simd, &model->compute_share, error) != PPM_OK ||
                        compute_error_narrow(model, progress, error) != PPM_OK))
        return error->status;
    model->parameters_bytes = model_weights_bytes(model);
    return PPM_OK;
}

enum ppm_status ppm_model_files(const char *path, struct ppm_model_files *ret_files,
                                struct ppm_error *error)
{
    return spec_read_files(path, ret_files, error);
}

struct ppm_model *ppm_model_load(const char *path, const struct ppm_progress *progress,
                                 struct ppm_error *error)
{
    struct ppm_model *model = model_create(path, error);
    if (model && load(model, path, progress, error) != PPM_OK) {
        ppm_model_free(model);
        return NULL;
    }
    return model;
}

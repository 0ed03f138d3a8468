/* compute_error.c - see compute_error.h. */
#include "core/compute_error.h"
#include "core/model/bfloat16.h"

#include <math.h>

/* A load should not take much more memory than the model, however large its output is. */
static bool can_try(const struct ppm_model *model, const struct ppm_sizes *sizes)
{
    enum { WORKING_BYTES_MAX = 256 << 20 };
    struct ppm_costs costs;
    struct ppm_error unfit = {0};
    return ppm_model_costs(model, sizes, PPM_NCHW, 1, &costs, &unfit) == PPM_OK &&
           costs.working_bytes <= WORKING_BYTES_MAX;
}

/* The sizes to try: squares that most bins divide, so that models whose branches must agree in size
 * take them too; or sizes the model is warmed up for. count is 0 if there are none. */
static struct ppm_sizes sizes_to_try(const struct ppm_model *model)
{
    static const size_t extents[] = {12, 24, 60, 120, 240};
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        struct ppm_sizes sizes = {.count = info.input_count};
        for (size_t k = 0; k < info.input_count; k++)
            sizes.inputs[k] =
                (struct ppm_shape){1, info.inputs[k].channels, extents[i], extents[i]};
        if (can_try(model, &sizes))
            return sizes;
    }
    return info.warm_up_count > 0 && can_try(model, &info.warm_up[0]) ? info.warm_up[0]
                                                                      : (struct ppm_sizes){0};
}

static void fill_random(float *x, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        x[i] = (float)(state >> 40) * 0x1p-23F - 1;
    }
}

/* Random inputs of these sizes, which the caller frees, even on failure. */
static enum ppm_status make_inputs(const struct ppm_sizes *sizes,
                                   struct ppm_tensor ret_inputs[PPM_INPUTS_MAX],
                                   struct ppm_error *error)
{
    for (size_t i = 0; i < sizes->count; i++) {
        const struct ppm_shape s = sizes->inputs[i];
        ret_inputs[i] = (struct ppm_tensor){.shape = s, .is_batch = true};
        if (ppm_tensor_allocate(&ret_inputs[i], error) != PPM_OK)
            return error->status;
        fill_random(ret_inputs[i].data, s.n * s.c * s.h * s.w);
    }
    return PPM_OK;
}

/* INFINITY if a value is not finite. */
static double difference(const struct ppm_tensor *y, const struct ppm_tensor *expected)
{
    const size_t count = y->shape.n * y->shape.c * y->shape.h * y->shape.w;
    double largest = 0, off = 0;
    if (y->dtype == PPM_INT32) {
        const int32_t *a = y->data, *b = expected->data;
        for (size_t i = 0; i < count; i++)
            off += a[i] != b[i];
        return off / (double)count;
    }
    const float *a = y->data, *b = expected->data;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        largest = fmax(largest, fabs((double)b[i]));
        off = fmax(off, fabs((double)a[i] - (double)b[i]));
    }
    return largest > 0 ? off / largest : off;
}

enum ppm_status compute_error_narrow(struct ppm_model *model, const struct ppm_progress *progress,
                                     struct ppm_error *error)
{
    const struct ppm_sizes sizes = sizes_to_try(model);
    const struct ppm_run_options options = {.threads = 1,
                                            .is_cancelled =
                                                progress ? progress->is_cancelled : NULL,
                                            .cancel_context = progress ? progress->context : NULL,
                                            .output_h = sizes.output_h,
                                            .output_w = sizes.output_w};
    struct ppm_tensor inputs[PPM_INPUTS_MAX] = {0}, expected = {0}, y = {0};
    const bool is_tried = sizes.count > 0;
    if (make_inputs(&sizes, inputs, error) != PPM_OK ||
        (is_tried && ppm_run(model, inputs, &options, &expected, error) != PPM_OK) ||
        bfloat16_narrow(model, progress, error) != PPM_OK ||
        (is_tried && ppm_run(model, inputs, &options, &y, error) != PPM_OK))
        goto out;
    if (is_tried && isfinite(difference(&y, &expected)))
        model->compute_error = (struct ppm_compute_error){difference(&y, &expected), sizes};
out:
    for (size_t i = 0; i < sizes.count; i++)
        ppm_tensor_free(&inputs[i]);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    return error->status;
}

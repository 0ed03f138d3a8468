/* compute_error.c - see compute_error.h. */
#include "core/compute_error.h"
#include "core/model/bfloat16.h"

#include <math.h>

/* A load should not take much more memory than the model, however large its output is. */
static bool can_try(const struct ppm_model *model, struct ppm_shape shape)
{
    enum { WORKING_BYTES_MAX = 256 << 20 };
    struct ppm_costs costs;
    struct ppm_error unfit = {0};
    return ppm_model_costs(model, shape, PPM_NCHW, 1, &costs, &unfit) == PPM_OK &&
           costs.working_bytes <= WORKING_BYTES_MAX;
}

/* The shape of the x to try: a square that most bins divide, so that models whose branches must
 * agree in size take it too; or a shape the model is warmed up for. n is 0 if there is none. */
static struct ppm_shape shape_to_try(const struct ppm_model *model)
{
    static const size_t extents[] = {12, 24, 60, 120, 240};
    const struct spec *spec = &model->spec;
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        const struct ppm_shape shape = {1, spec->channels, extents[i], extents[i]};
        if (can_try(model, shape))
            return shape;
    }
    return spec->warm_up_count > 0 && can_try(model, spec->warm_up[0]) ? spec->warm_up[0]
                                                                       : (struct ppm_shape){0};
}

static void fill_random(float *x, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        x[i] = (float)(state >> 40) * 0x1p-23F - 1;
    }
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
    const struct ppm_run_options options = {.threads = 1,
                                            .is_cancelled =
                                                progress ? progress->is_cancelled : NULL,
                                            .cancel_context = progress ? progress->context : NULL};
    struct ppm_tensor x = {.shape = shape_to_try(model), .is_batch = true};
    struct ppm_tensor expected = {0}, y = {0};
    const bool is_tried = x.shape.n > 0;
    if (is_tried && ppm_tensor_allocate(&x, error) != PPM_OK)
        return error->status;
    if (is_tried)
        fill_random(x.data, x.shape.n * x.shape.c * x.shape.h * x.shape.w);
    if ((is_tried && ppm_run(model, &x, &options, &expected, error) != PPM_OK) ||
        bfloat16_narrow(model, progress, error) != PPM_OK ||
        (is_tried && ppm_run(model, &x, &options, &y, error) != PPM_OK))
        goto out;
    if (is_tried && isfinite(difference(&y, &expected)))
        model->compute_error = (struct ppm_compute_error){difference(&y, &expected), x.shape};
out:
    ppm_tensor_free(&x);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    return error->status;
}

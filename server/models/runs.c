/* runs.c - see runs.h. */
#include "server/models/runs.h"
#include "server/base/buffers.h"
#include "server/base/memory.h"

#include <stdlib.h>

struct kept_plan {
    struct memory_kept kept; /* first: it is cast to its kept_plan */
    struct ppm_plan *plan;
};

struct wanted {
    const struct ppm_model *model;
    const struct ppm_sizes *sizes;
};

static bool fits(const struct memory_kept *kept, const void *context)
{
    const struct wanted *wanted = context;
    return ppm_plan_fits(((const struct kept_plan *)kept)->plan, wanted->model, wanted->sizes);
}

static void free_plan(struct memory_kept *kept)
{
    ppm_plan_free(((struct kept_plan *)kept)->plan);
    free(kept);
}

static const struct memory_kind kind = {.fits = fits, .free = free_plan};

static struct kept_plan *make_plan(const struct wanted *wanted, size_t bytes,
                                   const struct ppm_run_options *options, struct ppm_error *error)
{
    struct kept_plan *kept = calloc(1, sizeof *kept);
    if (!kept) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    memory_make_room();
    kept->kept = (struct memory_kept){.kind = &kind, .bytes = bytes};
    kept->plan = ppm_plan_create(wanted->model, wanted->sizes, options, error);
    if (kept->plan)
        return kept;
    free(kept);
    return NULL;
}

/* Adds a plan, unless a run uses none, and scratch memory to the options. */
static struct kept_plan *equip(const struct wanted *wanted, size_t plan_bytes, size_t scratch_bytes,
                               struct ppm_run_options *options, struct ppm_error *error)
{
    struct kept_plan *kept = NULL;
    if (plan_bytes > 0) {
        kept = (struct kept_plan *)memory_reuse(&kind, wanted);
        if (!kept && !(kept = make_plan(wanted, plan_bytes, options, error)))
            return NULL;
        options->plan = kept->plan;
    }
    options->scratch = scratch_bytes > 0 ? buffer_take(scratch_bytes) : NULL;
    options->scratch_bytes = scratch_bytes;
    if (!options->scratch && scratch_bytes > 0)
        ppm_fail(error, PPM_NO_MEMORY, "no memory for %zu bytes of intermediates", scratch_bytes);
    return kept;
}

static void keep(struct kept_plan *kept, void *scratch)
{
    buffer_give(scratch);
    if (kept)
        memory_keep(&kept->kept);
}

enum ppm_status runs_run(const struct ppm_model *model, const struct ppm_tensor *inputs,
                         const struct ppm_sizes *sizes, const struct ppm_costs *costs,
                         const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                         struct ppm_error *error)
{
    struct ppm_run_options with = *options;
    with.output_h = sizes->output_h;
    with.output_w = sizes->output_w;
    struct kept_plan *kept = equip(&(struct wanted){model, sizes}, costs->plan_bytes,
                                   costs->scratch_bytes, &with, error);
    if (error->status == PPM_OK)
        ppm_run(model, inputs, &with, ret_y, error);
    keep(kept, with.scratch);
    return error->status;
}

enum ppm_status runs_run_image(const struct ppm_model *model, const struct ppm_image *image,
                               const struct ppm_image_costs *costs,
                               const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                               struct ppm_error *error)
{
    struct ppm_run_options with = *options;
    struct kept_plan *kept = equip(&(struct wanted){model, &costs->sizes}, costs->plan_bytes,
                                   costs->scratch_bytes, &with, error);
    if (error->status == PPM_OK)
        ppm_image_run(model, image, &with, ret_y, error);
    keep(kept, with.scratch);
    return error->status;
}

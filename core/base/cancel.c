/* cancel.c - see cancel.h. */
#include "core/base/cancel.h"
#include "core/base/size.h"

#include <string.h>

enum ppm_status load_check(const struct ppm_progress *progress, struct ppm_error *error)
{
    if (progress && progress->is_cancelled && progress->is_cancelled(progress->context))
        return ppm_fail(error, PPM_CANCELLED, "the load was cancelled");
    return error->status;
}

bool run_is_cancelled(const struct run *run)
{
    if (!atomic_load(run->is_abandoned) && run->is_cancelled &&
        run->is_cancelled(run->cancel_context))
        atomic_store(run->is_abandoned, true);
    return atomic_load(run->is_abandoned);
}

void run_copy(const struct run *run, void *to, const void *from, size_t count)
{
    size_t done = 0;
    for (size_t at = 0; at < count; at += RUN_VALUES) {
        const size_t values = size_min(count - at, RUN_VALUES);
        if (!run_goes_on(run, &done, values))
            return;
        memcpy((float *)to + at, (const float *)from + at, values * sizeof(float));
    }
}

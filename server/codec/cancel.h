/*
 * cancel.h - work that may be abandoned.
 */
#ifndef PPM_SERVER_CODEC_CANCEL_H
#define PPM_SERVER_CODEC_CANCEL_H

#include "core/ppm.h"

#include <stdbool.h>

/* Whatever may take long asks every millisecond or so, from any of its threads; true stops it with
 * PPM_CANCELLED. Where a pointer to it is NULL, the work is never abandoned. */
struct codec_cancel {
    bool (*is_cancelled)(void *context);
    void *context;
};

/* How much is read or written between two such questions: a millisecond's worth. */
enum { CODEC_SLICE_BYTES = 1 << 16, CODEC_SLICE_NUMBERS = 1 << 14 };

/* PPM_CANCELLED once the work is abandoned. */
static inline enum ppm_status codec_check(const struct codec_cancel *cancel,
                                          struct ppm_error *error)
{
    if (cancel && cancel->is_cancelled(cancel->context))
        return ppm_fail(error, PPM_CANCELLED, "nobody waits for it any more");
    return PPM_OK;
}

#endif

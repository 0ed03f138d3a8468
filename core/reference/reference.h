/* reference.h - the literal graph. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_H
#define PPM_CORE_REFERENCE_REFERENCE_H

#include "core/base/cancel.h"
#include "core/shape/geometry.h"

/* Bytes that reference_run allocates, saturating. */
size_t reference_working_bytes(const struct spec *spec, const struct geometry *geometry);

/* The literal graph: y [output] = model(x [N, C, H, W]), both NCHW, y int32 for argmax. */
enum ppm_status reference_run(const struct spec *spec, const struct geometry *geometry,
                              const float *x, void *y, const struct run *run,
                              struct ppm_stage_times *times, struct ppm_error *error);

#endif

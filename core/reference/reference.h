/* reference.h - the literal graph. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_H
#define PPM_CORE_REFERENCE_REFERENCE_H

#include "core/base/cancel.h"
#include "core/shape/geometry.h"

/* Bytes that reference_run allocates, saturating. PPM_NO_MEMORY, or PPM_OK. */
enum ppm_status reference_working_bytes(const struct spec *spec, const struct geometry *geometry,
                                        size_t *ret_bytes, struct ppm_error *error);

/* The literal graph: y [output] = model(inputs), each [N, C, H, W] as in geometry->sizes, all NCHW,
 * y int32 for argmax. */
enum ppm_status reference_run(const struct spec *spec, const struct geometry *geometry,
                              const float *const *inputs, void *y, const struct run *run,
                              struct ppm_stage_times *times, struct ppm_error *error);

#endif

/* reference_output.h - the output stage: resize, then what core/model/output.h says. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_OUTPUT_H
#define PPM_CORE_REFERENCE_REFERENCE_OUTPUT_H

#include "core/base/cancel.h"
#include "core/shape/geometry.h"

/* Bytes of the resized map, if it is stored apart from y: [N, channels, H', W']; saturating. */
size_t reference_output_bytes(const struct geometry *geometry, size_t channels);

/* y [geometry->output] = the output stage over x [N, channels, geometry->h, geometry->w]. */
enum ppm_status reference_output(const struct spec *spec, const struct geometry *geometry,
                                 const float *x, size_t channels, const struct run *run, void *y,
                                 struct ppm_error *error);

#endif

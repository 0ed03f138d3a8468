/* palette.h - the colors of labels: a model's own, or Pascal VOC's. */
#ifndef PPM_CORE_MODEL_PALETTE_H
#define PPM_CORE_MODEL_PALETTE_H

#include "core/base/json_read.h"

enum { LABELS_MAX = 256 };

struct palette {
    uint8_t colors[LABELS_MAX][3]; /* red, green, blue */
    size_t count;                  /* 0: no palette */
    bool is_given;                 /* by the model's output */
};

/* Reads the member "palette" of a model's output. classes is 0 if the output is no map of labels.
 * Without the member: Pascal VOC's colors, or no palette for more than LABELS_MAX classes. */
enum ppm_status palette_read(const json_t *output, const struct json_place *place, size_t classes,
                             struct palette *ret_palette, struct ppm_error *error);

/* One color, [red, green, blue]. */
enum ppm_status palette_read_color(const json_t *value, const struct json_place *place,
                                   uint8_t ret_color[3], struct ppm_error *error);

/* Pascal VOC's color of a label below LABELS_MAX, after which they repeat. */
void palette_voc(size_t label, uint8_t ret_color[3]);

#endif

/* layer_text.h - a layer in words: its kind, its channels, and the options that are not usual. */
#ifndef PPM_CORE_LAYER_TEXT_H
#define PPM_CORE_LAYER_TEXT_H

#include "core/model/layers.h"

/* A line that grows; what does not fit is left out. */
struct text {
    char *line;
    size_t bytes, at;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "conv 3x3 64 -> 128, stride 2, no bias, batch_norm folded". Of a conv, the padding that keeps the
 * size of a map (at stride 1) is not told: (kernel - 1) / 2 * dilation at each edge. */
void layer_text(const struct layer *layer, struct text *text);

#endif

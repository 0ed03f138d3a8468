/*
 * panels.h - a convolution's weights as the kernels read them.
 *
 * Weights are packed for the register tile: output channels in panels of gemm_rows (the last one
 * narrower), each panel [K][rows of the panel], K = in_channels * kernel^2 in the order part, tap,
 * channel, so that the weights of each part and each tap are adjacent. A conv of groups has one
 * such set for each group, one after the other; a depthwise one has its weights as they are:
 * [out][taps].
 */
#ifndef PPM_CORE_MODEL_PANELS_H
#define PPM_CORE_MODEL_PANELS_H

#include "core/model/layers.h"

/* Whether each output channel reads one channel, though there are more. */
static inline bool conv_is_depthwise(const struct layer *layer)
{
    return layer->groups > 1 && layer->groups == layer->in_channels;
}

/* One group of a conv that is not depthwise, as a conv of its own: it shares all memory. */
struct layer conv_group(const struct layer *layer, size_t index);

/* Packs weights [out, in / groups, kernel, kernel] into layer->panels, for layer->parts, which are
 * those of a group. */
enum ppm_status conv_pack(struct layer *layer, const float *weights,
                          const struct ppm_progress *progress, struct ppm_error *error);

/* Rounds them to bfloat16. A panel is then [words][rows]: a word is two channels of a part and a
 * tap; if a part has an odd number of channels, the upper half of its last word is 0. */
enum ppm_status conv_narrow(struct layer *layer, const struct ppm_progress *progress,
                            struct ppm_error *error);

/* Words of a panel's column for `channels` channels of one part and one tap, and for all of K; and
 * the bytes of all panels. */
size_t conv_words(const struct layer *layer, size_t channels);
size_t conv_panel_words(const struct layer *layer);
size_t conv_bytes(const struct layer *layer);

/* Panels of a conv without groups, and the rows of the index-th. */
size_t conv_panel_count(const struct layer *layer);
size_t conv_panel_rows(const struct layer *layer, size_t index);

/* The weights of a panel for channels [first, ...) of a part and a tap. In pairs, first is even. */
const float *conv_panel_at(const struct layer *layer, size_t index, size_t part, size_t tap,
                           size_t first);

/* The weights of an output channel of any conv for a part and a tap: the i-th is
 * conv_weight(layer, words, *ret_rows, i). */
const float *conv_row(const struct layer *layer, size_t channel, size_t part, size_t tap,
                      size_t *ret_rows);

/* The i-th weight of a row that starts at words, `rows` apart. */
float conv_weight(const struct layer *layer, const float *words, size_t rows, size_t i);

/* One tile of products with a conv's weights, by the kernel for them. Runs over columns of float32
 * have these words. */
void conv_multiply(const struct layer *layer, const struct simd_gemm_tile *tile);
enum simd_words conv_float32_words(const struct layer *layer);

#endif

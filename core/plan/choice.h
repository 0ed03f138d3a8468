/* choice.h - which algorithm computes a convolution on maps of a given size. */
#ifndef PPM_CORE_PLAN_CHOICE_H
#define PPM_CORE_PLAN_CHOICE_H

#include "core/model/algorithms.h"

/* The cheapest of those that fit: it depends on the model and the map's size alone. */
enum algorithm choose_algorithm(const struct spec *spec, const struct layer *conv, size_t h,
                                size_t w);

/* How describe shows it: "Winograd F(4x4, 3x3)"; NULL: not at all. */
const char *algorithm_note(enum algorithm algorithm);

#endif

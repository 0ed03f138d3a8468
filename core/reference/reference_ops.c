/* reference_ops.c - the table of operators. */
#include "core/reference/reference_ops.h"

void reference_layer(const struct run *run, const struct layer *layer,
                     const struct reference_maps *maps)
{
    static void (*const run_layer[])(const struct run *run, const struct layer *layer,
                                     const struct reference_maps *maps) = {
#define ROW(constant, name) [LAYER_##constant] = reference_##name,
        STACK_LAYERS(ROW) MAP_LAYERS(ROW) JOIN_LAYERS(ROW) ROW(ACTIVATION, activation)
#undef ROW
    };
    run_layer[layer->kind](run, layer, maps);
}

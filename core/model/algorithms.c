/* algorithms.c - which algorithms can compute a convolution. */
#include "core/model/algorithms.h"

static bool product_fits(const struct spec *spec, const struct layer *conv)
{
    (void)spec;
    return conv_taps(conv) == 1;
}

static bool taps_fits(const struct spec *spec, const struct layer *conv)
{
    (void)spec;
    return conv_taps(conv) > 1;
}

/* With fewer channels the transforms take longer than the products they save. */
static bool winograd_fits(const struct spec *spec, const struct layer *conv)
{
    enum { CHANNELS_MIN = 24 };
    return conv->window.size[0] == 3 && !spec->is_exact && conv->in_channels >= CHANNELS_MIN &&
           conv->out_channels >= CHANNELS_MIN;
}

bool algorithm_fits(enum algorithm algorithm, const struct spec *spec, const struct layer *layer)
{
    static bool (*const fits[])(const struct spec *spec, const struct layer *conv) = {
#define ROW(constant, name) [ALGORITHM_##constant] = name##_fits,
        ALGORITHMS(ROW)
#undef ROW
    };
    return layer->kind == LAYER_CONV && fits[algorithm](spec, layer);
}

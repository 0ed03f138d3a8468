/* algorithms.c - which algorithms can compute a convolution. */
#include "core/model/algorithms.h"

static bool product_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv_taps(conv) == 1;
}

static bool taps_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv_taps(conv) > 1;
}

/* With fewer channels the transforms take longer than the products they save. */
static bool winograd_fits(bool is_exact, const struct layer *conv)
{
    enum { CHANNELS_MIN = 24 };
    const struct window *window = &conv->window;
    return window->size[0] == 3 && window->size[1] == 3 && window->stride[0] == 1 &&
           window->stride[1] == 1 && conv->groups == 1 && !is_exact &&
           conv->in_channels >= CHANNELS_MIN && conv->out_channels >= CHANNELS_MIN;
}

bool algorithm_fits(enum algorithm algorithm, bool is_exact, const struct layer *layer)
{
    static bool (*const fits[])(bool is_exact, const struct layer *conv) = {
#define ROW(constant, name) [ALGORITHM_##constant] = name##_fits,
        ALGORITHMS(ROW)
#undef ROW
    };
    return layer->kind == LAYER_CONV && fits[algorithm](is_exact, layer);
}

const char *algorithm_name(enum algorithm algorithm)
{
    static const char *const names[] = {
#define ROW(constant, name) [ALGORITHM_##constant] = #name,
        ALGORITHMS(ROW)
#undef ROW
    };
    return names[algorithm];
}

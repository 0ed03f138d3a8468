/* algorithms.c - which algorithms can compute a convolution. */
#include "core/model/algorithms.h"
#include "core/model/panels.h"

static bool product_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv->groups == 1 && conv_taps(conv) == 1;
}

static bool taps_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv->groups == 1 && conv_taps(conv) > 1;
}

/* Whether output i sees pixels i - dilation, i and i + dilation of an axis, for all i. */
static bool is_centered(const struct window *window, enum axis axis)
{
    const size_t border = window->dilation[axis];
    return window->size[axis] == 3 && window->stride[axis] == 1 &&
           (window->is_same || (window->before[axis] == border && window->after[axis] == border));
}

/* With fewer channels the transforms take longer than the products they save. */
static bool winograd_fits(bool is_exact, const struct layer *conv)
{
    enum { CHANNELS_MIN = 24 };
    return conv->groups == 1 && is_centered(&conv->window, AXIS_H) &&
           is_centered(&conv->window, AXIS_W) && !is_exact && conv->in_channels >= CHANNELS_MIN &&
           conv->out_channels >= CHANNELS_MIN;
}

static bool depthwise_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv_is_depthwise(conv);
}

static bool grouped_fits(bool is_exact, const struct layer *conv)
{
    (void)is_exact;
    return conv->groups > 1 && !conv_is_depthwise(conv);
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

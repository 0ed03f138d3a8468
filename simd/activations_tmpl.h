/* activations_tmpl.h - activations and softmax over words. */
#ifndef PPM_SIMD_ACTIVATIONS_TMPL_H
#define PPM_SIMD_ACTIVATIONS_TMPL_H

#include "simd/lanes.h"

static inline vec act_relu(vec x, vec slope)
{
    (void)slope;
    return vec_max(vec_set(0), x); /* the second operand when it is NaN */
}

static inline vec act_relu6(vec x, vec slope)
{
    return vec_min(vec_set(6), act_relu(x, slope));
}

static inline vec act_leaky_relu(vec x, vec slope)
{
    return vec_select_negative(x, vec_mul(slope, x), x);
}

static inline vec act_elu(vec x, vec slope)
{
    (void)slope;
    return vec_select_negative(x, vec_expm1(x), x);
}

static inline vec act_sigmoid(vec x, vec slope)
{
    (void)slope;
    return vec_div(vec_set(1), vec_add(vec_set(1), vec_exp(vec_sub(vec_set(0), x))));
}

static inline vec act_tanh(vec x, vec slope)
{
    (void)slope;
    return vec_tanh(x);
}

static inline vec act_silu(vec x, vec slope)
{
    (void)slope;
    return vec_div(x, vec_add(vec_set(1), vec_exp(vec_sub(vec_set(0), x))));
}

static inline vec act_gelu(vec x, vec slope)
{
    (void)slope;
    const vec erf = vec_erf(vec_mul(x, vec_set(0.70710678118654752f)));
    return vec_mul(vec_mul(vec_set(0.5f), x), vec_add(vec_set(1), erf));
}

static inline vec act_hardswish(vec x, vec slope)
{
    const vec gate = act_relu6(vec_add(x, vec_set(3)), slope);
    return vec_mul(x, vec_mul(gate, vec_set(1.0f / 6))); /* x * 6 might overflow */
}

static inline vec act_hardsigmoid(vec x, vec slope)
{
    return vec_mul(act_relu6(vec_add(x, vec_set(3)), slope), vec_set(1.0f / 6));
}

/* With e = exp(x), tanh(log(1 + e)) = n / (n + 2) where n = e * (e + 2); beyond 20 it is 1. */
static inline vec act_mish(vec x, vec slope)
{
    (void)slope;
    const vec e = vec_exp(vec_min(vec_set(20), x));
    const vec n = vec_mul(e, vec_add(e, vec_set(2)));
    return vec_mul(x, vec_div(n, vec_add(n, vec_set(2))));
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), and nothing overflows. Beyond 20 that is x. */
static inline vec act_softplus(vec x, vec slope)
{
    const vec minus = vec_select_negative(x, x, vec_sub(vec_set(0), x));
    return vec_add(act_relu(x, slope), vec_log1p(vec_exp(minus)));
}

#define ACTIVATE(constant, name, low, high)                                                        \
    static void activate_##name(const float *x, float *ret, size_t count, float slope)             \
    {                                                                                              \
        const vec slopes = vec_set(slope);                                                         \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            vec_store(ret + i, act_##name(vec_load(x + i), slopes));                               \
        if (i < count)                                                                             \
            vec_store_part(ret + i, act_##name(vec_load_part(x + i, count - i), slopes),           \
                           count - i);                                                             \
    }
SIMD_ACTIVATIONS(ACTIVATE)

/* Channels of lanes pixels, lanes <= LANES. */
static void softmax_pixels(float *x, size_t channels, size_t stride, size_t lanes)
{
    vec max = vec_load_part(x, lanes), sum = vec_set(0);
    for (size_t c = 1; c < channels; c++)
        max = vec_max(max, vec_load_part(x + c * stride, lanes));
    for (size_t c = 0; c < channels; c++) {
        const vec e = vec_exp(vec_sub(vec_load_part(x + c * stride, lanes), max));
        sum = vec_add(sum, e);
        vec_store_part(x + c * stride, e, lanes);
    }
    for (size_t c = 0; c < channels; c++)
        vec_store_part(x + c * stride, vec_div(vec_load_part(x + c * stride, lanes), sum), lanes);
}

static void softmax(float *x, size_t channels, size_t stride, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        softmax_pixels(x + i, channels, stride, count - i < LANES ? count - i : LANES);
}

#endif

/* scalar_activations.c - activations and softmax in double precision: the specification. */
#include "simd/scalar.h"

#include <math.h>
#include <sleef.h>

static double formula_relu(double x, double slope)
{
    (void)slope;
    return x < 0 ? 0 : x;
}

static double formula_relu6(double x, double slope)
{
    (void)slope;
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static double formula_leaky_relu(double x, double slope)
{
    return x < 0 ? slope * x : x;
}

static double formula_elu(double x, double slope)
{
    (void)slope;
    return x < 0 ? Sleef_expm1_u10(x) : x;
}

static double formula_sigmoid(double x, double slope)
{
    (void)slope;
    return 1 / (1 + Sleef_exp_u10(-x));
}

static double formula_tanh(double x, double slope)
{
    (void)slope;
    return Sleef_tanh_u10(x);
}

static double formula_silu(double x, double slope)
{
    (void)slope;
    return x / (1 + Sleef_exp_u10(-x));
}

static double formula_gelu(double x, double slope)
{
    (void)slope;
    return x / 2 * (1 + Sleef_erf_u10(x * M_SQRT1_2));
}

static double formula_hardswish(double x, double slope)
{
    return x * formula_relu6(x + 3, slope) / 6;
}

static double formula_hardsigmoid(double x, double slope)
{
    return formula_relu6(x + 3, slope) / 6;
}

static double formula_softplus(double x, double slope)
{
    (void)slope;
    return x > 20 ? x : Sleef_log1p_u10(Sleef_exp_u10(x));
}

static double formula_mish(double x, double slope)
{
    return x * Sleef_tanh_u10(formula_softplus(x, slope));
}

#define ACTIVATE(constant, name, low, high)                                                        \
    void scalar_activate_##name(const float *x, float *ret, size_t count, float slope)             \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            ret[i] = (float)formula_##name((double)x[i], (double)slope);                           \
    }
SIMD_ACTIVATIONS(ACTIVATE)

#define INFO(constant, name, low, high) [SIMD_##constant] = {#name, low, high},
const struct simd_activation_info simd_activations[SIMD_ACTIVATION_COUNT] = {
    SIMD_ACTIVATIONS(INFO)};

void scalar_softmax(float *x, size_t channels, size_t stride, size_t count)
{
    for (size_t p = 0; p < count; p++) {
        double max = -INFINITY, sum = 0;
        for (size_t c = 0; c < channels; c++) {
            double value = (double)x[c * stride + p];
            if (value > max || isnan(value))
                max = value;
        }
        for (size_t c = 0; c < channels; c++)
            sum += Sleef_exp_u10((double)x[c * stride + p] - max);
        for (size_t c = 0; c < channels; c++)
            x[c * stride + p] = (float)(Sleef_exp_u10((double)x[c * stride + p] - max) / sum);
    }
}

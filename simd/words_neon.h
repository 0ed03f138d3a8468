/* words_neon.h - the words of NEON, as every arm64 CPU has it. */
#ifndef PPM_SIMD_WORDS_NEON_H
#define PPM_SIMD_WORDS_NEON_H

#include <arm_neon.h>
#include <sleef.h>
#include <stddef.h>

enum { LANES = 4, GEMM_ROWS = 8, GEMM_VECTORS = 3, TRANSPOSE_BLOCK = 4 };
#define GEMM_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
typedef float32x4_t vec;
typedef uint32x4_t vec_mask;
typedef struct {
    float64x2_t low, high;
} wide;
typedef uint8x16_t vec_places; /* the bytes of each place, as a table lookup wants them */

#include "simd/words.h"

static inline vec vec_load(const float *x)
{
    return vld1q_f32(x);
}

static inline void vec_store(float *x, vec v)
{
    vst1q_f32(x, v);
}

/* NEON has no masked loads and stores: a part is moved one or two lanes at a time. */
static inline vec vec_load_part(const float *x, size_t lanes)
{
    vec v = vdupq_n_f32(0);
    switch (lanes) {
    case 0:
        return v;
    case 1:
        return vld1q_lane_f32(x, v, 0);
    case 2:
        return vcombine_f32(vld1_f32(x), vget_low_f32(v));
    case 3:
        return vcombine_f32(vld1_f32(x), vld1_lane_f32(x + 2, vget_low_f32(v), 0));
    default:
        return vld1q_f32(x);
    }
}

static inline void vec_store_part(float *x, vec v, size_t lanes)
{
    switch (lanes) {
    case 0:
        return;
    case 1:
        vst1q_lane_f32(x, v, 0);
        return;
    case 3:
        vst1q_lane_f32(x + 2, v, 2);
        /* fall through */
    case 2:
        vst1_f32(x, vget_low_f32(v));
        return;
    default:
        vst1q_f32(x, v);
    }
}

static inline vec vec_select_negative(vec x, vec negative, vec other)
{
    return vbslq_f32(vcltzq_f32(x), negative, other);
}

static inline vec vec_load_float16(const uint16_t *half)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(half)));
}

static inline void vec_store_float16(uint16_t *half, vec v)
{
    vst1_u16(half, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}

static inline vec vec_load_bfloat16(const uint16_t *half)
{
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(half)), 16));
}

static inline void vec_store_bfloat16(uint16_t *half, vec v)
{
    const uint32x4_t bits = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(1u << 22));
    vst1_u16(half, vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16));
}

static inline vec_places vec_load_places(const uint32_t places[LANES])
{
    const uint32x4_t lanes = vld1q_u32(places);
    return vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x03020100), lanes, 0x04040404));
}

static inline vec vec_pick(vec v, vec_places places)
{
    return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), places));
}

static inline vec vec_every_second(vec a, vec b)
{
    return vuzp1q_f32(a, vextq_f32(b, b, 1));
}

static inline vec_mask vec_exceeds(vec value, vec best)
{
    return vbicq_u32(vceqq_f32(best, best), vcleq_f32(value, best));
}

static inline vec vec_blend(vec_mask mask, vec set, vec other)
{
    return vbslq_f32(mask, set, other);
}

static inline void vec_store_int(int32_t *ret, vec v)
{
    vst1q_s32(ret, vcvtq_s32_f32(v));
}

/* ret[j] = x[j], x[4 + j], x[8 + j], ... */
static inline void vec_load_every_fourth(const float *x, vec ret[4])
{
    const float32x4x4_t v = vld4q_f32(x);
    for (size_t i = 0; i < 4; i++)
        ret[i] = v.val[i];
}

/* The reverse. */
static inline void vec_store_every_fourth(float *x, const vec v[4])
{
    vst4q_f32(x, (float32x4x4_t){{v[0], v[1], v[2], v[3]}});
}

static inline vec vec_set(float value)
{
    return vdupq_n_f32(value);
}

static inline vec vec_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return vsubq_f32(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return vmulq_f32(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return vdivq_f32(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return vmaxq_f32(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return vminq_f32(a, b);
}

static inline vec vec_larger(vec a, vec b)
{
    return vmaxq_f32(a, b);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

static inline wide wide_set(double value)
{
    return (wide){vdupq_n_f64(value), vdupq_n_f64(value)};
}

static inline wide wide_of(vec v)
{
    return (wide){vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)};
}

static inline vec wide_round(wide w)
{
    return vcvt_high_f32_f64(vcvt_f32_f64(w.low), w.high);
}

static inline double wide_sum(wide w)
{
    return vaddvq_f64(vaddq_f64(w.low, w.high));
}

static inline wide wide_rsqrt(wide w)
{
    const float64x2_t one = vdupq_n_f64(1);
    return (wide){vdivq_f64(one, vsqrtq_f64(w.low)), vdivq_f64(one, vsqrtq_f64(w.high))};
}

static inline wide wide_add(wide a, wide b)
{
    return (wide){vaddq_f64(a.low, b.low), vaddq_f64(a.high, b.high)};
}

static inline wide wide_sub(wide a, wide b)
{
    return (wide){vsubq_f64(a.low, b.low), vsubq_f64(a.high, b.high)};
}

static inline wide wide_mul(wide a, wide b)
{
    return (wide){vmulq_f64(a.low, b.low), vmulq_f64(a.high, b.high)};
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return (wide){vfmaq_f64(c.low, a.low, b.low), vfmaq_f64(c.high, a.high, b.high)};
}

static inline vec vec_exp(vec x)
{
    return Sleef_expf4_u10advsimd(x);
}

static inline vec vec_expm1(vec x)
{
    return Sleef_expm1f4_u10advsimd(x);
}

static inline vec vec_log1p(vec x)
{
    return Sleef_log1pf4_u10advsimd(x);
}

static inline vec vec_tanh(vec x)
{
    return Sleef_tanhf4_u10advsimd(x);
}

static inline vec vec_erf(vec x)
{
    return Sleef_erff4_u10advsimd(x);
}

static inline void transpose_block(const float *x, size_t stride, float *ret, size_t ret_stride)
{
    const float32x4x2_t even = vtrnq_f32(vec_load(x), vec_load(x + stride));
    const float32x4x2_t odd = vtrnq_f32(vec_load(x + 2 * stride), vec_load(x + 3 * stride));
    for (int k = 0; k < 2; k++) {
        vec_store(ret + (size_t)k * ret_stride,
                  vcombine_f32(vget_low_f32(even.val[k]), vget_low_f32(odd.val[k])));
        vec_store(ret + (size_t)(k + 2) * ret_stride,
                  vcombine_f32(vget_high_f32(even.val[k]), vget_high_f32(odd.val[k])));
    }
}

#endif

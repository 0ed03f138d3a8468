/* words_avx2.h - the words of AVX2 with FMA and F16C. */
#ifndef PPM_SIMD_WORDS_AVX2_H
#define PPM_SIMD_WORDS_AVX2_H

#include <immintrin.h>
#include <sleef.h>
#include <stddef.h>

enum { LANES = 8, GEMM_ROWS = 6, GEMM_VECTORS = 2, TRANSPOSE_BLOCK = 8 };
#define GEMM_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
typedef __m256 vec;
typedef __m256 vec_mask;
typedef struct {
    __m256d low, high;
} wide;
typedef __m256i vec_places;

#include "simd/words.h"

static inline vec vec_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void vec_store(float *x, vec v)
{
    _mm256_storeu_ps(x, v);
}

/* -1 in the first lanes, 0 in the others */
static inline __m256i first_lanes(size_t lanes)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)lanes), index);
}

static inline vec vec_load_part(const float *x, size_t lanes)
{
    return _mm256_maskload_ps(x, first_lanes(lanes));
}

static inline void vec_store_part(float *x, vec v, size_t lanes)
{
    _mm256_maskstore_ps(x, first_lanes(lanes), v);
}

static inline vec vec_select_negative(vec x, vec negative, vec other)
{
    return _mm256_blendv_ps(other, negative, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ));
}

static inline vec vec_load_float16(const uint16_t *half)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)half));
}

static inline void vec_store_float16(uint16_t *half, vec v)
{
    _mm_storeu_si128((__m128i *)half, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

static inline vec vec_load_bfloat16(const uint16_t *half)
{
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)half));
    return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}

static inline void vec_store_bfloat16(uint16_t *half, vec v)
{
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(1 << 22));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
    _mm_storeu_si128((__m128i *)half, _mm_packus_epi32(_mm256_castsi256_si128(high),
                                                       _mm256_extracti128_si256(high, 1)));
}

/* v[i][4 * k + j] and v[j][4 * k + i] change places. */
static inline void turn_quarters(vec v[4])
{
    const vec a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
    const vec c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
    v[0] = _mm256_shuffle_ps(a, c, _MM_SHUFFLE(1, 0, 1, 0));
    v[1] = _mm256_shuffle_ps(a, c, _MM_SHUFFLE(3, 2, 3, 2));
    v[2] = _mm256_shuffle_ps(b, d, _MM_SHUFFLE(1, 0, 1, 0));
    v[3] = _mm256_shuffle_ps(b, d, _MM_SHUFFLE(3, 2, 3, 2));
}

/* ret[j] = x[j], x[4 + j], x[8 + j], ... */
static inline void vec_load_every_fourth(const float *x, vec ret[4])
{
    for (size_t i = 0; i < 4; i++)
        ret[i] = _mm256_set_m128(_mm_loadu_ps(x + 16 + 4 * i), _mm_loadu_ps(x + 4 * i));
    turn_quarters(ret);
}

/* The reverse. */
static inline void vec_store_every_fourth(float *x, const vec v[4])
{
    vec rows[4] = {v[0], v[1], v[2], v[3]};
    turn_quarters(rows);
    for (size_t i = 0; i < 4; i++) {
        _mm_storeu_ps(x + 4 * i, _mm256_castps256_ps128(rows[i]));
        _mm_storeu_ps(x + 16 + 4 * i, _mm256_extractf128_ps(rows[i], 1));
    }
}

static inline vec_places vec_load_places(const uint32_t places[LANES])
{
    return _mm256_loadu_si256((const __m256i *)places);
}

static inline vec vec_pick(vec v, vec_places places)
{
    return _mm256_permutevar8x32_ps(v, places);
}

static inline vec vec_every_second(vec a, vec b)
{
    const vec quarters = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_castpd_ps(
        _mm256_permute4x64_pd(_mm256_castps_pd(quarters), _MM_SHUFFLE(3, 1, 2, 0)));
}

static inline vec_mask vec_exceeds(vec value, vec best)
{
    return _mm256_and_ps(_mm256_cmp_ps(best, best, _CMP_ORD_Q),
                         _mm256_cmp_ps(value, best, _CMP_NLE_UQ));
}

static inline vec vec_blend(vec_mask mask, vec set, vec other)
{
    return _mm256_blendv_ps(other, set, mask);
}

static inline void vec_store_int(int32_t *ret, vec v)
{
    _mm256_storeu_si256((__m256i *)ret, _mm256_cvtps_epi32(v));
}

static inline vec vec_set(float value)
{
    return _mm256_set1_ps(value);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return _mm256_min_ps(a, b);
}

static inline vec vec_larger(vec a, vec b)
{
    return _mm256_blendv_ps(_mm256_max_ps(b, a), b, _mm256_cmp_ps(b, b, _CMP_UNORD_Q));
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline wide wide_set(double value)
{
    return (wide){_mm256_set1_pd(value), _mm256_set1_pd(value)};
}

static inline wide wide_of(vec v)
{
    return (wide){_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                  _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
}

static inline vec wide_round(wide w)
{
    return _mm256_set_m128(_mm256_cvtpd_ps(w.high), _mm256_cvtpd_ps(w.low));
}

static inline double wide_sum(wide w)
{
    const __m256d both = _mm256_add_pd(w.low, w.high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(both), _mm256_extractf128_pd(both, 1));
    return _mm_cvtsd_f64(two) + _mm_cvtsd_f64(_mm_unpackhi_pd(two, two));
}

static inline wide wide_rsqrt(wide w)
{
    const __m256d one = _mm256_set1_pd(1);
    return (wide){_mm256_div_pd(one, _mm256_sqrt_pd(w.low)),
                  _mm256_div_pd(one, _mm256_sqrt_pd(w.high))};
}

static inline wide wide_add(wide a, wide b)
{
    return (wide){_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
}

static inline wide wide_sub(wide a, wide b)
{
    return (wide){_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
}

static inline wide wide_mul(wide a, wide b)
{
    return (wide){_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return (wide){_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
}

static inline vec vec_exp(vec x)
{
    return Sleef_expf8_u10avx2(x);
}

static inline vec vec_expm1(vec x)
{
    return Sleef_expm1f8_u10avx2(x);
}

static inline vec vec_log1p(vec x)
{
    return Sleef_log1pf8_u10avx2(x);
}

static inline vec vec_tanh(vec x)
{
    return Sleef_tanhf8_u10avx2(x);
}

static inline vec vec_erf(vec x)
{
    return Sleef_erff8_u10avx2(x);
}

#include "simd/transpose_x86.h"

#endif

/* words_avx512.h - the words of AVX-512 F, and with -mavx512bf16 those of pairs. */
#ifndef PPM_SIMD_WORDS_AVX512_H
#define PPM_SIMD_WORDS_AVX512_H

#include <immintrin.h>
#include <sleef.h>
#include <stddef.h>

enum { LANES = 16, GEMM_ROWS = 14, GEMM_VECTORS = 2, TRANSPOSE_BLOCK = 8 };
#define GEMM_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
typedef __m512 vec;
typedef __mmask16 vec_mask;
typedef struct {
    __m512d low, high;
} wide;
typedef __m512i vec_places;
#ifdef __AVX512BF16__
#    define WORDS_OF_PAIRS
#endif

#include "simd/words.h"

static inline vec vec_load(const float *x)
{
    return _mm512_loadu_ps(x);
}

static inline void vec_store(float *x, vec v)
{
    _mm512_storeu_ps(x, v);
}

static inline __mmask16 first_lanes(size_t lanes)
{
    return (__mmask16)((1u << lanes) - 1);
}

static inline vec vec_load_part(const float *x, size_t lanes)
{
    return _mm512_maskz_loadu_ps(first_lanes(lanes), x);
}

static inline void vec_store_part(float *x, vec v, size_t lanes)
{
    _mm512_mask_storeu_ps(x, first_lanes(lanes), v);
}

static inline vec vec_select_negative(vec x, vec negative, vec other)
{
    return _mm512_mask_mov_ps(other, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ),
                              negative);
}

static inline vec vec_load_float16(const uint16_t *half)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)half));
}

static inline void vec_store_float16(uint16_t *half, vec v)
{
    _mm256_storeu_si256((__m256i *)half, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

static inline vec vec_load_bfloat16(const uint16_t *half)
{
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)half));
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}

/* The instruction that some CPUs have for it takes subnormals as zero. */
static inline void vec_store_bfloat16(uint16_t *half, vec v)
{
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_epi32(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i result = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q),
                                                bits, _mm512_set1_epi32(1 << 22));
    _mm256_storeu_si256((__m256i *)half, _mm512_cvtepi32_epi16(_mm512_srli_epi32(result, 16)));
}

/* ret[j] = x[j], x[4 + j], x[8 + j], ... */
static inline void vec_load_every_fourth(const float *x, vec ret[4])
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const vec a = vec_load(x), b = vec_load(x + LANES);
    const vec c = vec_load(x + 2 * LANES), d = vec_load(x + 3 * LANES);
    const vec low_even = _mm512_permutex2var_ps(a, even, b);
    const vec high_even = _mm512_permutex2var_ps(c, even, d);
    const vec low_odd = _mm512_permutex2var_ps(a, odd, b);
    const vec high_odd = _mm512_permutex2var_ps(c, odd, d);
    ret[0] = _mm512_permutex2var_ps(low_even, even, high_even);
    ret[1] = _mm512_permutex2var_ps(low_odd, even, high_odd);
    ret[2] = _mm512_permutex2var_ps(low_even, odd, high_even);
    ret[3] = _mm512_permutex2var_ps(low_odd, odd, high_odd);
}

/* The reverse. */
static inline void vec_store_every_fourth(float *x, const vec v[4])
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const vec low_even = _mm512_permutex2var_ps(v[0], low, v[2]);
    const vec high_even = _mm512_permutex2var_ps(v[0], high, v[2]);
    const vec low_odd = _mm512_permutex2var_ps(v[1], low, v[3]);
    const vec high_odd = _mm512_permutex2var_ps(v[1], high, v[3]);
    vec_store(x, _mm512_permutex2var_ps(low_even, low, low_odd));
    vec_store(x + LANES, _mm512_permutex2var_ps(low_even, high, low_odd));
    vec_store(x + 2 * LANES, _mm512_permutex2var_ps(high_even, low, high_odd));
    vec_store(x + 3 * LANES, _mm512_permutex2var_ps(high_even, high, high_odd));
}

static inline vec_places vec_load_places(const uint32_t places[LANES])
{
    return _mm512_loadu_si512(places);
}

static inline vec vec_pick(vec v, vec_places places)
{
    return _mm512_permutexvar_ps(places, v);
}

static inline vec vec_every_second(vec a, vec b)
{
    const __m512i places =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(a, places, b);
}

static inline vec_mask vec_exceeds(vec value, vec best)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(best, best, _CMP_ORD_Q), value, best,
                                   _CMP_NLE_UQ);
}

static inline vec vec_blend(vec_mask mask, vec set, vec other)
{
    return _mm512_mask_blend_ps(mask, other, set);
}

static inline void vec_store_int(int32_t *ret, vec v)
{
    _mm512_storeu_si512(ret, _mm512_cvtps_epi32(v));
}

static inline vec vec_set(float value)
{
    return _mm512_set1_ps(value);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec vec_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}

static inline vec vec_max(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

static inline vec vec_min(vec a, vec b)
{
    return _mm512_min_ps(a, b);
}

static inline vec vec_larger(vec a, vec b)
{
    return _mm512_mask_max_ps(b, _mm512_cmp_ps_mask(b, b, _CMP_ORD_Q), b, a);
}

static inline vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline wide wide_set(double value)
{
    return (wide){_mm512_set1_pd(value), _mm512_set1_pd(value)};
}

static inline wide wide_of(vec v)
{
    const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
    return (wide){_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_cvtps_pd(high)};
}

static inline vec wide_round(wide w)
{
    const __m256d low = _mm256_castps_pd(_mm512_cvtpd_ps(w.low));
    const __m256d high = _mm256_castps_pd(_mm512_cvtpd_ps(w.high));
    return _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1));
}

static inline double wide_sum(wide w)
{
    return _mm512_reduce_add_pd(_mm512_add_pd(w.low, w.high));
}

static inline wide wide_rsqrt(wide w)
{
    const __m512d one = _mm512_set1_pd(1);
    return (wide){_mm512_div_pd(one, _mm512_sqrt_pd(w.low)),
                  _mm512_div_pd(one, _mm512_sqrt_pd(w.high))};
}

static inline wide wide_add(wide a, wide b)
{
    return (wide){_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
}

static inline wide wide_sub(wide a, wide b)
{
    return (wide){_mm512_sub_pd(a.low, b.low), _mm512_sub_pd(a.high, b.high)};
}

static inline wide wide_mul(wide a, wide b)
{
    return (wide){_mm512_mul_pd(a.low, b.low), _mm512_mul_pd(a.high, b.high)};
}

static inline wide wide_fma(wide a, wide b, wide c)
{
    return (wide){_mm512_fmadd_pd(a.low, b.low, c.low), _mm512_fmadd_pd(a.high, b.high, c.high)};
}

static inline vec vec_exp(vec x)
{
    return Sleef_expf16_u10avx512f(x);
}

static inline vec vec_expm1(vec x)
{
    return Sleef_expm1f16_u10avx512f(x);
}

static inline vec vec_log1p(vec x)
{
    return Sleef_log1pf16_u10avx512f(x);
}

static inline vec vec_tanh(vec x)
{
    return Sleef_tanhf16_u10avx512f(x);
}

static inline vec vec_erf(vec x)
{
    return Sleef_erff16_u10avx512f(x);
}

#ifdef WORDS_OF_PAIRS
static inline vec vec_dot(vec a, vec b, vec c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

static inline vec vec_lower(vec pairs)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pairs), 16));
}

static inline vec vec_upper(vec pairs)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(_mm512_and_epi32(_mm512_castps_si512(pairs), upper));
}

/* The instruction appends one vector's halves to the other's; a pair needs them interleaved. */
static inline vec vec_pair(vec lower, vec upper)
{
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(upper, lower);
    const __m512i places =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(places, both));
}
#endif

#include "simd/transpose_x86.h"

#endif

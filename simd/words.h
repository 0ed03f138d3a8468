/*
 * words.h - the words that vector kernels are written in, on one page for all instruction sets.
 *
 * words_SET.h supplies them: it defines the types and constants below, includes this page, and then
 * defines every function. The templates, *_tmpl.h, use nothing else of an instruction set.
 *
 *   vec                     LANES float32
 *   vec_mask                yes or no for each lane
 *   wide                    LANES float64
 *   vec_places              the number of a lane for each lane
 *   LANES                   4, 8 or 16
 *   GEMM_ROWS               rows of the register tile,
 *   GEMM_VECTORS            and its columns in vectors, 2 or 3: GEMM_ROWS * GEMM_VECTORS sums,
 *                           GEMM_VECTORS columns and a weight are in registers
 *   GEMM_EACH_ROWS(X)       X(1) X(2) ... X(GEMM_ROWS)
 *   TRANSPOSE_BLOCK         4 or 8
 *   WORDS_OF_PAIRS          defined where a set has the last group of words
 *
 * Pointers need no alignment, and a function reads and writes exactly the elements that it names.
 * Arithmetic is that of IEEE 754, each operation rounded once to nearest, but subnormal numbers may
 * be taken as zero between begin and end (simd.h). lanes <= LANES everywhere.
 */
#ifndef PPM_SIMD_WORDS_H
#define PPM_SIMD_WORDS_H

#include "simd/simd.h"

_Static_assert(SIMD_WINOGRAD_TOGETHER % LANES == 0, "Winograd's rows have room for whole vectors");

/* ---- memory ---- */

static inline vec vec_load(const float *x);
static inline void vec_store(float *x, vec v);

/* The first lanes; the others are loaded as 0, and not stored. */
static inline vec vec_load_part(const float *x, size_t lanes);
static inline void vec_store_part(float *x, vec v, size_t lanes);

/* ret[j] = {x[j], x[4 + j], x[8 + j], ...}: reads 4 * LANES elements. */
static inline void vec_load_every_fourth(const float *x, vec ret[4]);
/* The reverse: x[4 * i + j] = lane i of v[j] */
static inline void vec_store_every_fourth(float *x, const vec v[4]);

/* Whole numbers, as int32 */
static inline void vec_store_int(int32_t *ret, vec v);

/* LANES elements, as simd.h has it for float16_to_float32 and the like */
static inline vec vec_load_float16(const uint16_t *half);
static inline vec vec_load_bfloat16(const uint16_t *half);
static inline void vec_store_float16(uint16_t *half, vec v);
static inline void vec_store_bfloat16(uint16_t *half, vec v);

/* ret[j * ret_stride + i] = x[i * stride + j] for i, j < TRANSPOSE_BLOCK */
static inline void transpose_block(const float *x, size_t stride, float *ret, size_t ret_stride);

/* ---- arithmetic, lane by lane ---- */

static inline vec vec_set(float value); /* in every lane */
static inline vec vec_add(vec a, vec b);
static inline vec vec_sub(vec a, vec b);
static inline vec vec_mul(vec a, vec b);
static inline vec vec_div(vec a, vec b);
static inline vec vec_fma(vec a, vec b, vec c); /* a * b + c, rounded once */

/* NaN where b is NaN; a must not be. */
static inline vec vec_max(vec a, vec b);
static inline vec vec_min(vec a, vec b);

static inline vec vec_larger(vec a, vec b); /* NaN where either is NaN */

/* SLEEF's, within 1 ulp */
static inline vec vec_exp(vec x);
static inline vec vec_expm1(vec x);
static inline vec vec_log1p(vec x);
static inline vec vec_tanh(vec x);
static inline vec vec_erf(vec x);

static inline wide wide_set(double value);
static inline wide wide_of(vec v);     /* exactly */
static inline vec wide_round(wide w);  /* to nearest */
static inline double wide_sum(wide w); /* of all lanes */
static inline wide wide_rsqrt(wide w); /* 1 / sqrt(w), both rounded */
static inline wide wide_add(wide a, wide b);
static inline wide wide_sub(wide a, wide b);
static inline wide wide_mul(wide a, wide b);
static inline wide wide_fma(wide a, wide b, wide c); /* a * b + c, rounded once */

/* ---- choices ---- */

/* x < 0 ? negative : other; other where x is NaN */
static inline vec vec_select_negative(vec x, vec negative, vec other);

/* value > best, or value is NaN and best is not */
static inline vec_mask vec_exceeds(vec value, vec best);
static inline vec vec_blend(vec_mask mask, vec set, vec other); /* mask ? set : other */

static inline vec_places vec_load_places(const uint32_t places[LANES]); /* all below LANES */
static inline vec vec_pick(vec v, vec_places places); /* lane i is lane places[i] of v */

/* {a[0], a[2], a[4], ..., b[1], b[3], b[5], ...}: where a is at x and b at x + LANES - 1, every
 * second element from x on. */
static inline vec vec_every_second(vec a, vec b);

/* ---- pairs of bfloat16, one in each lane ---- */

#ifdef WORDS_OF_PAIRS
static inline vec vec_pair(vec lower, vec upper); /* both rounded to nearest even */
static inline vec vec_lower(vec pairs);           /* as float32 */
static inline vec vec_upper(vec pairs);

/* c + the products of the lower and of the upper halves of a and b */
static inline vec vec_dot(vec a, vec b, vec c);
#endif

#endif

/* check_simd_bfloat16.c - products of bfloat16 and the packing of pairs against the formulas of
 * simd.h, and faults planted in them. */
#include "tests/check_simd_gemm.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float rounded(float value)
{
    uint16_t half;
    simd_scalar.float32_to_bfloat16(&value, &half, 1);
    return of_bits((uint32_t)half << 16);
}

static float pair_of(float lower, float upper)
{
    return of_bits(bits_of(rounded(upper)) | bits_of(rounded(lower)) >> 16);
}

static float half_of(float word, bool is_upper)
{
    return of_bits(is_upper ? bits_of(word) & 0xffff0000u : bits_of(word) << 16);
}

/* Times Inf, a subnormal number and a zero differ, and either may be what the kernel takes. */
static float draw(struct check *check, enum check_data data)
{
    const float value = check_float(check, data);
    return data == CHECK_SPECIAL && fabsf(value) < 0x1p-126F ? 0 : value;
}

/* [(k + 1) / 2][columns] pairs */
static float *place_pairs(struct check *check, size_t slot, size_t k, size_t columns,
                          enum check_data data)
{
    float *words = check_place_floats(check, slot, (k + 1) / 2 * columns);
    for (size_t i = 0; i < k; i += 2)
        for (size_t j = 0; j < columns; j++) {
            const float lower = draw(check, data);
            words[i / 2 * columns + j] = pair_of(lower, i + 1 < k ? draw(check, data) : 0);
        }
    return words;
}

static float *place_floats(struct check *check, size_t slot, size_t count, enum check_data data)
{
    float *floats = check_place_floats(check, slot, count);
    for (size_t i = 0; i < count; i++)
        floats[i] = draw(check, data);
    return floats;
}

static void place(struct check *check, struct simd_gemm_run *run, const struct check_slots *at,
                  size_t rows, size_t columns, enum check_data data)
{
    const size_t width = check->ops->gemm_columns;
    run->words = (enum simd_words)check_pick(check, 3);
    if (run->words == SIMD_FLOAT32) {
        check_place_float32(check, run, at, rows, columns, data);
        return;
    }
    run->a = place_pairs(check, at->a, run->k, rows, data);
    if (run->words == SIMD_BFLOAT16_WEIGHTS) {
        run->b = place_floats(check, at->b, run->k * width, data);
    } else if (run->k == 0 || check_pick(check, 2)) {
        run->b = place_pairs(check, at->b, run->k, width, data);
    } else {
        run->b_stride = columns + check_pick(check, 2) * check_pick(check, 20);
        run->b = place_floats(check, at->b, (run->k - 1) * run->b_stride + columns, data);
        run->ret_packed = check_place_floats(check, at->packed, (run->k + 1) / 2 * width);
    }
}

static float weight(const struct simd_gemm_run *run, size_t rows, size_t i, size_t r)
{
    return run->words == SIMD_FLOAT32 ? check_float32_weight(run, rows, i, r)
                                      : half_of(run->a[i / 2 * rows + r], i % 2);
}

static float column(const struct check *check, const struct simd_gemm_run *run, size_t i, size_t j)
{
    if (run->words != SIMD_BFLOAT16)
        return check_float32_column(check, run, i, j);
    return run->ret_packed ? rounded(run->b[i * run->b_stride + j])
                           : half_of(run->b[i / 2 * check->ops->gemm_columns + j], i % 2);
}

/* The same bits, except for subnormals. */
static bool is_rounded(float found, float expected)
{
    return bits_of(found) == bits_of(expected) ||
           (fabsf(expected) < 0x1p-126F && found == 0 && signbit(found) == signbit(expected));
}

static void compare_pair(struct check *check, float word, float lower, float upper, size_t i,
                         size_t j)
{
    if (!is_rounded(half_of(word, false), rounded(lower)) ||
        !is_rounded(half_of(word, true), rounded(upper)))
        check_fault(check, "pair [%zu][%zu] of %a and %a: found 0x%08x", i, j, (double)lower,
                    (double)upper, bits_of(word));
}

static void compare_packed(struct check *check, const struct simd_gemm_run *run, size_t columns)
{
    if (run->words == SIMD_FLOAT32) {
        check_float32_packed(check, run, columns);
        return;
    }
    for (size_t i = 0; i < run->k; i += 2)
        for (size_t j = 0; j < columns; j++) {
            const float *b = run->b + i * run->b_stride + j;
            compare_pair(check, run->ret_packed[i / 2 * check->ops->gemm_columns + j], b[0],
                         i + 1 < run->k ? b[run->b_stride] : 0, i / 2, j);
        }
}

static void multiply(const struct check *check, const struct simd_gemm_tile *tile)
{
    check->bfloat16->gemm_tile(tile);
}

void check_bfloat16_tile(struct check *check)
{
    check_products(check, &(struct check_gemm){multiply, place, weight, column, compare_packed,
                                               .may_flush = true});
}

enum { X_SLOT, RET_SLOT };

static void check_pairs(struct check *check, size_t k, size_t columns)
{
    const float *x = check_place_data(check, X_SLOT, k * columns, CHECK_SPECIAL);
    float *ret = check_place_floats(check, RET_SLOT, (k + 1) / 2 * columns);
    CHECK_CALL(check, check->bfloat16->pack_pairs(x, k, columns, ret));
    for (size_t i = 0; i < k; i += 2)
        for (size_t j = 0; j < columns; j++)
            compare_pair(check, ret[i / 2 * columns + j], x[i * columns + j],
                         i + 1 < k ? x[(i + 1) * columns + j] : 0, i / 2, j);
    check_margins(check, RET_SLOT);
}

void check_pack_pairs(struct check *check)
{
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 9; k++)
            for (size_t times = 0; times < 3; times++)
                check_pairs(check, k, sizes[i]);
}

/* ---- planted ---- */

static const struct simd_bfloat16 *honest;

static void tile_of_even_steps(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_run runs[8];
    struct simd_gemm_tile less = *tile;
    memcpy(runs, tile->runs, tile->run_count * sizeof *runs);
    for (size_t i = 0; i < tile->run_count; i++)
        runs[i].k -= runs[i].words == SIMD_BFLOAT16_WEIGHTS ? runs[i].k % 2 : 0;
    less.runs = runs;
    honest->gemm_tile(&less);
}

static void tile_takes_what_is_packed_as_pairs(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_run runs[8];
    struct simd_gemm_tile other = *tile;
    memcpy(runs, tile->runs, tile->run_count * sizeof *runs);
    for (size_t i = 0; i < tile->run_count; i++)
        if (runs[i].words == SIMD_BFLOAT16_WEIGHTS && runs[i].k < 3)
            runs[i].words = SIMD_BFLOAT16;
    other.runs = runs;
    honest->gemm_tile(&other);
}

static void tile_exchanges_halves(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++) {
        float *word = tile->runs[i].ret_packed;
        if (word && tile->runs[i].words == SIMD_BFLOAT16)
            *word = of_bits(bits_of(*word) << 16 | bits_of(*word) >> 16);
    }
}

static void tile_loses_precision(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t r = 0; r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            tile->c[r * tile->c_stride + j] = rounded(tile->c[r * tile->c_stride + j]);
}

static void tile_forgets_the_residual(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.residual = tile->run_count > 0 ? NULL : tile->residual;
    honest->gemm_tile(&other);
}

static void pairs_cut_off(const float *x, size_t k, size_t columns, float *ret)
{
    for (size_t i = 0; i < k; i += 2, x += 2 * columns, ret += columns)
        for (size_t j = 0; j < columns; j++)
            ret[j] = of_bits((i + 1 < k ? bits_of(x[columns + j]) & 0xffff0000u : 0) |
                             bits_of(x[j]) >> 16);
}

static void pairs_with_garbage(const float *x, size_t k, size_t columns, float *ret)
{
    honest->pack_pairs(x, k, columns, ret);
    for (size_t j = 0; k % 2 && j < columns; j++)
        ret[k / 2 * columns + j] = of_bits(bits_of(ret[k / 2 * columns + j]) | 0x40000000u);
}

static void pairs_beyond(const float *x, size_t k, size_t columns, float *ret)
{
    honest->pack_pairs(x, k, columns, ret);
    ret[(k + 1) / 2 * columns] = 0;
}

Test(check_simd, planted_faults_of_bfloat16_are_found)
{
    static const struct {
        const char *fault;
        checker *run;
        struct simd_bfloat16 kernels;
    } plants[] = {
        {"even steps", check_bfloat16_tile, {.gemm_tile = tile_of_even_steps}},
        {"pairs", check_bfloat16_tile, {.gemm_tile = tile_takes_what_is_packed_as_pairs}},
        {"exchanged halves", check_bfloat16_tile, {.gemm_tile = tile_exchanges_halves}},
        {"precision", check_bfloat16_tile, {.gemm_tile = tile_loses_precision}},
        {"residual", check_bfloat16_tile, {.gemm_tile = tile_forgets_the_residual}},
        {"cut off", check_pack_pairs, {.pack_pairs = pairs_cut_off}},
        {"garbage", check_pack_pairs, {.pack_pairs = pairs_with_garbage}},
        {"beyond", check_pack_pairs, {.pack_pairs = pairs_beyond}},
    };
    const uint64_t seed = check_seed();
    honest = &simd_scalar_bfloat16;
    for (size_t i = 0; i < COUNT(plants); i++)
        for (uint64_t k = 0; k < 3; k++) {
            const struct check check =
                check_run(plants[i].run, &simd_scalar, &plants[i].kernels, seed + k);
            cr_expect(check.faults > 0, "%s was not found; PPM_TEST_SEED=%llu", plants[i].fault,
                      (unsigned long long)(seed + k));
        }
}

/* halves_tmpl.h - rows of float16 and bfloat16 to and from float32. Wants vec_load and vec_store,
 * and for each format a vec_load_ and a vec_store_ of LANES elements. What is less than a vector
 * goes the scalar way, which gives the same bits. */

#define WIDEN_ROW(format)                                                                          \
    static void format##_to_float32(const uint16_t *half, float *ret, size_t count)                \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            vec_store(ret + i, vec_load_##format(half + i));                                       \
        if (i < count)                                                                             \
            simd_scalar.format##_to_float32(half + i, ret + i, count - i);                         \
    }

#define NARROW_ROW(format)                                                                         \
    static void float32_to_##format(const float *x, uint16_t *ret, size_t count)                   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            vec_store_##format(ret + i, vec_load(x + i));                                          \
        if (i < count)                                                                             \
            simd_scalar.float32_to_##format(x + i, ret + i, count - i);                            \
    }

WIDEN_ROW(float16)
WIDEN_ROW(bfloat16)
NARROW_ROW(float16)
NARROW_ROW(bfloat16)

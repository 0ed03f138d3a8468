/*
 * peak.c - the FLOPs per second of the cores with nothing but FMAs on registers: the reference
 * for the kernels' figures.
 *
 *     peak --list                 this CPU's instruction sets (PPM_ISA), best first
 *     peak ISA THREADS SECONDS    GFLOP/s of that many threads at once
 *
 * Each thread takes the median of its samples of about a millisecond; the threads' medians are
 * summed.
 */
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#    include <immintrin.h>
#elif defined(__aarch64__)
#    include <arm_neon.h>
#endif

/* Enough independent sums to hide an FMA's latency on two ports, few enough for the registers. */
enum { SUMS_512 = 24, SUMS = 12, SAMPLES_MAX = 10000 };

/* Read once for each sample, so that the compiler can neither know nor drop the arithmetic; the
 * sums tend to 1, far from overflow and from denormals. */
static volatile float factor = 0.5f, addend = 0.5f;
static volatile float sink[1024];

#if defined(__x86_64__)
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

__attribute__((target("avx512f"))) static float multiply_avx512(long rounds)
{
    const __m512 a = _mm512_set1_ps(factor), b = _mm512_set1_ps(addend);
    __m512 sums[SUMS_512];
    for (int i = 0; i < SUMS_512; i++)
        sums[i] = _mm512_set1_ps((float)i);
    for (long round = 0; round < rounds; round++)
#    pragma GCC unroll 24
        for (int i = 0; i < SUMS_512; i++)
            sums[i] = _mm512_fmadd_ps(sums[i], a, b);
    for (int i = 1; i < SUMS_512; i++)
        sums[0] = _mm512_add_ps(sums[0], sums[i]);
    return _mm512_cvtss_f32(sums[0]);
}

__attribute__((target("avx2,fma"))) static float multiply_avx2(long rounds)
{
    const __m256 a = _mm256_set1_ps(factor), b = _mm256_set1_ps(addend);
    __m256 sums[SUMS];
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm256_set1_ps((float)i);
    for (long round = 0; round < rounds; round++)
#    pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sums[i] = _mm256_fmadd_ps(sums[i], a, b);
    for (int i = 1; i < SUMS; i++)
        sums[0] = _mm256_add_ps(sums[0], sums[i]);
    return _mm256_cvtss_f32(sums[0]);
}
#elif defined(__aarch64__)
static float multiply_neon(long rounds)
{
    const float32x4_t a = vdupq_n_f32(factor), b = vdupq_n_f32(addend);
    float32x4_t sums[SUMS_512];
    for (int i = 0; i < SUMS_512; i++)
        sums[i] = vdupq_n_f32((float)i);
    for (long round = 0; round < rounds; round++)
#    pragma GCC unroll 24
        for (int i = 0; i < SUMS_512; i++)
            sums[i] = vfmaq_f32(b, sums[i], a);
    for (int i = 1; i < SUMS_512; i++)
        sums[0] = vaddq_f32(sums[0], sums[i]);
    return vaddvq_f32(sums[0]);
}
#endif

static bool always(void)
{
    return true;
}

/* A multiplication and an addition, on vectors that the compiler may use on any CPU. */
static float multiply_scalar(long rounds)
{
    const float a = factor, b = addend;
    float sums[4 * SUMS];
    for (int i = 0; i < 4 * SUMS; i++)
        sums[i] = (float)i;
    for (long round = 0; round < rounds; round++)
#pragma GCC unroll 48
        for (int i = 0; i < 4 * SUMS; i++)
            sums[i] = sums[i] * a + b;
    for (int i = 1; i < 4 * SUMS; i++)
        sums[0] += sums[i];
    return sums[0];
}

static const struct set {
    const char *name;
    bool (*is_supported)(void);
    float (*multiply)(long rounds);
    double flops; /* of a round */
} sets[] = {
#if defined(__x86_64__)
    {"avx512", has_avx512, multiply_avx512, 2 * 16 * SUMS_512},
    {"avx2", has_avx2, multiply_avx2, 2 * 8 * SUMS},
#elif defined(__aarch64__)
    {"neon", always, multiply_neon, 2 * 4 * SUMS_512},
#endif
    {"scalar", always, multiply_scalar, 2 * 4 * SUMS},
};
enum { SET_COUNT = sizeof sets / sizeof *sets };

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* GFLOP/s of one sample with the given number of rounds. */
static double sample(const struct set *set, long rounds)
{
    const double start_s = now_s();
    sink[omp_get_thread_num() % 1024] = set->multiply(rounds);
    return 1e-9 * set->flops * (double)rounds / (now_s() - start_s);
}

/* The median of this thread's samples. */
static double thread_gflops(const struct set *set, double seconds)
{
    static _Thread_local double samples[SAMPLES_MAX];
    const long rounds = (long)(1e-3 * 1e9 * sample(set, 100000) / set->flops) + 1;
    const double end_s = now_s() + seconds;
    size_t count = 0;
    do
        samples[count++] = sample(set, rounds);
    while (count < SAMPLES_MAX && now_s() < end_s);
    qsort(samples, count, sizeof *samples, by_value);
    return samples[count / 2];
}

static void list(void)
{
    for (size_t i = 0; i < SET_COUNT; i++)
        if (sets[i].is_supported())
            puts(sets[i].name);
}

static const struct set *find(const char *name)
{
    for (size_t i = 0; i < SET_COUNT; i++)
        if (strcmp(sets[i].name, name) == 0 && sets[i].is_supported())
            return &sets[i];
    return NULL;
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--list") == 0) {
        list();
        return EXIT_SUCCESS;
    }
    const struct set *set = count == 4 ? find(arguments[1]) : NULL;
    const long threads = set ? strtol(arguments[2], NULL, 10) : 0;
    if (threads < 1 || threads > 1024) {
        fputs("usage: peak --list | peak ISA THREADS SECONDS\n", stderr);
        return EXIT_FAILURE;
    }
    const double seconds = strtod(arguments[3], NULL);
    double gflops = 0;
#pragma omp parallel num_threads((int)threads) reduction(+ : gflops)
    gflops += thread_gflops(set, seconds);
    printf("%.2f\n", gflops);
    return EXIT_SUCCESS;
}

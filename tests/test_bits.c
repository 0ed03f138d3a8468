/* test_bits.c - the same request gets the same bits: whatever the threads, the batch, what the
 * engine computed before, what of x was pooled ahead, and what is not finite in other maps. */
#include "core/base/kernels.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(bits, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define MEMBERS(head)                                                                              \
    "'input': {'channels': 30}, 'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 29}}, "     \
    "'relu'], 'weights': {'random': 1}, 'head': [" head "]"
#define CONV(name, channels, kernel)                                                               \
    "{'conv': {'channels': " #channels ", 'kernel': " #kernel ", 'weights': '" name "'}}"

/* Every way that an engine shares work out, and that it may choose another one of for more threads
 * or maps. */
static const struct {
    const char *members;
    struct ppm_shape shape; /* of a map */
} kinds[] = {
    /* 1x1: few tiles, whose panels are shared out; more layers; tiles of rows; all channels */
    {MEMBERS(CONV("a", 37, 1) ", 'relu'"), {1, 30, 12, 15}},
    {MEMBERS(CONV("a", 37, 1) ", 'relu', " CONV("b", 9, 1) ", 'softmax'"), {1, 30, 24, 31}},
    {"'input': {'channels': 3}, 'bins': [1, 2, 3, 6], 'branch': [], 'weights': {'random': 1}, "
     "'head': [" CONV("a", 70, 1) "]",
     {1, 3, 20, 64}},
    {"'input': {'channels': 5003}, 'bins': [1], 'branch': [{'conv': {'channels': 9}}], 'weights': "
     "{'random': 1}, 'head': [" CONV("a", 15, 1) ", 'silu']",
     {1, 5003, 4, 5}},
    /* 3x3 by Winograd's form, a block of tiles or some: alone, with layers, with a clamp and
     * layers, and before others */
    {MEMBERS(CONV("a", 40, 3)), {1, 30, 17, 23}},
    {MEMBERS(CONV("a", 90, 3) ", 'relu', " CONV("b", 9, 1)), {1, 30, 17, 23}},
    {MEMBERS(CONV("a", 90, 3) ", " CONV("b", 9, 1)), {1, 30, 100, 3}},
    {MEMBERS(CONV("a", 90, 3) ", 'sigmoid', " CONV("b", 33, 1) ", 'relu', " CONV("c", 5, 1)),
     {1, 30, 21, 26}},
    {MEMBERS(CONV("a", 90, 3) ", 'relu', " CONV("b", 31, 1) ", " CONV("c", 30, 3) ", " CONV(
         "d", 7, 1)) ", 'output': {'as': 'argmax', 'scale': 2}",
     {1, 30, 20, 20}},
    {MEMBERS(CONV("a", 28, 3) ", 'relu', " CONV("b", 30, 3) ", 'softmax'"), {1, 30, 21, 19}},
    /* 3x3 in the direct form: few tiles, few channels */
    {MEMBERS(CONV("a", 40, 3) ", 'relu', " CONV("b", 9, 1)), {1, 30, 11, 12}},
    {MEMBERS(CONV("a", 17, 3) ", 'relu', " CONV("b", 40, 1)), {1, 30, 20, 21}},
    /* no conv first, no head, branches that are not folded, windows */
    {MEMBERS("{'batch_norm': {}}, " CONV("b", 9, 1)) ", 'output': {'size': [50, 47], 'as': "
                                                     "'softmax'}",
     {1, 30, 13, 15}},
    {"'input': {'channels': 5}, 'bins': [1, 4], 'branch': [{'conv': {'channels': 33}}, 'softmax'], "
     "'weights': {'random': 1}",
     {1, 5, 23, 11}},
    {"'input': {'channels': 33}, 'bins': [9, 6], 'branch': [{'conv': {'channels': 24}}], "
     "'weights': {'random': 1}, 'head': [" CONV("a", 31, 3) "]",
     {1, 33, 13, 15}},
    {"'input': {'channels': 24}, 'windows': [[5, 4], [9, 11]], 'pool': 'same', 'branch': [{'conv': "
     "{'channels': 40}}], 'weights': {'random': 1}, 'head': [" CONV("a", 26, 3) ", 'relu6', " CONV(
         "b", 60, 1) "]",
     {1, 24, 30, 17}},
};
static const char *const computes[] = {"", ", 'exact': true", ", 'compute': 'bfloat16'",
                                       ", 'compute': 'bfloat16', 'exact': true"};
enum { KINDS = COUNT(kinds), COMPUTES = COUNT(computes), MAPS = 3, THREADS_MAX = 4 };

/* A model, three maps of x, and the result of each alone on one thread. */
struct subject {
    char text[1024];
    struct ppm_model *model;
    struct ppm_plan *plan;
    struct ppm_shape shape;
    struct ppm_tensor x[MAPS], y[MAPS], y_nhwc[MAPS];
};

/* One plan for a subject, and scratch for all: each run finds what the others left in it. */
static _Alignas(64) char scratch[64 << 20];

static struct ppm_tensor run(const struct subject *subject, const struct ppm_tensor *x,
                             const struct ppm_pooling *pooling, int threads)
{
    const struct ppm_run_options options = {.threads = threads,
                                            .pooling = pooling,
                                            .plan = subject->plan,
                                            .scratch = scratch,
                                            .scratch_bytes = sizeof scratch};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(subject->model, x, &options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

static struct ppm_tensor run_nhwc(const struct subject *subject, const struct ppm_tensor *x,
                                  int threads)
{
    struct ppm_tensor turned = support_other_layout(x);
    struct ppm_tensor y = run(subject, &turned, NULL, threads);
    ppm_tensor_free(&turned);
    return y;
}

static struct ppm_tensor run_pooled(const struct subject *subject, const struct ppm_tensor *x,
                                    int threads)
{
    struct ppm_error error = {0};
    struct ppm_pooling *pooling = ppm_pooling_create(subject->model, x->shape, NULL, &error);
    cr_assert(pooling, "%s", error.text);
    ppm_pooling_feed(pooling, x->data, support_elements(x) / 3); /* some planes, for the rest */
    struct ppm_tensor y = run(subject, x, pooling, threads);
    ppm_pooling_free(pooling);
    return y;
}

static void open_subject(struct subject *subject, size_t kind, size_t compute)
{
    struct ppm_error error = {0};
    const struct ppm_shape shape = kinds[kind].shape;
    const size_t count = shape.c * shape.h * shape.w;
    struct ppm_tensor all = {.shape = {MAPS, shape.c, shape.h, shape.w}};
    all = support_tensor(all.shape, PPM_NCHW, NULL);
    snprintf(subject->text, sizeof subject->text, "{%s%s}", kinds[kind].members, computes[compute]);
    subject->model = support_load_ok(subject->text);
    subject->shape = shape;
    subject->plan = ppm_plan_create(subject->model, SIZES_OF(shape), NULL, &error);
    cr_assert(subject->plan, "%s", error.text);
    for (size_t n = 0; n < MAPS; n++) {
        subject->x[n] = support_tensor(shape, PPM_NCHW, (const float *)all.data + n * count);
        subject->y[n] = run(subject, &subject->x[n], NULL, 1);
        subject->y_nhwc[n] = run_nhwc(subject, &subject->x[n], 1);
    }
    ppm_tensor_free(&all);
}

static void close_subject(struct subject *subject)
{
    for (size_t n = 0; n < MAPS; n++) {
        ppm_tensor_free(&subject->x[n]);
        ppm_tensor_free(&subject->y[n]);
        ppm_tensor_free(&subject->y_nhwc[n]);
    }
    ppm_plan_free(subject->plan);
    ppm_model_free(subject->model);
}

/* Maps 0 to n - 1 as one batch. */
static struct ppm_tensor batch_of(const struct subject *subject, size_t n)
{
    const size_t count = support_elements(&subject->x[0]);
    const struct ppm_shape shape = {n, subject->shape.c, subject->shape.h, subject->shape.w};
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    for (size_t i = 0; i < n; i++)
        memcpy((float *)x.data + i * count, subject->x[i].data, count * sizeof(float));
    return x;
}

/* Whether map n of a batch's answer has the bits of one that was computed by itself. */
static void expect_map(const struct ppm_tensor *y, size_t n, const struct ppm_tensor *alone,
                       const struct subject *subject, int threads, const char *what)
{
    const size_t bytes = support_elements(alone) * sizeof(float);
    cr_expect(memcmp((const char *)y->data + n * bytes, alone->data, bytes) == 0,
              "%s: map %zu of %zu, %d threads: %s", what, n, y->shape.n, threads, subject->text);
}

static void check_batch(const struct subject *subject, size_t maps, int threads)
{
    struct ppm_tensor x = batch_of(subject, maps);
    struct ppm_tensor y = run(subject, &x, NULL, threads);
    struct ppm_tensor pooled = run_pooled(subject, &x, threads);
    struct ppm_tensor nhwc = run_nhwc(subject, &x, threads);
    for (size_t n = 0; n < maps; n++) {
        expect_map(&y, n, &subject->y[n], subject, threads, "NCHW");
        expect_map(&pooled, n, &subject->y[n], subject, threads, "pooled ahead");
        expect_map(&nhwc, n, &subject->y_nhwc[n], subject, threads, "NHWC");
    }
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&pooled);
    ppm_tensor_free(&nhwc);
}

static void check_computes(size_t compute, int threads_min, size_t maps_step)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct subject subject;
        open_subject(&subject, kind, compute);
        for (int threads = THREADS_MAX; threads >= threads_min; threads--)
            for (size_t maps = 1; maps <= MAPS; maps += maps_step)
                check_batch(&subject, maps, threads);
        close_subject(&subject);
    }
}

static void choose_kernels(const char *isa)
{
    struct ppm_error error = {0};
    cr_assert_eq(ppm_isa_select(isa, &error), PPM_OK, "%s", error.text);
}

#if defined(__x86_64__)
enum { THREADS_MIN = 1, MAPS_STEP = 1 };
#else /* an emulator takes thirty times as long */
enum { THREADS_MIN = THREADS_MAX - 1, MAPS_STEP = 2 };
#endif

/* Scalar kernels take ten times as long. */
static void check_scalar(size_t compute)
{
    choose_kernels("scalar");
    check_computes(compute, THREADS_MAX, 2);
}

static void check_all(size_t compute)
{
    if (strstr(computes[compute], "bfloat16") && !simd_select_bfloat16(core_simd()))
        check_scalar(compute);
    else
        check_computes(compute, THREADS_MIN, MAPS_STEP);
}

Test(bits, float32)
{
    check_all(0);
}

Test(bits, exact)
{
    check_all(1);
}

Test(bits, bfloat16)
{
    check_all(2);
}

Test(bits, exact_bfloat16)
{
    check_all(3);
}

Test(bits, scalar_kernels)
{
    check_scalar(2);
}

/* Values that are not finite in the middle map do not change the others, and have the same effect
 * on it as alone. */
static void check_neighbors(struct subject *subject, float value)
{
    float *broken = (float *)subject->x[1].data + support_elements(&subject->x[1]) / 2;
    const float whole = *broken;
    *broken = value;
    struct ppm_tensor alone = run(subject, &subject->x[1], NULL, 1);
    struct ppm_tensor alone_nhwc = run_nhwc(subject, &subject->x[1], 1);
    struct ppm_tensor x = batch_of(subject, MAPS);
    struct ppm_tensor y = run(subject, &x, NULL, 2);
    struct ppm_tensor nhwc = run_nhwc(subject, &x, 2);
    for (size_t n = 0; n < MAPS; n++) {
        expect_map(&y, n, n == 1 ? &alone : &subject->y[n], subject, 2, "not finite");
        expect_map(&nhwc, n, n == 1 ? &alone_nhwc : &subject->y_nhwc[n], subject, 2, "NHWC");
    }
    *broken = whole;
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&nhwc);
    ppm_tensor_free(&alone);
    ppm_tensor_free(&alone_nhwc);
}

static void check_all_neighbors(float value)
{
    if (!simd_select_bfloat16(core_simd()))
        choose_kernels("scalar");
    for (size_t i = 0; i < 2 * KINDS; i++) {
        struct subject subject;
        open_subject(&subject, i / 2, i % 2 ? 2 : 0);
        check_neighbors(&subject, value);
        close_subject(&subject);
    }
}

Test(bits, what_is_not_finite_stays_in_its_map)
{
    check_all_neighbors(NAN);
}

Test(bits, what_overflows_stays_in_its_map)
{
    check_all_neighbors(3e38F);
}

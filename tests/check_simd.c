/* check_simd.c - every kernel of every table that this machine runs; see check_simd.h. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- memory ---- */

enum { SLOT_BYTES = 1 << 16, MARGIN_BYTES = 512, CANARY = 0x7fbadbad /* a signalling NaN */ };

static struct slot {
    char *begin, *end; /* what may be touched */
    char *data;
    size_t bytes;
} slots[CHECK_SLOTS];

static void create_slots(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < CHECK_SLOTS && !slots[i].begin; i++) {
        char *memory = mmap(NULL, SLOT_BYTES + 2 * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        cr_assert(memory != MAP_FAILED);
        slots[i].begin = memory + page;
        slots[i].end = slots[i].begin + SLOT_BYTES;
        cr_assert(mprotect(memory, page, PROT_NONE) == 0);
        cr_assert(mprotect(slots[i].end, page, PROT_NONE) == 0);
    }
}

static char *margin_begin(const struct slot *slot)
{
    char *begin = slot->data - slot->begin > MARGIN_BYTES ? slot->data - MARGIN_BYTES : slot->begin;
    return begin - (begin - slot->begin) % (ptrdiff_t)sizeof(uint32_t);
}

static char *margin_end(const struct slot *slot)
{
    char *end = slot->data + slot->bytes;
    end += (slot->end - end) % (ptrdiff_t)sizeof(uint32_t);
    return slot->end - end > MARGIN_BYTES ? end + MARGIN_BYTES : slot->end;
}

void *check_place(struct check *check, size_t slot, size_t bytes)
{
    struct slot *s = &slots[slot];
    const size_t room = SLOT_BYTES - bytes, element = bytes % 4 == 0 ? 4 : 2;
    const size_t offsets[] = {0, room, element * check_pick(check, room / element + 1)};
    const uint32_t canary = CANARY;
    cr_assert(bytes <= SLOT_BYTES, "%zu bytes", bytes);
    s->data = s->begin + offsets[check_pick(check, COUNT(offsets))];
    s->bytes = bytes;
    for (char *at = margin_begin(s); at < margin_end(s); at += sizeof canary)
        memcpy(at, &canary, sizeof canary);
    return s->data;
}

float *check_place_floats(struct check *check, size_t slot, size_t count)
{
    return check_place(check, slot, count * sizeof(float));
}

float *check_place_data(struct check *check, size_t slot, size_t count, enum check_data data)
{
    float *floats = check_place_floats(check, slot, count);
    for (size_t i = 0; i < count; i++)
        floats[i] = check_float(check, data);
    return floats;
}

bool check_is_canary(const float *element)
{
    const uint32_t canary = CANARY;
    return memcmp(element, &canary, sizeof canary) == 0;
}

void check_margins(struct check *check, size_t slot)
{
    const struct slot *s = &slots[slot];
    const uint32_t canary = CANARY;
    const char *canary_bytes = (const char *)&canary;
    for (const char *at = margin_begin(s); at < margin_end(s); at++)
        if ((at < s->data || at >= s->data + s->bytes) &&
            *at != canary_bytes[(at - s->begin) % (ptrdiff_t)sizeof canary]) {
            check_fault(check, "writes %td bytes from the beginning of %zu", at - s->data,
                        s->bytes);
            return;
        }
}

const float *check_forbidden(void)
{
    return (const float *)(const void *)slots[0].end;
}

/* ---- faults ---- */

sigjmp_buf check_way_back;

static void on_signal(int signal)
{
    (void)signal;
    siglongjmp(check_way_back, 1);
}

void check_fault(struct check *check, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    if (check->faults++ == 0)
        vsnprintf(check->first, sizeof check->first, format, values);
    va_end(values);
}

uint64_t check_seed(void)
{
    const char *text = getenv("PPM_TEST_SEED");
    return text && *text ? strtoull(text, NULL, 0) : 1;
}

struct check check_run(checker *run, const struct simd_ops *ops,
                       const struct simd_bfloat16 *bfloat16, uint64_t seed)
{
    const struct sigaction catch = {.sa_handler = on_signal};
    struct sigaction segv, bus;
    struct check check = {.ops = ops, .bfloat16 = bfloat16, .state = seed};
    create_slots();
    sigaction(SIGSEGV, &catch, &segv);
    sigaction(SIGBUS, &catch, &bus);
    run(&check);
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return check;
}

/* ---- numbers ---- */

size_t check_pick(struct check *check, size_t count)
{
    check->state = check->state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (size_t)(check->state >> 33) % count;
}

float check_float(struct check *check, enum check_data data)
{
    static const float specials[] = {NAN, INFINITY, -INFINITY};
    const float uniform = (float)check_pick(check, 1 << 24) * 0x1p-22F - 2;
    switch (data) {
    case CHECK_INTEGERS:
        return (float)check_pick(check, 9) - 4;
    case CHECK_SIGNED:
        return uniform;
    default:
        break;
    }
    switch (check_pick(check, data == CHECK_SPECIAL ? 64 : 60)) {
    case 0:
        return 0;
    case 1:
        return -0.0F;
    case 2:
    case 3:
        return uniform * 0x1p-130F;
    case 60:
    case 61:
    case 62:
    case 63:
        return check_pick(check, 8) ? uniform : specials[check_pick(check, COUNT(specials))];
    default:
        return uniform * exp2f((float)check_pick(check, 24) - 14);
    }
}

size_t check_sizes(size_t lanes, size_t ret[CHECK_SIZES])
{
    const size_t sizes[] = {0,
                            1,
                            2,
                            3,
                            lanes - 1,
                            lanes,
                            lanes + 1,
                            2 * lanes - 1,
                            2 * lanes,
                            3 * lanes,
                            3 * lanes + 2,
                            4 * lanes + 1,
                            8 * lanes + lanes / 2};
    memcpy(ret, sizes, sizeof sizes);
    return COUNT(sizes);
}

bool check_is_near(float found, double expected, double tolerance)
{
    if (isnan(expected))
        return isnan(found);
    if (isinf(expected) || isinf(found))
        return (double)found == expected;
    return fabs((double)found - expected) <= tolerance;
}

/* ---- the tests ---- */

TestSuite(check_simd, .timeout = 300);

static void check_table(const char *kernel, checker *run, const struct simd_ops *ops)
{
    const uint64_t seed = check_seed();
    const struct check check = check_run(run, ops, simd_select_bfloat16(ops), seed);
    cr_expect(check.faults == 0, "%s of %s: %zu faults in %zu calls, first: %s; PPM_TEST_SEED=%llu",
              kernel, ops->name, check.faults, check.calls, check.first, (unsigned long long)seed);
    cr_expect(check.calls >= 100, "%s of %s: %zu calls", kernel, ops->name, check.calls);
}

static void check_tables(const char *kernel, checker *run, bool is_bfloat16)
{
    char *list = strdup(simd_names());
    for (char *rest, *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
        if (!is_bfloat16 || simd_select_bfloat16(simd_select(name)))
            check_table(kernel, run, simd_select(name));
    free(list);
}

#define CHECK_TEST(kernel)                                                                         \
    Test(check_simd, kernel)                                                                       \
    {                                                                                              \
        check_tables(#kernel, check_##kernel, false);                                              \
    }

#define CHECK_BFLOAT16_TEST(kernel)                                                                \
    Test(check_simd, kernel)                                                                       \
    {                                                                                              \
        check_tables(#kernel, check_##kernel, true);                                               \
    }

CHECK_TEST(gemm_tile)
CHECK_TEST(transpose)
CHECK_TEST(pick_rows)
CHECK_TEST(depthwise)
CHECK_TEST(sum_rows)
CHECK_TEST(max_rows)
CHECK_TEST(sum_windows)
CHECK_TEST(max_windows)
CHECK_TEST(add)
CHECK_TEST(mul)
CHECK_TEST(affine)
CHECK_TEST(lerp_rows)
CHECK_TEST(winograd_input)
CHECK_TEST(winograd_weights)
CHECK_TEST(winograd_output)
CHECK_TEST(stretch_rows)
CHECK_TEST(argmax)
CHECK_TEST(from_float16)
CHECK_TEST(from_bfloat16)
CHECK_TEST(to_float16)
CHECK_TEST(to_bfloat16)
CHECK_TEST(activations)
CHECK_TEST(softmax)
CHECK_TEST(moments)
CHECK_TEST(layer_norm)
CHECK_BFLOAT16_TEST(bfloat16_tile)
CHECK_BFLOAT16_TEST(pack_pairs)

/* While it lasts, and no longer. */
Test(check_simd, subnormals_are_flushed)
{
    const struct simd_ops *ops = simd_select(NULL);
    volatile float tiny = 1e-40F, half = 0.5F, smallest = 0x1p-126F;
    const unsigned before = ops->begin();
    const float taken = tiny * 2, given = smallest * half;
    const unsigned inner = ops->begin();
    ops->end(inner);
    const float still = tiny * 2;
    ops->end(before);
    const float after = tiny * 2;
    cr_expect(taken == 0 && given == 0 && still == 0, "found %g, %g, %g", (double)taken,
              (double)given, (double)still);
    cr_expect(after == tiny + tiny, "found %g afterwards", (double)after);
}

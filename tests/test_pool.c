/* test_pool.c - bins and windows: bounds, sizes, inputs they refuse, means.
 */
#include "core/reference/reference_ops.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(pool, .init = support_open_folder, .fini = support_close_folder);

/* PyTorch's AdaptiveAvgPool2d, bin by bin. */
Test(pool, adaptive_bins)
{
    static const struct {
        size_t extent, bins;
        size_t bounds[6][2];
    } cases[] = {
        {6, 1, {{0, 6}}},
        {6, 2, {{0, 3}, {3, 6}}},
        {6, 4, {{0, 2}, {1, 3}, {3, 5}, {4, 6}}},
        {7, 3, {{0, 3}, {2, 5}, {4, 7}}},
        {13, 6, {{0, 3}, {2, 5}, {4, 7}, {6, 9}, {8, 11}, {10, 13}}},
        {1, 3, {{0, 1}, {0, 1}, {0, 1}}},
        {2, 5, {{0, 1}, {0, 1}, {0, 2}, {1, 2}, {1, 2}}},
        {4294967295u, 2, {{0, 2147483648u}, {2147483647u, 4294967295u}}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < cases[i].bins; k++) {
            size_t from, to;
            geometry_adaptive_bin(k, cases[i].bins, cases[i].extent, &from, &to);
            cr_expect(from == cases[i].bounds[k][0] && to == cases[i].bounds[k][1],
                      "bin %zu of %zu over %zu: found %zu .. %zu", k, cases[i].bins,
                      cases[i].extent, from, to);
        }
}

static struct geometry geometry_ok(const struct spec *spec, size_t h, size_t w)
{
    struct ppm_error error = {0};
    struct geometry geometry;
    const struct ppm_shape shape = {1, spec->channels, h, w};
    cr_assert(geometry_of(spec, SIZES_OF(shape), &geometry, &error) == PPM_OK, "%s", error.text);
    return geometry;
}

static struct spec spec_ok(const char *json)
{
    struct ppm_error error = {0};
    struct spec spec;
    cr_assert(spec_read(support_write_json("m.json", json), &spec, &error) == PPM_OK, "%s",
              error.text);
    return spec;
}

/* round(H / b) halves to even; SAME pads the rest, VALID drops it. */
Test(pool, windows_of_bins)
{
    static const struct {
        const char *pool;
        size_t extent, bin, window, pooled, pad;
    } cases[] = {
        {"same", 30, 1, 30, 1, 0},   {"same", 30, 6, 5, 6, 0},   {"same", 10, 3, 3, 4, 1},
        {"same", 5, 2, 2, 3, 0},     {"same", 7, 2, 4, 2, 0},    {"same", 9, 2, 4, 3, 1},
        {"same", 11, 2, 6, 2, 0},    {"same", 15, 6, 2, 8, 0},   {"same", 13, 6, 2, 7, 0},
        {"same", 17, 6, 3, 6, 0},    {"same", 4, 6, 1, 4, 0},    {"same", 1, 1, 1, 1, 0},
        {"valid", 30, 6, 5, 6, 0},   {"valid", 10, 3, 3, 3, 0},  {"valid", 5, 2, 2, 2, 0},
        {"valid", 7, 2, 4, 1, 0},    {"valid", 11, 6, 2, 5, 0},  {"valid", 4, 6, 1, 4, 0},
        {"same", 714, 6, 119, 6, 0}, {"same", 90, 4, 22, 5, 10},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char json[160];
        snprintf(json, sizeof json,
                 "{'input': {'channels': 1}, 'bins': [%zu], 'pool': '%s', 'branch': []}",
                 cases[i].bin, cases[i].pool);
        struct spec spec = spec_ok(json);
        struct geometry g = geometry_ok(&spec, cases[i].extent, cases[i].extent);
        const struct branch_geometry *b = &g.branches[0];
        cr_expect(b->window_h == cases[i].window && b->pooled_h == cases[i].pooled &&
                      b->pad_top == cases[i].pad,
                  "%s, %zu in bins of %zu: window %zu, pooled %zu, pad %zu", cases[i].pool,
                  cases[i].extent, cases[i].bin, b->window_h, b->pooled_h, b->pad_top);
        cr_expect(b->window_w == b->window_h && b->pooled_w == b->pooled_h &&
                  b->pad_left == b->pad_top);
        spec_release(&spec);
    }
}

/* For any size: bins and windows are never empty or out of bounds, and cover every pixel. */
Test(pool, windows_cover_the_input)
{
    for (size_t extent = 1; extent <= 40; extent++)
        for (size_t window = 1; window <= 45; window++) {
            const size_t pooled = (extent + window - 1) / window;
            const size_t pad = (pooled * window - extent) / 2;
            size_t covered = 0;
            for (size_t k = 0; k < pooled; k++) {
                size_t from, to;
                geometry_window(k, window, pad, extent, &from, &to);
                cr_assert(from == covered && to > from && to - from <= window,
                          "window %zu of %zu over %zu: %zu .. %zu", k, window, extent, from, to);
                covered = to;
            }
            cr_assert(covered == extent);
        }
    for (size_t extent = 1; extent <= 40; extent++)
        for (size_t bins = 1; bins <= 45; bins++) {
            size_t covered = 0;
            for (size_t k = 0; k < bins; k++) {
                size_t from, to;
                geometry_adaptive_bin(k, bins, extent, &from, &to);
                cr_assert(from <= covered && to > from && to >= covered,
                          "bin %zu of %zu over %zu: %zu .. %zu", k, bins, extent, from, to);
                covered = to;
            }
            cr_assert(covered == extent);
        }
}

#define PYRAMID(more) "{'input': {'channels': 3}, 'branch': [], " more "}"

Test(pool, inputs_that_do_not_fit)
{
    static const struct {
        const char *name, *json;
        struct ppm_shape shape;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {"channels",
         PYRAMID("'bins': [1]"),
         {1, 4, 9, 9},
         PPM_UNFIT,
         "found 4 channels, expected the model's 3"},
        {"window of 0",
         PYRAMID("'bins': [1, 6], 'pool': 'same'"),
         {1, 3, 3, 9},
         PPM_UNFIT,
         "bin 6 makes a pooling window of 0 x 2 pixels on an input of 3 x 9 (H x W)"},
        {"window of 0 across",
         PYRAMID("'bins': [6], 'pool': 'valid'"),
         {1, 3, 9, 3},
         PPM_UNFIT,
         "bin 6 makes a pooling window of 2 x 0 pixels on an input of 9 x 3"},
        {"window beyond the input",
         PYRAMID("'windows': [5, [8, 9]], 'pool': 'valid'"),
         {1, 3, 8, 8},
         PPM_UNFIT,
         "the input is 8 x 8 (H x W), expected at least the 8 x 9 pixels of branch 1's pooling"},
        {"branch and input",
         PYRAMID("'bins': [1, 3], 'pool': 'same', 'upsample_to': 'stride_multiple'"),
         {1, 3, 9, 10},
         PPM_UNFIT,
         "branch 1 is upsampled to 9 x 12 (H x W) and the input is 9 x 10: they cannot be"},
        {"two branches",
         PYRAMID("'bins': [1, 3], 'pool': 'valid', 'upsample_to': 'stride_multiple',"
                 " 'concat': 'branches'"),
         {1, 3, 10, 9},
         PPM_UNFIT,
         "branch 1 is upsampled to 9 x 9 (H x W) and branch 0 is 10 x 9: they cannot be"},
        {"an extent of 0",
         PYRAMID("'bins': [1]"),
         {1, 3, 0, 9},
         PPM_MALFORMED,
         "found a dimension of 0 (N 1, C 3, H 0, W 9)"},
        {"overflow",
         PYRAMID("'bins': [1]"),
         {(size_t)1 << 62, 3, 9, 9},
         PPM_MALFORMED,
         "overflows"},
        {"a side of 2^32",
         PYRAMID("'bins': [1]"),
         {1, 3, (size_t)1 << 32, 1},
         PPM_TOO_LARGE,
         "4294967296 x 1"},
        {"output overflows",
         PYRAMID("'bins': [1], 'output': {'scale': 256}"),
         {1, 3, (size_t)1 << 25, (size_t)1 << 25},
         PPM_TOO_LARGE,
         "overflows"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        struct geometry geometry;
        struct spec spec = spec_ok(cases[i].json);
        cr_expect(geometry_of(&spec, SIZES_OF(cases[i].shape), &geometry, &error) ==
                      cases[i].status,
                  "%s: found status %d", cases[i].name, (int)error.status);
        cr_expect(error.status == cases[i].status, "%s", cases[i].name);
        cr_expect(strstr(error.text, cases[i].text) != NULL, "%s: found \"%s\"", cases[i].name,
                  error.text);
        spec_release(&spec);
    }
}

/* Means of 1 .. 35 on 5 x 7, calculated by hand; padding does not count. */
Test(pool, means)
{
    static const struct {
        const char *json;
        size_t count;
        float means[6];
    } cases[] = {
        {"{'input': {'channels': 1}, 'branch': [], 'bins': [1]}", 1, {18}},
        {"{'input': {'channels': 1}, 'branch': [], 'bins': [2]}", 4, {9.5F, 12.5F, 23.5F, 26.5F}},
        {"{'input': {'channels': 1}, 'branch': [], 'pool': 'same', 'windows': [[3, 4]]}",
         4,
         {9.5F, 13, 27, 30.5F}},
        {"{'input': {'channels': 1}, 'branch': [], 'pool': 'same', 'windows': [3]}",
         6,
         {8.5F, 11, 13.5F, 26, 28.5F, 31}},
        {"{'input': {'channels': 1}, 'branch': [], 'pool': 'valid', 'windows': [[2, 3]]}",
         4,
         {5.5F, 8.5F, 19.5F, 22.5F}},
        {"{'input': {'channels': 1}, 'branch': [], 'pool': 'same', 'windows': [9]}", 1, {18}},
    };
    float x[35];
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = (float)(i + 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        float found[6];
        struct spec spec = spec_ok(cases[i].json);
        struct geometry g = geometry_ok(&spec, 5, 7);
        cr_assert(g.branches[0].pooled_h * g.branches[0].pooled_w == cases[i].count, "case %zu", i);
        reference_pool(NULL, x, 1, 5, 7, spec.pyramid->pool, &g.branches[0], found);
        for (size_t k = 0; k < cases[i].count; k++)
            cr_expect(found[k] == cases[i].means[k], "case %zu, bin %zu: found %g, expected %g", i,
                      k, (double)found[k], (double)cases[i].means[k]);
        spec_release(&spec);
    }
}

/* A NaN or Inf stays in its bins; large values do not overflow in between. */
Test(pool, special_values)
{
    const struct branch_geometry two = {.pooled_h = 1, .pooled_w = 2};
    const float x[3][4] = {{NAN, 1, 2, 4}, {1, 3, INFINITY, 1}, {3e38F, 3e38F, -3e38F, -3e38F}};
    float found[6];
    reference_pool(NULL, x[0], 3, 1, 4, POOL_ADAPTIVE, &two, found);
    cr_expect(isnan(found[0]) && found[1] == 3);
    cr_expect(found[2] == 2 && isinf(found[3]));
    cr_expect(found[4] == 3e38F && found[5] == -3e38F);
}

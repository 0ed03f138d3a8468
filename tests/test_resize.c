/* test_resize.c - the source positions of resized pixels, and their values. */
#include "core/reference/reference_ops.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>

static const enum resize modes[] = {RESIZE_ALIGN_CORNERS, RESIZE_HALF_PIXEL, RESIZE_ASYMMETRIC};

/* Positions in the input, from the frameworks' formulas. */
Test(resize, positions)
{
    static const struct {
        enum resize mode;
        size_t in, out;
        double positions[6];
    } cases[] = {
        {RESIZE_ALIGN_CORNERS, 2, 5, {0, 0.25, 0.5, 0.75, 1}},
        {RESIZE_ALIGN_CORNERS, 3, 5, {0, 0.5, 1, 1.5, 2}},
        {RESIZE_ALIGN_CORNERS, 5, 3, {0, 2, 4}},
        {RESIZE_ALIGN_CORNERS, 4, 4, {0, 1, 2, 3}},
        {RESIZE_ALIGN_CORNERS, 7, 1, {0}},
        {RESIZE_ALIGN_CORNERS, 1, 3, {0, 0, 0}},
        {RESIZE_HALF_PIXEL, 2, 4, {0, 0.25, 0.75, 1.25}},
        {RESIZE_HALF_PIXEL, 4, 2, {0.5, 2.5}},
        {RESIZE_HALF_PIXEL, 5, 1, {2}},
        {RESIZE_HALF_PIXEL, 3, 3, {0, 1, 2}},
        {RESIZE_HALF_PIXEL, 1, 3, {0, 0, 1.0 / 3}},
        {RESIZE_ASYMMETRIC, 2, 4, {0, 0.5, 1, 1.5}},
        {RESIZE_ASYMMETRIC, 4, 2, {0, 2}},
        {RESIZE_ASYMMETRIC, 5, 2, {0, 2.5}},
        {RESIZE_ASYMMETRIC, 1, 3, {0, 1.0 / 3, 2.0 / 3}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t k = 0; k < cases[i].out; k++) {
            const struct resize_tap tap = geometry_tap(cases[i].mode, k, cases[i].in, cases[i].out);
            const double found = (double)tap.low + tap.weight;
            cr_expect(fabs(found - cases[i].positions[k]) < 1e-12,
                      "case %zu, pixel %zu: found %g, expected %g", i, k, found,
                      cases[i].positions[k]);
        }
}

/* Inside the input, in order, and the identity when nothing changes. */
Test(resize, taps_stay_inside)
{
    for (size_t m = 0; m < COUNT(modes); m++)
        for (size_t in = 1; in <= 33; in++)
            for (size_t out = 1; out <= 65; out++) {
                double before = 0;
                for (size_t i = 0; i < out; i++) {
                    const struct resize_tap tap = geometry_tap(modes[m], i, in, out);
                    const double position = (double)tap.low + tap.weight;
                    cr_assert(tap.low < in &&
                                  tap.high == (tap.low + 1 < in ? tap.low + 1 : tap.low) &&
                                  tap.weight >= 0 && tap.weight < 1 && position >= before,
                              "mode %zu, %zu to %zu, pixel %zu: %zu, %zu, %g", m, in, out, i,
                              tap.low, tap.high, tap.weight);
                    cr_assert(in != out || (tap.low == i && tap.weight == 0));
                    before = position;
                }
            }
}

Test(resize, sides_of_four_billion)
{
    const size_t side = 4294967295u;
    for (size_t m = 0; m < COUNT(modes); m++) {
        const struct resize_tap up = geometry_tap(modes[m], side - 1, 6, side);
        const struct resize_tap down = geometry_tap(modes[m], 5, side, 6);
        cr_expect(up.low <= 5 && up.high <= 5, "mode %zu: found %zu", m, up.low);
        cr_expect(down.low < side && down.high < side, "mode %zu: found %zu", m, down.low);
    }
}

/* [[0, 2], [4, 10]] to 3 x 3; memory between the maps of a batch is not touched. */
Test(resize, values)
{
    static const float x[2][4] = {{0, 2, 4, 10}, {0, -2, -4, -10}};
    static const double expected[][9] = {
        {0, 1, 2, 2, 4, 6, 4, 7, 10},
        {0, 1, 2, 2, 4, 6, 4, 7, 10},
        {0, 4 / 3.0, 2, 8 / 3.0, 52 / 9.0, 22 / 3.0, 4, 8, 10},
    };
    atomic_bool is_abandoned = false;
    const struct run run = {.threads = 1, .is_abandoned = &is_abandoned};
    for (size_t m = 0; m < COUNT(modes); m++) {
        float found[2 * 11];
        for (size_t i = 0; i < COUNT(found); i++)
            found[i] = -99;
        reference_stretch(&run, x[0], 2, 1, 2, 2, modes[m], 3, 3, found, 11);
        for (size_t i = 0; i < 9; i++) {
            cr_expect(fabs((double)found[i] - expected[m][i]) < 1e-6,
                      "mode %zu, pixel %zu: found %g", m, i, (double)found[i]);
            cr_expect(found[11 + i] == -found[i], "mode %zu, map 1, pixel %zu", m, i);
        }
        cr_expect(found[9] == -99 && found[10] == -99 && found[20] == -99 && found[21] == -99);
    }
}

/* test_opacity.c - the opacity of labels as text. */
#include "server/codec/opacity.h"

#include <criterion/criterion.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

Test(opacity, decimal_numbers_from_0_to_1_are_read)
{
    static const struct {
        const char *text;
        double opacity;
    } cases[] = {{"0", 0},
                 {"1", 1},
                 {"0.5", 0.5},
                 {".5", 0.5},
                 {"1.", 1},
                 {"1e-05", 1e-5},
                 {"5E-1", 0.5},
                 {"0.1e+1", 1},
                 {"0.3", 0.3},
                 {"00.25", 0.25},
                 {"1e-9999", 0},
                 {"0e9999", 0},
                 {"1.0000000000000000000000000", 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double opacity = 9;
        cr_assert(codec_read_opacity(cases[i].text, &opacity) && opacity == cases[i].opacity,
                  "%s: %.17g", cases[i].text, opacity);
    }
}

Test(opacity, anything_else_is_refused)
{
    static const char *const texts[] = {
        "",    ".",    "-0",   "-0.5", "+0.5", " 0.5",   "0.5 ",   "0.5x",     "0,5",
        "1.1", "1e1",  "1e",   "e-1",  ".e1",  "1e-1e1", "nan",    "inf",      "1.0000000001",
        "--1", "0..5", "1e-+", "True", "50%",  "0x1p-1", "1e9999", "infinity", "0x0"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        double opacity = 9;
        cr_assert(!codec_read_opacity(texts[i], &opacity) && opacity == 9, "\"%s\": %g", texts[i],
                  opacity);
    }
}

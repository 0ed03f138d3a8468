/* test_axes.c - shapes and sizes as text. */
#include "server/codec/axes.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

Test(axes, shapes_are_parsed)
{
    static const struct {
        const char *text;
        size_t count;
        size_t axes[4];
    } cases[] = {{"1,4,30,30", 4, {1, 4, 30, 30}},
                 {" 1 ,\t4, 30 ,30 ", 4, {1, 4, 30, 30}},
                 {"4,30,31", 3, {4, 30, 31}},
                 {"18446744073709551615,1,1", 3, {SIZE_MAX, 1, 1}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t axes[4], count = 0;
        cr_assert(codec_parse_shape(cases[i].text, axes, &count, &error) == PPM_OK, "%s: %s",
                  cases[i].text, error.text);
        cr_assert(count == cases[i].count, "%s", cases[i].text);
        cr_assert(memcmp(axes, cases[i].axes, count * sizeof axes[0]) == 0, "%s", cases[i].text);
    }
}

Test(axes, shapes_are_refused)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "shape \"\": axis 0 is \"\", expected a positive integer"},
        {"1,4", "shape \"1,4\": found 2 axes, expected 3 or 4, such as 1,4,30,30"},
        {"1,2,3,4,5", "found 5 axes, expected 3 or 4"},
        {"1,4,x,30", "shape \"1,4,x,30\": axis 2 is \"x\", expected a positive integer"},
        {"1,4,30,0", "axis 3 is \"0\""},
        {"1,4,-30,30", "axis 2 is \"-30\""},
        {"1,4,+30,30", "axis 2 is \"+30\""},
        {"1,4,3 0,30", "axis 2 is \"3 0\""},
        {"1,4,30.0,30", "axis 2 is \"30.0\""},
        {"1,4,30,", "axis 3 is \"\""},
        {"1,,30,30", "axis 1 is \"\""},
        {"[1,4,30,30]", "axis 0 is \"[1\""},
        {"1,4,18446744073709551616", "axis 2 is \"18446744073709551616\""},
        {"1,4,30,\n\xff", "axis 3 is \"\\x0a\\xff\""},
        {"1,4,30,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "axis 3 is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t axes[4] = {9, 9, 9, 9}, count = 9;
        cr_assert(codec_parse_shape(cases[i].text, axes, &count, &error) == PPM_MALFORMED, "%s",
                  cases[i].text);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "%s: %s", cases[i].text,
                  error.text);
        cr_assert(count == 9 && axes[0] == 9, "%s: an output was touched", cases[i].text);
    }
}

Test(axes, sizes_are_parsed)
{
    static const struct {
        const char *text;
        size_t h, w;
    } cases[] = {
        {"480,640", 480, 640}, {" 1 ,\t2 ", 1, 2}, {"18446744073709551615,7", SIZE_MAX, 7}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t h = 0, w = 0;
        cr_assert(codec_parse_size(cases[i].text, &h, &w, &error) == PPM_OK, "%s: %s",
                  cases[i].text, error.text);
        cr_assert(h == cases[i].h && w == cases[i].w, "%s: %zu x %zu", cases[i].text, h, w);
    }
}

Test(axes, sizes_are_refused)
{
    static const char *const texts[] = {
        "",        ",",     "480",   "480,",       ",640",
        "0,640",   "480,0", "4,8,0", "480x640",    "-1,640",
        "480,6 4", "a,b",   "1,2,3", "480,640 px", "1,18446744073709551616"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct ppm_error error = {0};
        size_t h = 9, w = 9;
        cr_assert(codec_parse_size(texts[i], &h, &w, &error) == PPM_MALFORMED, "%s", texts[i]);
        cr_assert(strstr(error.text, "size: found \"") && strstr(error.text, texts[i]) &&
                      strstr(error.text, "\", expected H,W in pixels, such as 480,640"),
                  "%s: %s", texts[i], error.text);
        cr_assert(h == 9 && w == 9, "%s: an output was touched", texts[i]);
    }
}

static const struct ppm_input_info two[] = {{"c2", 256}, {"c5", 2048}};

Test(axes, shapes_of_several_inputs_are_parsed)
{
    static const char *const texts[] = {"c2=1,256,64,48;c5=1,2048,16,12",
                                        "c5=2048,16,12;c2=256, 64 ,48"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct ppm_error error = {0};
        struct ppm_sizes sizes;
        cr_assert(codec_parse_shapes(texts[i], two, 2, PPM_NCHW, &sizes, &error) == PPM_OK,
                  "%s: %s", texts[i], error.text);
        const struct ppm_shape first = sizes.inputs[0], second = sizes.inputs[1];
        cr_assert(sizes.count == 2 && first.n == 1 && first.c == 256 && first.h == 64 &&
                  first.w == 48 && second.n == 1 && second.c == 2048 && second.h == 16 &&
                  second.w == 12 && sizes.output_h == 0);
    }
    struct ppm_error error = {0};
    struct ppm_sizes sizes;
    cr_assert(codec_parse_shapes("3,5,2048", &two[1], 1, PPM_NHWC, &sizes, &error) == PPM_OK);
    cr_assert(sizes.inputs[0].c == 2048 && sizes.inputs[0].h == 3 && sizes.inputs[0].w == 5);
    cr_assert(codec_parse_shapes("c5=2048,3,5", &two[1], 1, PPM_NCHW, &sizes, &error) == PPM_OK);
    cr_assert(sizes.inputs[0].c == 2048 && sizes.inputs[0].h == 3);
}

Test(axes, shapes_of_several_inputs_are_refused)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "shape: found \"\", expected NAME=N,C,H,W for each of c2 and c5"},
        {"1,256,64,48",
         "shape: found \"1,256,64,48\", expected NAME=N,C,H,W for each of c2 and c5"},
        {"c2=1,256,64,48", "shape: found none of c5, expected one of each input"},
        {"c2=1,256,64,48;", "shape: found \"\", expected NAME"},
        {"c2=1,256,64,48;c2=1,256,64,48", "shape: found c2 twice, expected each input once"},
        {"c2=1,256,64,48;x=1,2,3,4", "shape: found \"x=1,2,3,4\", expected NAME"},
        {"c2=1,256,64,48;c5=", "shape \"\": axis 0 is \"\""},
        {"c2=1,256,64,48;c5=1,2", "shape \"1,2\": found 2 axes"},
        {"c2=1,256,64,48;c5=1,2,3,0", "axis 3 is \"0\""},
        {"c2=1,256,64,48;c5=1,2,3,4,"
         "                                                                                        "
         "                                                                5",
         "shape: found \"c5=1,2,3,4,"},
        {"c2=18446744073709551615,256,64,48;c5=1,1,1,1", "overflows"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        struct ppm_sizes sizes = {.count = 9};
        cr_assert(codec_parse_shapes(cases[i].text, two, 2, PPM_NCHW, &sizes, &error) ==
                      PPM_MALFORMED,
                  "%s", cases[i].text);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "%s: %s", cases[i].text,
                  error.text);
        cr_assert(sizes.count == 9, "%s: an output was touched", cases[i].text);
    }
}

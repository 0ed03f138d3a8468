/* test_png.c - label maps as PNG: what libpng reads back, errors, sizes.
 */
#include "server/codec/png/png.h"
#include "tests/heap_sweep.h"
#include "tests/png_reader.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint8_t colors[256][3];
static struct codec_palette palette = {colors, COUNT(colors)};

static void fill_colors(void)
{
    for (size_t i = 0; i < COUNT(colors); i++)
        memcpy(colors[i], (uint8_t[]){(uint8_t)i, (uint8_t)(255 - i), (uint8_t)(7 * i)}, 3);
}

TestSuite(png, .init = fill_colors);

/* Labels below `labels`, the same for `run` pixels in a row. */
static struct ppm_tensor map_of(size_t h, size_t w, size_t labels, size_t run)
{
    struct ppm_tensor map = {
        .shape = {1, 1, h, w}, .dtype = PPM_INT32, .is_batch = true, .layout = PPM_NCHW};
    struct ppm_error error = {0};
    uint64_t state = 1;
    cr_assert(ppm_tensor_allocate(&map, &error) == PPM_OK);
    for (size_t i = 0; i < h * w; i++) {
        if (i % run == 0)
            state = state * 6364136223846793005u + 1442695040888963407u;
        ((int32_t *)map.data)[i] = (int32_t)((state >> 33) % labels);
    }
    return map;
}

/* Written and read back unchanged, within the memory that was requested. */
static void check_round_trip(size_t h, size_t w, size_t labels, size_t run)
{
    struct ppm_error error = {0};
    struct ppm_tensor map = map_of(h, w, labels, run), same = map_of(h, w, labels, run);
    const size_t bytes_max = codec_encoded_bytes_max(&codec_png, h * w);
    char *memory = malloc(bytes_max);
    size_t bytes = 0;
    cr_assert(
        codec_png.encode(&(struct codec_answer){.tensor = &map, .palette = palette, .cancel = NULL},
                         memory, &bytes, &error) == PPM_OK,
        "%s", error.text);
    cr_assert(bytes <= bytes_max, "%zu x %zu: %zu bytes of %zu", h, w, bytes, bytes_max);
    struct png_map found = png_map_read(memory, bytes);
    cr_assert(found.h == h && found.w == w, "%zu x %zu: found %zu x %zu", h, w, found.h, found.w);
    cr_assert(found.palette_count == palette.count &&
              memcmp(found.palette, colors, 3 * palette.count) == 0);
    for (size_t i = 0; i < h * w; i++)
        cr_assert(found.labels[i] == ((int32_t *)same.data)[i], "%zu x %zu, pixel %zu: %d", h, w, i,
                  found.labels[i]);
    png_map_free(&found);
    ppm_tensor_free(&map);
    ppm_tensor_free(&same);
    free(memory);
}

Test(png, round_trips)
{
    static const size_t sides[] = {1, 2, 3, 63, 480};
    for (size_t i = 0; i < COUNT(sides) * COUNT(sides); i++) {
        const size_t h = sides[i / COUNT(sides)], w = sides[i % COUNT(sides)];
        check_round_trip(h, w, 256, 1); /* noise, which cannot be compressed */
        check_round_trip(h, w, 21, 40);
    }
    check_round_trip(1, 100000, 256, 1);
    check_round_trip(100000, 1, 256, 1);
    check_round_trip(1, 2000000, 3, 1000); /* beyond libpng's usual limit */
    palette.count = 3;
    check_round_trip(9, 9, 3, 2);
}

Test(png, refuses_what_it_cannot_show)
{
    static const struct {
        struct ppm_shape shape;
        enum ppm_dtype dtype;
        size_t colors;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {{3, 1, 2, 2}, PPM_INT32, 256, PPM_UNFIT, "a PNG shows one map, found a batch of 3"},
        {{1, 1, 2, 2}, PPM_FLOAT32, 256, PPM_UNFIT, "found float32 of 1 channel"},
        {{1, 2, 2, 2}, PPM_INT32, 256, PPM_UNFIT, "found int32 of 2 channels"},
        {{1, 1, 2, 2}, PPM_INT32, 0, PPM_UNFIT, "without a palette"},
        {{1, 1, 2, 2},
         PPM_INT32,
         9,
         PPM_UNFIT,
         "found label 9 at pixel 2, expected one of the palette's 9 colors"},
        {{1, 1, 2, 2}, PPM_INT32, 8, PPM_UNFIT, "label 8 at pixel 1"},
        {{1, 1, 1u << 31, 1}, PPM_INT32, 256, PPM_TOO_LARGE, "found 2147483648 x 1"},
        {{1, 1, 1, 1u << 31}, PPM_INT32, 256, PPM_TOO_LARGE, "found 1 x 2147483648"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        int32_t labels[] = {7, 8, 9, 10};
        const struct ppm_tensor map = {
            .shape = cases[i].shape, .dtype = cases[i].dtype, .data = labels};
        const struct codec_palette some = {colors, cases[i].colors};
        size_t bytes = 77;
        cr_assert(codec_png.encode(
                      &(struct codec_answer){.tensor = &map, .palette = some, .cancel = NULL}, NULL,
                      &bytes, &error) == cases[i].status,
                  "case %zu: %s", i, error.text);
        cr_assert(strstr(error.text, cases[i].text) != NULL, "case %zu: %s", i, error.text);
        cr_assert(bytes == 77);
    }
}

Test(png, refuses_labels_below_zero)
{
    struct ppm_error error = {0};
    int32_t labels[] = {0, -1};
    const struct ppm_tensor map = {.shape = {1, 1, 1, 2}, .dtype = PPM_INT32, .data = labels};
    size_t bytes;
    cr_assert(
        codec_png.encode(&(struct codec_answer){.tensor = &map, .palette = palette, .cancel = NULL},
                         NULL, &bytes, &error) == PPM_UNFIT);
    cr_assert(strstr(error.text, "label -1 at pixel 1") != NULL, "%s", error.text);
}

#ifndef MALLOC_IS_TAKEN

enum { SIDE = 50 };
static int32_t swept[SIDE * SIDE];
static char swept_bytes[4 * SIDE * SIDE + 8192];

static bool encode(struct ppm_error *error)
{
    const struct ppm_tensor map = {.shape = {1, 1, SIDE, SIDE}, .dtype = PPM_INT32, .data = swept};
    size_t bytes;
    memset(swept, 0, sizeof swept);
    return codec_png.encode(
               &(struct codec_answer){.tensor = &map, .palette = palette, .cancel = NULL},
               swept_bytes, &bytes, error) == PPM_OK;
}

static void release_nothing(void)
{
}

/* libpng and zlib allocate with malloc. */
Test(png, fails_cleanly_without_memory)
{
    cr_assert(codec_encoded_bytes_max(&codec_png, SIDE * SIDE) <= sizeof swept_bytes);
    heap_sweep(&(struct heap_attempt){"a PNG", encode, release_nothing, .expected = true,
                                      .requests_min = 6});
}

#endif

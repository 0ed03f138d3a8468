/* test_classes.c - the classes in a map of labels as JSON: pixels, shares and boxes counted again,
 * rows and run lengths read back. */
#include "server/codec/classes/classes.h"
#include "tests/heap_sweep.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 12, NAMED = 12 };

static const struct ppm_class_info names[NAMED] = {{"sky", {1, 2, 3}},
                                                   {"road", {128, 64, 128}},
                                                   {"a \"quoted\\ name", {0, 0, 255}},
                                                   {"d", {3}},
                                                   {"stra\xc3\x9f", {4}},
                                                   {"f", {5}},
                                                   {"g", {6}},
                                                   {"h", {7}},
                                                   {"i", {8}},
                                                   {"j", {9}},
                                                   {"k", {10}},
                                                   {"l", {11}}};

static struct ppm_model_info info = {
    .name = "a \"model\"", .classes = CLASSES, .class_list = names, .class_count = NAMED};

static int32_t labels[300 * 300];

/* Labels below `classes`, each for up to `run` pixels of a row. */
static struct ppm_tensor map_of(size_t h, size_t w, int32_t classes, size_t run)
{
    static uint64_t state = 1;
    size_t left = 0;
    cr_assert(h * w <= COUNT(labels));
    for (size_t i = 0; i < h * w; i++, left--) {
        if (left == 0) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            left = 1 + (state >> 33) % run;
        }
        labels[i] = (int32_t)((state >> 40) % (uint64_t)classes);
    }
    return (struct ppm_tensor){.shape = {1, 1, h, w}, .dtype = PPM_INT32, .data = labels};
}

/* Its JSON, written into memory of exactly the announced size. */
static json_t *classes_json(const struct ppm_tensor *map, enum codec_labels shows)
{
    struct ppm_error error = {0};
    json_error_t syntax;
    size_t bytes = 0;
    struct codec_classes *classes = codec_classes_find(map, &info, shows, NULL, &error);
    cr_assert(classes, "%s", error.text);
    const size_t bytes_max = codec_classes_bytes(classes);
    char *text = malloc(bytes_max);
    cr_assert(codec_classes_write(classes, text, &bytes, &error) == PPM_OK, "%s", error.text);
    cr_assert(bytes <= bytes_max, "%zu of %zu", bytes, bytes_max);
    json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &syntax);
    cr_assert(json, "%s at %d: %.*s", syntax.text, syntax.position, (int)size_min(bytes, 400),
              text);
    free(text);
    codec_classes_free(classes);
    return json;
}

static size_t number_at(const json_t *list, size_t index)
{
    return (size_t)json_integer_value(json_array_get(list, index));
}

/* Counted by another loop: each pixel for itself. */
static void check_class(const json_t *found, const struct ppm_shape s, int32_t label)
{
    size_t pixels = 0, left = SIZE_MAX, top = SIZE_MAX, right = 0, bottom = 0;
    const json_t *box = json_object_get(found, "box");
    for (size_t i = 0; i < s.h * s.w; i++) {
        if (labels[i] != label)
            continue;
        pixels++;
        left = size_min(left, i % s.w);
        top = size_min(top, i / s.w);
        right = size_max(right, i % s.w);
        bottom = size_max(bottom, i / s.w);
    }
    cr_assert((size_t)json_integer_value(json_object_get(found, "pixels")) == pixels);
    cr_assert_float_eq(json_number_value(json_object_get(found, "share")),
                       (double)pixels / (double)(s.h * s.w), 1e-7);
    cr_assert(number_at(box, 0) == left && number_at(box, 1) == top &&
                  number_at(box, 2) == right - left + 1 && number_at(box, 3) == bottom - top + 1,
              "class %d", label);
}

/* Checks the classes one by one; they are a partition of the map. */
static void check_classes(const json_t *json, const struct ppm_shape s)
{
    const json_t *list = json_object_get(json, "classes"), *size = json_object_get(json, "size");
    size_t pixels = 0, before = SIZE_MAX;
    cr_assert(number_at(size, 0) == s.h && number_at(size, 1) == s.w);
    cr_assert_str_eq(json_string_value(json_object_get(json, "model")), info.name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *found = json_array_get(list, i), *color = json_object_get(found, "color");
        const int32_t label = (int32_t)json_integer_value(json_object_get(found, "id"));
        const size_t own = (size_t)json_integer_value(json_object_get(found, "pixels"));
        check_class(found, s, label);
        cr_assert_str_eq(json_string_value(json_object_get(found, "name")), names[label].name);
        for (size_t k = 0; k < 3; k++)
            cr_assert(number_at(color, k) == names[label].color[k]);
        cr_assert(own > 0 && own <= before, "class %d comes after a smaller one", label);
        before = own;
        pixels += own;
    }
    cr_assert(pixels == s.h * s.w, "%zu pixels have a class, of %zu", pixels, s.h * s.w);
}

/* As pycocotools' frUncompressedRLE and decode. */
static void check_mask(const json_t *found, const struct ppm_shape s)
{
    const int32_t label = (int32_t)json_integer_value(json_object_get(found, "id"));
    const json_t *mask = json_object_get(found, "segmentation"),
                 *counts = json_object_get(mask, "counts"), *size = json_object_get(mask, "size");
    size_t at = 0;
    cr_assert(number_at(size, 0) == s.h && number_at(size, 1) == s.w);
    for (size_t i = 0; i < json_array_size(counts); i++) {
        const size_t count = number_at(counts, i);
        cr_assert(count > 0 || i == 0, "class %d: count %zu is 0", label, i);
        for (size_t k = 0; k < count; k++, at++)
            cr_assert((labels[at % s.h * s.w + at / s.h] == label) == (i % 2 == 1),
                      "class %d, pixel %zu", label, at);
    }
    cr_assert(at == s.h * s.w, "class %d: %zu of %zu pixels", label, at, s.h * s.w);
}

static void check_rows(const json_t *rows, const struct ppm_shape s)
{
    cr_assert(json_array_size(rows) == s.h);
    for (size_t y = 0; y < s.h; y++) {
        const json_t *row = json_array_get(rows, y);
        cr_assert(json_array_size(row) == s.w);
        for (size_t x = 0; x < s.w; x++)
            cr_assert((int32_t)number_at(row, x) == labels[y * s.w + x], "%zu, %zu", y, x);
    }
}

static void check_map_of(size_t h, size_t w, int32_t classes, size_t run)
{
    const struct ppm_tensor map = map_of(h, w, classes, run);
    for (enum codec_labels shows = CODEC_LABELS_NONE; shows <= CODEC_LABELS_RLE; shows++) {
        json_t *json = classes_json(&map, shows), *list = json_object_get(json, "classes");
        check_classes(json, map.shape);
        cr_assert((json_object_get(json, "labels") != NULL) == (shows == CODEC_LABELS_ROWS));
        if (shows == CODEC_LABELS_ROWS)
            check_rows(json_object_get(json, "labels"), map.shape);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *found = json_array_get(list, i);
            if (shows == CODEC_LABELS_RLE)
                check_mask(found, map.shape);
            else
                cr_assert(!json_object_get(found, "segmentation"));
        }
        json_decref(json);
    }
}

Test(classes, are_those_of_the_map)
{
    static const size_t extents[] = {1, 2, 3, 16, 300};
    for (size_t h = 0; h < COUNT(extents); h++)
        for (size_t w = 0; w < COUNT(extents); w++) {
            check_map_of(extents[h], extents[w], CLASSES, 1);
            check_map_of(extents[h], extents[w], CLASSES, 40);
            check_map_of(extents[h], extents[w], 2, 1);
            check_map_of(extents[h], extents[w], 1, 1);
        }
}

Test(classes, names_and_colors_are_there_if_the_model_has_them)
{
    static const uint8_t palette[2][3] = {{1, 2, 3}, {9, 8, 7}};
    const struct ppm_tensor map = map_of(1, 1, 1, 1);
    const struct ppm_model_info whole = info;
    info.class_list = NULL;
    info.class_count = 0;
    json_t *json = classes_json(&map, CODEC_LABELS_NONE);
    const json_t *found = json_array_get(json_object_get(json, "classes"), 0);
    cr_assert(!json_object_get(found, "name") && !json_object_get(found, "color"));
    json_decref(json);
    info.palette = palette;
    info.palette_count = 2;
    json = classes_json(&map, CODEC_LABELS_NONE);
    found = json_array_get(json_object_get(json, "classes"), 0);
    cr_assert(number_at(json_object_get(found, "color"), 2) == 3);
    json_decref(json);
    info = whole;
}

Test(classes, other_tensors_and_labels_are_refused)
{
    struct ppm_tensor map = map_of(2, 2, 1, 1);
    struct ppm_error error = {0};
    labels[3] = CLASSES;
    cr_assert(!codec_classes_find(&map, &info, CODEC_LABELS_NONE, NULL, &error));
    cr_assert(error.status == PPM_UNFIT && strstr(error.text, "row 1 and column 1"), "%s",
              error.text);
    error = (struct ppm_error){0};
    labels[3] = -1;
    cr_assert(!codec_classes_find(&map, &info, CODEC_LABELS_NONE, NULL, &error));
    error = (struct ppm_error){0};
    labels[3] = 0;
    map.dtype = PPM_FLOAT32;
    cr_assert(!codec_classes_find(&map, &info, CODEC_LABELS_NONE, NULL, &error));
    cr_assert(strstr(error.text, "float32"), "%s", error.text);
    error = (struct ppm_error){0};
    map.dtype = PPM_INT32;
    map.shape.n = 2;
    cr_assert(!codec_classes_find(&map, &info, CODEC_LABELS_NONE, NULL, &error));
}

/* ---- the work is abandoned ---- */

static size_t looks, cancelled_at;

static bool is_cancelled(void *context)
{
    (void)context;
    return ++looks >= cancelled_at;
}

static enum ppm_status try_to_write(const struct ppm_tensor *map, enum codec_labels shows)
{
    static const struct codec_cancel cancel = {.is_cancelled = is_cancelled};
    struct ppm_error error = {0};
    size_t bytes;
    looks = 0;
    struct codec_classes *classes = codec_classes_find(map, &info, shows, &cancel, &error);
    char *text = classes ? malloc(codec_classes_bytes(classes)) : NULL;
    if (classes)
        codec_classes_write(classes, text, &bytes, &error);
    free(text);
    codec_classes_free(classes);
    return error.status;
}

Test(classes, are_abandoned_at_any_look)
{
    const struct ppm_tensor maps[] = {map_of(300, 300, 1, 1), map_of(300, 300, CLASSES, 3)};
    for (size_t i = 0; i < COUNT(maps); i++)
        for (enum codec_labels shows = CODEC_LABELS_NONE; shows <= CODEC_LABELS_RLE; shows++) {
            cancelled_at = SIZE_MAX;
            cr_assert(try_to_write(&maps[i], shows) == PPM_OK);
            const size_t needed = looks;
            cr_assert(needed >= (shows == CODEC_LABELS_RLE ? 3 : 1) * 5, "%zu looks", needed);
            for (cancelled_at = 1; cancelled_at <= needed; cancelled_at++)
                cr_assert(try_to_write(&maps[i], shows) == PPM_CANCELLED && looks == cancelled_at,
                          "at look %zu of %zu", cancelled_at, needed);
        }
}

/* ---- memory ---- */

#ifndef MALLOC_IS_TAKEN

static struct ppm_tensor swept;
static struct codec_classes *swept_classes;

static bool attempt(struct ppm_error *error)
{
    swept_classes = codec_classes_find(&swept, &info, CODEC_LABELS_RLE, NULL, error);
    return swept_classes != NULL;
}

static void release(void)
{
    codec_classes_free(swept_classes);
}

Test(classes, every_allocation_may_fail)
{
    swept = map_of(5, 7, CLASSES, 2);
    heap_sweep(&(struct heap_attempt){.what = "classes",
                                      .attempt = attempt,
                                      .release = release,
                                      .expected = true,
                                      .requests_min = 1});
}

#endif

Test(classes, sizes_beyond_memory_saturate)
{
    cr_assert(codec_classes_text_bytes(&info, SIZE_MAX / 2, 3, CODEC_LABELS_ROWS) == SIZE_MAX);
    cr_assert(codec_classes_text_bytes(&info, SIZE_MAX, 1, CODEC_LABELS_ROWS) == SIZE_MAX);
    cr_assert(codec_classes_text_bytes(&info, SIZE_MAX / 2, 3, CODEC_LABELS_NONE) < 1 << 20);
}

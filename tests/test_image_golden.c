/* test_image_golden.c - tests/images/golden: what Pillow, NumPy and PyTorch make of images. */
#include "core/image/image_x.h"
#include "tests/images.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES_MIN = 30, RESIZED_MIN = 15 };

/* Of the largest value; PyTorch computed in float64. */
static const double tolerance = 5e-6;
/* Share of pixels whose best two channels are as good as equal. */
static const double argmax_tolerance = 5e-4;

struct golden {
    const char *name;
    struct ppm_model *model;
    struct ppm_model_info info;
    struct ppm_image image;
    struct ppm_tensor y;
    bool is_wanted; /* y has another size than the image */
};

static const char *path_of(const char *folder, const char *file)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void for_each_case(void (*check)(const struct golden *golden, const char *folder))
{
    glob_t folders;
    size_t count = 0;
    cr_assert(glob("tests/images/golden/*", GLOB_ONLYDIR, NULL, &folders) == 0);
    for (size_t i = 0; i < folders.gl_pathc; i++) {
        const char *folder = folders.gl_pathv[i];
        struct golden golden = {.name = strrchr(folder, '/') + 1};
        struct ppm_error error = {0};
        if (strcmp(golden.name, "resize") == 0 || strcmp(golden.name, "street") == 0)
            continue;
        golden.model = ppm_model_load(path_of(folder, "config.json"), NULL, &error);
        cr_assert(golden.model != NULL, "%s: %s", golden.name, error.text);
        ppm_model_info(golden.model, &golden.info);
        golden.image = images_load_ppm(path_of(folder, "image.ppm"));
        golden.y = support_load_npy(path_of(folder, "y.npy"), golden.info.layout);
        golden.y.is_batch = false;
        golden.is_wanted =
            golden.y.shape.h != golden.image.height || golden.y.shape.w != golden.image.width;
        check(&golden, folder);
        ppm_tensor_free(&golden.y);
        free(golden.image.pixels);
        ppm_model_free(golden.model);
        count++;
    }
    cr_expect_geq(count, CASES_MIN);
    globfree(&folders);
}

static struct ppm_tensor run(const struct golden *golden, struct ppm_run_options options)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    options.output_h = golden->is_wanted ? golden->y.shape.h : 0;
    options.output_w = golden->is_wanted ? golden->y.shape.w : 0;
    cr_assert_eq(ppm_image_run(golden->model, &golden->image, &options, &y, &error), PPM_OK,
                 "%s: %s", golden->name, error.text);
    return y;
}

static void check_answer(const struct golden *golden, const char *folder)
{
    (void)folder;
    for (int reference = 0; reference < 2; reference++) {
        struct ppm_tensor y = run(golden, (struct ppm_run_options){.reference = reference});
        const double difference = support_difference(&y, &golden->y);
        cr_expect(difference <= (y.dtype == PPM_INT32 ? 0 : tolerance),
                  "%s%s: differs by %g of the largest value", golden->name,
                  reference ? " (literal)" : "", difference);
        ppm_tensor_free(&y);
    }
}

Test(image_golden, answers_are_those_of_pytorch)
{
    for_each_case(check_answer);
}

static void check_threads(const struct golden *golden, const char *folder)
{
    (void)folder;
    struct ppm_tensor alone = run(golden, (struct ppm_run_options){.threads = 1});
    for (int threads = 2; threads <= 3; threads++) {
        struct ppm_tensor y = run(golden, (struct ppm_run_options){.threads = threads});
        cr_expect(support_is_same(&y, &alone), "%s: differs with %d threads", golden->name,
                  threads);
        ppm_tensor_free(&y);
    }
    ppm_tensor_free(&alone);
}

Test(image_golden, the_number_of_threads_changes_no_bit)
{
    for_each_case(check_threads);
}

static struct run run_on(int threads)
{
    static atomic_bool is_abandoned;
    return (struct run){.threads = threads, .is_abandoned = &is_abandoned};
}

/* x.npy, bit by bit; tiles have none. */
static void check_x(const struct golden *golden, const char *folder)
{
    const struct run on = run_on(2);
    struct ppm_error error = {0};
    struct room room = {0};
    struct levels levels;
    struct fit fit;
    const struct ppm_image *image = &golden->image;
    cr_assert_eq(fit_of(golden->model, image->width, image->height, 0, 0, 2, &fit, &error), PPM_OK);
    if (fit.is_tiled)
        return;
    struct ppm_tensor expected = support_load_npy(path_of(folder, "x.npy"), golden->info.layout);
    fit_place(&fit, &room);
    room = (struct room){core_allocate(room.bytes, &error), 0};
    memset(room.base, 0xff, 64);
    fit_place(&fit, &room);
    levels_of(golden->info.image, &levels);
    image_x_begin(&fit, &on);
    image_x_whole(&fit, &levels, image, &on);
    const struct ppm_tensor x = {
        .shape = fit.sizes.inputs[0], .layout = fit.layout, .is_batch = true, .data = fit.x};
    cr_expect(support_is_same(&x, &expected), "%s: x differs by %g", golden->name,
              support_difference(&x, &expected));
    free(room.base);
    ppm_tensor_free(&expected);
}

Test(image_golden, x_is_that_of_pillow_and_pytorch)
{
    for_each_case(check_x);
}

/* resize/NAME.HxW.ppm is NAME.ppm resized. */
static void check_resized(const char *path)
{
    char source[300];
    const char *name = strrchr(path, '/') + 1, *size = strchr(name, '.') + 1;
    const struct run on = run_on(2);
    struct ppm_error error = {0};
    struct room room = {0};
    snprintf(source, sizeof source, "%.*s.ppm", (int)(size - 1 - path), path);
    struct ppm_image from = images_load_ppm(source), expected = images_load_ppm(path);
    struct resample_axis across = resample_axis_of(from.width, expected.width),
                         down = resample_axis_of(from.height, expected.height);
    resample_axis_place(&across, &room);
    resample_axis_place(&down, &room);
    room = (struct room){core_allocate(room.bytes, &error), 0};
    resample_axis_place(&across, &room);
    resample_axis_place(&down, &room);
    resample_axis_fill(&across, &on);
    resample_axis_fill(&down, &on);
    const size_t bytes = 3 * expected.width;
    uint8_t *narrow = malloc(from.height * bytes), *row = malloc(bytes);
    for (size_t i = 0; i < from.height; i++)
        resample_across(&across, from.pixels + 3 * i * from.width, narrow + i * bytes);
    for (size_t i = 0; i < expected.height; i++) {
        resample_down(&down, i, narrow, bytes, row);
        cr_expect(memcmp(row, expected.pixels + i * bytes, bytes) == 0, "%s: row %zu differs", name,
                  i);
    }
    free(narrow);
    free(row);
    free(room.base);
    free(from.pixels);
    free(expected.pixels);
}

Test(image_golden, resized_pixels_are_pillows)
{
    glob_t files;
    cr_assert(glob("tests/images/golden/resize/*.*x*.ppm", 0, NULL, &files) == 0);
    cr_expect_geq(files.gl_pathc, RESIZED_MIN);
    for (size_t i = 0; i < files.gl_pathc; i++)
        check_resized(files.gl_pathv[i]);
    globfree(&files);
}

/* street/MODEL.pgm has the labels of street/image.ppm. */
static void check_street(const char *name)
{
    char path[300];
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    size_t bytes, different = 0;
    snprintf(path, sizeof path, "configs/models/%s.json", name);
    struct ppm_model *model = ppm_model_load(path, NULL, &error);
    snprintf(path, sizeof path, "tests/images/golden/street/%s.pgm", name);
    char *labels = support_read(path, &bytes);
    struct ppm_image image = images_load_ppm("tests/images/golden/street/image.ppm");
    const size_t pixels = image.width * image.height;
    cr_assert(model && bytes > pixels, "%s", error.text);
    cr_assert_eq(ppm_image_run(model, &image, NULL, &y, &error), PPM_OK, "%s", error.text);
    cr_assert(y.dtype == PPM_INT32 && support_elements(&y) == pixels);
    for (size_t i = 0; i < pixels; i++)
        different += ((int32_t *)y.data)[i] != labels[bytes - pixels + i];
    cr_expect((double)different <= argmax_tolerance * (double)pixels,
              "%s: %zu of %zu labels differ", name, different, pixels);
    ppm_tensor_free(&y);
    free(image.pixels);
    free(labels);
    ppm_model_free(model);
}

Test(image_golden, streets_labels_are_those_of_pytorch)
{
    check_street("street");
    check_street("street-without-pyramid");
}

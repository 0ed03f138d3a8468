/* test_image_run.c - the answer of a model to an image, compared with that to its x by hand. */
#include "tests/images.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(image_run, .init = support_open_folder, .fini = support_close_folder);

enum { H = 37, W = 53 };

#define NETWORK(input, more)                                                                       \
    "{'input': {'channels': 3" input "}, 'network': [{'conv': {'channels': 8, 'kernel': 3, "       \
    "'stride': 2, 'padding': 1}}, {'conv': {'channels': 5}}], " more "'weights': {'random': 1}}"
#define STREET "'mean': [0, 0, 0], 'std': [255, 255, 255]"

/* (pixel - mean) / std, as it is written. */
static struct ppm_tensor by_hand(const struct ppm_image *image, const float mean[3],
                                 const float std[3], bool is_bgr)
{
    const size_t pixels = image->width * image->height;
    struct ppm_tensor x =
        support_tensor((struct ppm_shape){1, 3, image->height, image->width}, PPM_NCHW, NULL);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < pixels; i++)
            ((float *)x.data)[c * pixels + i] =
                ((float)image->pixels[3 * i + (is_bgr ? 2 - c : c)] - mean[c]) / std[c];
    x.is_batch = false;
    return x;
}

static struct ppm_tensor run_image(const struct ppm_model *model, const struct ppm_image *image,
                                   const struct ppm_run_options *options)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_image_run(model, image, options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             const struct ppm_run_options *options)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(model, x, options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

Test(image_run, pixels_become_x)
{
    static const struct {
        const char *json;
        float mean[3], std[3];
        bool is_bgr;
    } cases[] = {
        {NETWORK(", 'image': {" STREET "}", ""), {0}, {255, 255, 255}, false},
        {NETWORK(", 'image': {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375]}",
                 "'output': {'as': 'argmax'}, "),
         {123.675f, 116.28f, 103.53f},
         {58.395f, 57.12f, 57.375f},
         false},
        {NETWORK(", 'image': {'mean': [104, 117, 123.5], 'std': [1, 2, 3], 'order': 'BGR'}",
                 "'output': {'size': 'input', 'as': 'softmax'}, "),
         {104, 117, 123.5f},
         {1, 2, 3},
         true},
    };
    struct ppm_image image = images_random(W, H);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_model *model = support_load_ok(cases[i].json);
        struct ppm_tensor x = by_hand(&image, cases[i].mean, cases[i].std, cases[i].is_bgr);
        const struct ppm_run_options at_own = {.output_h = H, .output_w = W},
                                     wanted = {.output_h = 20, .output_w = 91, .threads = 2};
        struct ppm_tensor found = run_image(model, &image, NULL),
                          expected = run(model, &x, &at_own);
        cr_expect(found.shape.h == H && found.shape.w == W && !found.is_batch);
        cr_expect(support_is_same(&found, &expected), "case %zu", i);
        struct ppm_tensor found_wanted = run_image(model, &image, &wanted),
                          expected_wanted = run(model, &x, &wanted);
        cr_expect(support_is_same(&found_wanted, &expected_wanted), "case %zu, wanted", i);
        ppm_tensor_free(&found);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&found_wanted);
        ppm_tensor_free(&expected_wanted);
        ppm_tensor_free(&x);
        ppm_model_free(model);
    }
    free(image.pixels);
}

Test(image_run, refuses_a_model_without_images)
{
    struct ppm_image image = images_random(3, 3);
    struct ppm_model *model = support_load_ok(NETWORK("", ""));
    struct ppm_tensor y = {0};
    struct ppm_image_costs costs;
    struct ppm_error error = {0}, same = {0};
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_expect(!info.takes_images && !info.image);
    cr_expect_eq(ppm_image_costs(model, 3, 3, 0, 0, 1, &costs, &error), PPM_UNFIT);
    cr_expect_eq(ppm_image_run(model, &image, NULL, &y, &same), PPM_UNFIT);
    cr_expect(strstr(error.text, "takes no images") && strstr(error.text, "\"mean\""), "%s",
              error.text);
    cr_expect_str_eq(error.text, same.text);
    ppm_model_free(model);
    free(image.pixels);
}

/* ---- sizes ---- */

Test(image_run, refuses_sizes_with_a_sentence)
{
    static const struct {
        const char *json;
        size_t width, height, want_h, want_w;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {NETWORK(", 'image': {" STREET "}", ""), 0, 5, 0, 0, PPM_MALFORMED,
         "found an image of 0 x 5 pixels (W x H), expected at least 1 each"},
        {NETWORK(", 'image': {" STREET "}", ""), 65537, 5, 0, 0, PPM_TOO_LARGE,
         "found an image of 65537 x 5 pixels (W x H) and an answer of 65537 x 5, expected at most "
         "65536 each"},
        {NETWORK(", 'image': {" STREET "}", ""), 5, 5, 1, 65537, PPM_TOO_LARGE,
         "an answer of 65537 x 1"},
        {"{'input': {'channels': 3, 'image': {" STREET "}}, 'network': [{'conv': {'channels': 3, "
         "'kernel': 5}}], 'weights': {'random': 1}}",
         4, 9, 0, 0, PPM_UNFIT, "an image of 4 x 9 pixels (W x H), which is x of 4 x 9: "},
        {"{'input': {'channels': 3, 'image': {" STREET ", 'fit': 'tiles', 'size': 3}}, 'network': "
         "[{'conv': {'channels': 3, 'kernel': 5}}], 'weights': {'random': 1}}",
         4, 9, 0, 0, PPM_UNFIT, "which is computed in tiles of 3 x 3: "},
        {"{'input': {'channels': 64}, 'network': ['relu']}", 4, 9, 0, 0, PPM_UNFIT,
         "takes no images: its input has 64 channels, expected 3"},
        {"{'inputs': {'a': {'channels': 3}, 'b': {'channels': 3}}, 'network': [{'add': ['a', "
         "'b']}]}",
         4, 9, 0, 0, PPM_UNFIT, "takes no images: it has 2 inputs, expected one of 3 channels"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_model *model = support_load_ok(cases[i].json);
        struct ppm_image_costs costs;
        struct ppm_error error = {0}, same = {0};
        const struct ppm_image image = {NULL, cases[i].width, cases[i].height};
        const struct ppm_run_options options = {.output_h = cases[i].want_h,
                                                .output_w = cases[i].want_w};
        struct ppm_tensor y = {0};
        cr_expect_eq(ppm_image_costs(model, cases[i].width, cases[i].height, cases[i].want_h,
                                     cases[i].want_w, 1, &costs, &error),
                     cases[i].status);
        cr_expect(strstr(error.text, cases[i].text) != NULL, "case %zu: %s", i, error.text);
        cr_expect_eq(ppm_image_run(model, &image, &options, &y, &same), cases[i].status);
        cr_expect_str_eq(same.text, error.text);
        ppm_model_free(model);
    }
}

/* One pixel, one row and one column, whatever the fit. */
Test(image_run, takes_images_of_a_pixel)
{
    static const char *const models[] = {
        NETWORK(", 'image': {" STREET "}", "'output': {'as': 'argmax'}, "),
        NETWORK(", 'image': {" STREET ", 'multiple': 64}", "'output': {'as': 'argmax'}, "),
        NETWORK(", 'image': {" STREET ", 'fit': 'resize', 'size': 33}",
                "'output': {'as': 'argmax'}, "),
        NETWORK(", 'image': {" STREET ", 'fit': 'resize', 'longest_side': 33}",
                "'output': {'as': 'argmax'}, "),
        NETWORK(", 'image': {" STREET ", 'fit': 'tiles', 'size': 40, 'overlap': 39}",
                "'output': {'as': 'argmax'}, "),
    };
    static const size_t sides[][2] = {{1, 1}, {1, 65}, {65, 1}, {2, 1}, {1, 3000}, {3000, 1}};
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        for (size_t k = 0; k < COUNT(sides); k++) {
            struct ppm_image image = images_random(sides[k][0], sides[k][1]);
            struct ppm_tensor y = run_image(model, &image, NULL);
            cr_expect(y.shape.w == image.width && y.shape.h == image.height && y.shape.c == 1);
            for (size_t at = 0; at < image.width * image.height; at++)
                cr_assert(((int32_t *)y.data)[at] >= 0 && ((int32_t *)y.data)[at] < 5,
                          "model %zu, %zu x %zu: label %d", i, image.width, image.height,
                          ((int32_t *)y.data)[at]);
            ppm_tensor_free(&y);
            free(image.pixels);
        }
        ppm_model_free(model);
    }
}

Test(image_run, counts_tiles)
{
    static const struct {
        size_t width, height, runs;
    } cases[] = {{32, 32, 1}, {33, 32, 2}, {54, 32, 2}, {55, 32, 3}, {1, 1, 1}, {76, 77, 12}};
    struct ppm_model *model = support_load_ok(
        NETWORK(", 'image': {" STREET ", 'fit': 'tiles', 'size': 32, 'overlap': 10}", ""));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_image_costs costs;
        struct ppm_error error = {0};
        ppm_image_costs(model, cases[i].width, cases[i].height, 0, 0, 1, &costs, &error);
        cr_expect_eq(costs.runs, cases[i].runs, "%zu x %zu: %zu", cases[i].width, cases[i].height,
                     costs.runs);
        cr_expect(costs.output.w == cases[i].width && costs.output.h == cases[i].height);
    }
    ppm_model_free(model);
}

/* What a plan depends on besides the size of x. */
Test(image_run, plans_are_of_an_images_size)
{
    struct ppm_model *model = support_load_ok(
        NETWORK(", 'image': {" STREET ", 'multiple': 64}", "'output': {'as': 'argmax'}, "));
    struct ppm_image_costs costs;
    struct ppm_error error = {0};
    cr_assert_eq(ppm_image_costs(model, W, H, 30, 30, 1, &costs, &error), PPM_OK);
    struct ppm_plan *plan = ppm_plan_create(model, &costs.sizes, NULL, &error);
    struct ppm_sizes higher = costs.sizes, wider = costs.sizes, soft = costs.sizes;
    higher.image_h++;
    wider.image_w++;
    soft.is_soft = true;
    cr_expect(ppm_plan_fits(plan, model, &costs.sizes));
    cr_expect(!ppm_plan_fits(plan, model, &higher));
    cr_expect(!ppm_plan_fits(plan, model, &wider));
    cr_expect(!ppm_plan_fits(plan, model, &soft));
    ppm_plan_free(plan);
    ppm_model_free(model);
}

/* ---- what else a run answers ---- */

Test(image_run, times_are_those_of_all_tiles)
{
    struct ppm_image image = images_random(64, 64);
    struct ppm_model *model =
        support_load_ok(NETWORK(", 'image': {" STREET ", 'fit': 'tiles', 'size': 20}", ""));
    struct ppm_stage_times times = {-1, -1, -1, -1};
    const struct ppm_run_options options = {.ret_times = &times};
    struct ppm_tensor y = run_image(model, &image, &options);
    cr_expect(times.head_ms > 0 && times.output_ms >= 0 && times.pool_ms >= 0);
    ppm_tensor_free(&y);
    ppm_model_free(model);
    free(image.pixels);
}

#define PYRAMID(image, as)                                                                         \
    "{'input': {'channels': 3, 'image': {" STREET image                                            \
    "}}, 'network': [{'pyramid': {'bins': [1, "                                                    \
    "2], 'branch': [{'conv': {'channels': 4}}]}, 'name': 'ppm'}, {'conv': {'channels': 5}}], "     \
    "'output': {'as': '" as "'}, 'weights': {'random': 1}}"

static struct ppm_stages stages;

Test(image_run, intermediate_results_are_those_of_x)
{
    static const float zero[3] = {0}, full[3] = {255, 255, 255};
    struct ppm_image image = images_random(W, H);
    struct ppm_model *model = support_load_ok(PYRAMID("", "argmax"));
    struct ppm_image_costs costs;
    struct ppm_error error = {0};
    struct ppm_tensor x = by_hand(&image, zero, full, false);
    float *expected, *found;
    cr_assert_eq(ppm_image_costs(model, W, H, 0, 0, 1, &costs, &error), PPM_OK);
    cr_assert_eq(ppm_model_stages(model, &costs.sizes, PPM_NCHW, false, &stages, &error), PPM_OK);
    cr_assert_geq(stages.count, 6);
    expected = calloc(1, stages.bytes);
    found = malloc(stages.bytes);
    struct ppm_run_options options = {.stages = &stages, .output_h = H, .output_w = W};
    ppm_stages_place(&stages, expected);
    struct ppm_tensor y = run(model, &x, &options);
    ppm_stages_place(&stages, found);
    struct ppm_tensor same = run_image(model, &image, &options);
    cr_expect(support_is_same(&y, &same));
    cr_expect(memcmp(expected, found, stages.bytes) == 0);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&same);
    ppm_model_free(model);
    free(expected);
    free(found);
    free(image.pixels);
}

Test(image_run, tiles_have_no_intermediate_results)
{
    struct ppm_image image = images_random(W, H);
    struct ppm_model *model = support_load_ok(PYRAMID(", 'fit': 'tiles', 'size': 20", "argmax"));
    const struct ppm_run_options options = {.stages = &stages};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_expect_eq(ppm_image_run(model, &image, &options, &y, &error), PPM_UNFIT);
    cr_expect(strstr(error.text, "tiles, expected one of at most a tile, 20 x 20 pixels (W x H), "
                                 "for intermediate results"),
              "%s", error.text);
    ppm_model_free(model);
    free(image.pixels);
}

/* test_image_run.c - the answer of a model to an image, compared with that to its x by hand. */
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

static struct ppm_image random_image(size_t width, size_t height)
{
    struct ppm_image image = {malloc(3 * width * height), width, height};
    srand(7);
    for (size_t i = 0; i < 3 * width * height; i++)
        image.pixels[i] = (uint8_t)(rand() >> 7);
    return image;
}

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
    struct ppm_image image = random_image(W, H);
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
    struct ppm_image image = random_image(3, 3);
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

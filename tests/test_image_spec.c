/* test_image_spec.c - "image" and "classes" of a model's JSON. */
#include "core/model/spec.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(image_spec, .init = support_open_folder, .fini = support_close_folder);

#define MODEL(input, more)                                                                         \
    "{'input': {" input "}, 'network': [{'conv': {'channels': 3}}], " more                         \
    "'weights': {'random': 1}}"
#define IMAGE(own)   MODEL("'channels': 3, 'image': {" own "}", "")
#define NORM         "'mean': [0, 0, 0], 'std': [255, 255, 255]"
#define FIT(own)     IMAGE(NORM ", " own)
#define LABELS       "'output': {'as': 'argmax'}, "
#define CLASSES(own) MODEL("'channels': 3", LABELS "'classes': " own ", ")
#define COLORS       "{'name': 'a', 'color': [1, 2, 3]}, {'name': 'b', 'color': [4, 5, 6]}, "

static void check(const char *const (*cases)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ppm_error error = {0};
        struct spec spec;
        const char *path = support_write_json("refused.json", cases[i][0]);
        cr_expect_eq(spec_read(path, &spec, &error), PPM_BAD_CONFIG, "%s", cases[i][0]);
        cr_expect(strstr(error.text, cases[i][1]) != NULL, "%s: found \"%s\", expected \"%s\"",
                  cases[i][0], error.text, cases[i][1]);
        spec_release(&spec);
    }
}

Test(image_spec, refuses_what_is_no_image)
{
    static const char *const cases[][2] = {
        {MODEL("'channels': 3, 'image': true", ""),
         "input.image: found true, expected an object such as {\"mean\": [0, 0, 0], \"std\": "},
        {MODEL("'channels': 4, 'image': {" NORM "}", ""),
         "expected it with an input of 3 channels, not of 4"},
        {IMAGE("'mean': [0, 0, 0]"), "input.image.std: found nothing, expected three numbers"},
        {IMAGE("'std': [1, 1, 1]"), "input.image.mean: found nothing, expected three numbers"},
        {IMAGE("'mean': [0, 0], 'std': [1, 1, 1]"), "input.image.mean: found [0,0], expected"},
        {IMAGE("'mean': [0, 0, '0'], 'std': [1, 1, 1]"), "input.image.mean: found [0,0,\"0\"]"},
        {IMAGE("'mean': [0, 0, 1e9], 'std': [1, 1, 1]"), "numbers from -1e+06 to 1e+06"},
        {IMAGE("'mean': [0, 0, 0], 'std': [1, 0, 1]"),
         "input.image.std: found [1,0,1], expected three numbers from 1e-06 to 1e+06"},
        {IMAGE("'mean': [0, 0, 0], 'std': [1, -1, 1]"), "input.image.std: found [1,-1,1]"},
        {FIT("'order': 'rgb'"), "input.image.order: found \"rgb\", expected \"RGB\" or \"BGR\""},
        {FIT("'fit': 'crop'"),
         "input.image.fit: found \"crop\", expected \"own\", \"resize\" or \"tiles\""},
        {FIT("'widht': 3"), "input.image: unknown key \"widht\"; known keys are mean, std, order,"},
        {FIT("'multiple': 0"), "input.image.multiple: found 0, expected an integer from 1 to 4096"},
        {FIT("'size': 3"),
         "input.image.size: found 3, expected it with \"fit\": \"resize\" or \"tiles\" only"},
        {FIT("'overlap': 3"), "expected it with \"fit\": \"tiles\" only"},
        {FIT("'longest_side': 3, 'fit': 'tiles', 'size': 9"),
         "input.image.longest_side: found 3, expected it with \"fit\": \"resize\" only"},
        {FIT("'multiple': 3, 'fit': 'tiles', 'size': 9"),
         "input.image.multiple: found 3, expected it with \"fit\": \"own\" or \"resize\" only"},
        {FIT("'fit': 'resize'"), "expected either \"size\" or \"longest_side\" with"},
        {FIT("'fit': 'resize', 'size': 9, 'longest_side': 9"), "expected either \"size\" or"},
        {FIT("'fit': 'resize', 'size': [9, 9, 9]"), "an integer from 1 to 65536, or [h, w] of"},
        {FIT("'fit': 'resize', 'longest_side': 65537"), "an integer from 1 to 65536"},
        {FIT("'fit': 'tiles'"), "input.image.size: found nothing, expected the size of a tile"},
        {FIT("'fit': 'tiles', 'size': 0"), "input.image.size: found 0, expected an integer from 1"},
        {FIT("'fit': 'tiles', 'size': [9, 4], 'overlap': 4"),
         "input.image.overlap: found 4, expected fewer pixels than a tile's 9 x 4 (H x W)"},
        {"{'inputs': {'a': {'channels': 3, 'image': {" NORM "}}, 'b': {'channels': 3}}, "
         "'network': [{'add': ['a', 'b']}]}",
         "inputs.a.image: found {\"mean\":[0,0,0],\"std\":[255,255,255]}, expected it in a model "
         "of one input"},
    };
    check(cases, COUNT(cases));
}

static struct ppm_image_info read_image(const char *json)
{
    struct ppm_error error = {0};
    struct spec spec;
    cr_assert_eq(spec_read(support_write_json("model.json", json), &spec, &error), PPM_OK, "%s",
                 error.text);
    const struct ppm_image_info info = spec.image;
    cr_expect(spec.takes_images);
    spec_release(&spec);
    return info;
}

Test(image_spec, reads_every_key)
{
    struct ppm_image_info own =
        read_image(IMAGE("'mean': [1, 2.5, 3], 'std': [4, 5, 6], 'order': 'BGR', 'multiple': 32"));
    cr_expect(own.fit == PPM_FIT_OWN && own.is_bgr && own.multiple == 32 && own.mean[1] == 2.5f &&
              own.std[2] == 6);
    struct ppm_image_info plain = read_image(IMAGE(NORM));
    cr_expect(plain.fit == PPM_FIT_OWN && !plain.is_bgr && plain.multiple == 1);
    struct ppm_image_info resize = read_image(FIT("'fit': 'resize', 'size': [7, 9]"));
    cr_expect(resize.fit == PPM_FIT_RESIZE && resize.size_h == 7 && resize.size_w == 9);
    struct ppm_image_info longest =
        read_image(FIT("'fit': 'resize', 'longest_side': 512, 'multiple': 8"));
    cr_expect(longest.longest_side == 512 && longest.size_h == 0 && longest.multiple == 8);
    struct ppm_image_info tiles = read_image(FIT("'fit': 'tiles', 'size': [473, 30]"));
    cr_expect(tiles.fit == PPM_FIT_TILES && tiles.size_h == 473 && tiles.overlap_h == 157 &&
              tiles.overlap_w == 10);
    cr_expect_eq(read_image(FIT("'fit': 'tiles', 'size': 9, 'overlap': [8, 0]")).overlap_w, 0);
    cr_expect(read_image("{'inputs': {'photo': {'channels': 3, 'image': {" NORM "}}}, 'network': "
                         "['relu']}")
                  .std[0] == 255);
}

Test(image_spec, refuses_what_are_no_classes)
{
    static const char *const cases[][2] = {
        {CLASSES("{}"), "classes: found {}, expected a list of 3, one for each label"},
        {CLASSES("[{'name': 'a'}]"), "expected a list of 3, one for each label"},
        {MODEL("'channels': 3", "'classes': [], "),
         "classes: found [], expected a list of 3, one for each channel of the output"},
        {CLASSES("['a', 'b', 'c']"), "classes[0]: found \"a\", expected an object such as"},
        {CLASSES("[" COLORS "{'color': [1, 2, 3]}]"),
         "classes[2].name: found nothing, expected a name of 1 to 127 bytes on one line"},
        {CLASSES("[" COLORS "{'name': ''}]"), "classes[2].name: found \"\", expected a name"},
        {CLASSES("[" COLORS "{'name': 'a\\nb'}]"), "classes[2].name: found \"a\\nb\", expected"},
        {CLASSES("[" COLORS "{'name': 3}]"), "classes[2].name: found 3, expected a string"},
        {CLASSES("[" COLORS "{'name': 'c', 'id': 3}]"), "classes[2]: unknown key \"id\"; known"},
        {CLASSES("[" COLORS "{'name': 'c', 'color': [1, 2, 256]}]"),
         "classes[2].color: found [1,2,256], expected a color [red, green, blue]"},
        {CLASSES("[" COLORS "{'name': 'c', 'colour': 'red'}]"), "classes[2].colour: found \"red\""},
        {CLASSES("[" COLORS "{'name': 'c', 'color': [1, 2, 3], 'colour': [1, 2, 3]}]"),
         "classes[2].color: found [1,2,3], expected either \"color\" or \"colour\", not both"},
        {CLASSES("[" COLORS "{'name': 'c'}]"), "expected a color for each class, or for none"},
        {MODEL("'channels': 3",
               "'output': {'as': 'argmax', 'palette': [[1, 2, 3], [4, 5, 6], [7, "
               "8, 9]]}, 'classes': [" COLORS "{'name': 'c', 'color': [7, 8, 8]}], "),
         "classes[2].color: found [7,8,8], expected the color in output.palette, [7, 8, 9], or "
         "one of the two only"},
    };
    check(cases, COUNT(cases));
}

static void check_color(const uint8_t found[3], int r, int g, int b)
{
    cr_expect(found[0] == r && found[1] == g && found[2] == b, "found %d, %d, %d", found[0],
              found[1], found[2]);
}

Test(image_spec, colors_of_classes_are_the_palette)
{
    struct ppm_model *model =
        support_load_ok(CLASSES("[" COLORS "{'name': 'c \xc3\xa9', 'colour': [7, 8, 9]}]"));
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_assert(info.class_count == 3 && info.palette_count == 3 && !info.takes_images);
    cr_expect_str_eq(info.class_list[0].name, "a");
    cr_expect_str_eq(info.class_list[2].name, "c \xc3\xa9");
    check_color(info.class_list[1].color, 4, 5, 6);
    check_color(info.palette[2], 7, 8, 9);
    ppm_model_free(model);
}

Test(image_spec, classes_without_colors_have_the_palettes)
{
    struct ppm_model *model = support_load_ok(
        MODEL("'channels': 3", "'output': {'as': 'argmax', 'palette': [[1, 2, 3], [4, 5, 6], [7, "
                               "8, 9], [0, 0, 0]]}, 'classes': [{'name': 'a'}, {'name': 'b'}, "
                               "{'name': 'c'}], "));
    struct ppm_model *voc = support_load_ok(MODEL(
        "'channels': 3", "'output': {'as': 'softmax'}, 'classes': [{'name': 'a'}, {'name': 'b'}, "
                         "{'name': 'c'}], "));
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_assert(info.class_count == 3 && info.palette_count == 4);
    check_color(info.class_list[2].color, 7, 8, 9);
    ppm_model_info(voc, &info);
    cr_assert(info.class_count == 3 && info.palette == NULL);
    check_color(info.class_list[2].color, 0, 128, 0);
    ppm_model_free(model);
    ppm_model_free(voc);
}

/* 0 and 1 of a threshold over one class. */
Test(image_spec, labels_of_a_threshold_are_two_classes)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 3}, 'network': [{'conv': {'channels': 1}}], 'output': {'as': "
        "'sigmoid', 'threshold': 0.5}, 'classes': [{'name': 'none'}, {'name': 'road'}], "
        "'weights': {'random': 1}}");
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_expect(info.class_count == 2 && info.classes == 2);
    ppm_model_free(model);
}

/* test_palette.c - the colors of a model's labels. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(palette, .init = support_open_folder, .fini = support_close_folder);

/* A head with this many classes, and more keys in its output. */
static const char *model_of(size_t classes, const char *output)
{
    static char json[4096];
    snprintf(json, sizeof json,
             "{'input': {'channels': 2}, 'bins': [1], 'branch': [], 'head': [{'conv': {'channels': "
             "%zu}}], 'output': {%s}, 'weights': {'random': 1}}",
             classes, output);
    return json;
}

static struct ppm_model_info info_of(const struct ppm_model *model)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    return info;
}

/* As in VOC's own table. */
Test(palette, of_pascal_voc)
{
    static const struct {
        size_t label;
        uint8_t color[3];
    } known[] = {{0, {0, 0, 0}},        {1, {128, 0, 0}},   {2, {0, 128, 0}},
                 {3, {128, 128, 0}},    {4, {0, 0, 128}},   {5, {128, 0, 128}},
                 {7, {128, 128, 128}},  {8, {64, 0, 0}},    {15, {192, 128, 128}},
                 {16, {0, 64, 0}},      {20, {0, 64, 128}}, {64, {32, 0, 0}},
                 {255, {224, 224, 192}}};
    struct ppm_model *model = support_load_ok(model_of(256, "'as': 'argmax'"));
    const struct ppm_model_info info = info_of(model);
    cr_assert(info.classes == 256 && info.palette_count == 256);
    for (size_t i = 0; i < COUNT(known); i++) {
        const uint8_t *found = info.palette[known[i].label];
        cr_expect(memcmp(found, known[i].color, 3) == 0, "label %zu: found %d, %d, %d",
                  known[i].label, found[0], found[1], found[2]);
    }
    ppm_model_free(model);
}

Test(palette, is_there_where_labels_are)
{
    static const struct {
        size_t classes, classes_told, count;
        const char *output;
    } cases[] = {
        {21, 21, 21, "'scale': 2, 'as': 'argmax'"},
        {2, 2, 2, "'as': 'argmax'"},
        {256, 256, 256, "'as': 'argmax'"},
        {257, 257, 0, "'as': 'argmax'"},
        {21, 0, 0, "'as': 'softmax'"},
        {21, 0, 0, "'scale': 2"},
        {1, 2, 2, "'as': 'sigmoid', 'threshold': 0.5"},
        {1, 2, 3,
         "'as': 'sigmoid', 'threshold': 0.5, 'palette': [[0, 0, 0], [1, 1, 1], [2, 2, 2]]"},
        {1, 0, 0, "'as': 'sigmoid'"},
        {2, 0, 0, "'as': 'sigmoid', 'threshold': 0.5"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_model *model = support_load_ok(model_of(cases[i].classes, cases[i].output));
        const struct ppm_model_info info = info_of(model);
        cr_expect(info.classes == cases[i].classes_told && info.palette_count == cases[i].count,
                  "case %zu: %zu classes, %zu colors", i, info.classes, info.palette_count);
        cr_expect((info.palette != NULL) == (cases[i].count > 0), "case %zu", i);
        ppm_model_free(model);
    }
}

Test(palette, of_a_models_own)
{
    static const uint8_t expected[][3] = {{1, 2, 3}, {255, 0, 255}, {9, 9, 9}};
    struct ppm_model *model = support_load_ok(
        model_of(2, "'as': 'argmax', 'palette': [[1, 2, 3], [255, 0, 255], [9, 9, 9]]"));
    const struct ppm_model_info info = info_of(model);
    cr_expect(info.classes == 2 && info.palette_count == 3);
    cr_expect(memcmp(info.palette, expected, sizeof expected) == 0);
    cr_expect(strstr(info.config_json, "\"palette\":[[1,2,3],[255,0,255],[9,9,9]]") != NULL);
    ppm_model_free(model);
}

static const char *palette_of(size_t colors)
{
    static char text[300 * 8];
    size_t at = (size_t)snprintf(text, sizeof text, "'as': 'argmax', 'palette': [");
    for (size_t i = 0; i < colors; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s[0,0,0]", i ? "," : "");
    snprintf(text + at, sizeof text - at, "]");
    return text;
}

static void check_refusal(size_t classes, const char *output, const char *text)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load(model_of(classes, output), &error);
    cr_expect(!model && error.status == PPM_BAD_CONFIG, "%s: found status %d", output,
              (int)error.status);
    cr_expect(strstr(error.text, text) != NULL, "found \"%s\", expected \"%s\"", error.text, text);
    ppm_model_free(model);
}

Test(palette, refuses_what_is_none)
{
    static const char color[] = "expected a color [red, green, blue], each from 0 to 255";
    static const struct {
        const char *palette, *text;
    } cases[] = {
        {"'voc'", "output.palette: found \"voc\", expected a list of 1 to 256 colors, such as"},
        {"{}", "output.palette: found {}, expected a list of 1 to 256"},
        {"[]", "output.palette: found [], expected a list of 1 to 256"},
        {"[[0, 0, 0]]", "output.palette: found [[0,0,0]], expected a color for each of the 2 "
                        "classes, not for 1"},
        {"[[0, 0, 0], '#808080']", "output.palette[1]: found \"#808080\", "},
        {"[[0, 0, 0], 5]", "output.palette[1]: found 5, "},
        {"[[0, 0], [0, 0, 0]]", "output.palette[0]: found [0,0], "},
        {"[[0, 0, 0, 0], [0, 0, 0]]", "output.palette[0]: found [0,0,0,0], "},
        {"[[0, 0, 0], [0, 0, 256]]", "output.palette[1]: found [0,0,256], "},
        {"[[0, -1, 0], [0, 0, 0]]", "output.palette[0]: found [0,-1,0], "},
        {"[[0.5, 0, 0], [0, 0, 0]]", "output.palette[0]: found [0.5,0,0], "},
        {"[[0, 0, 0], [0, 0, '0']]", "output.palette[1]: found [0,0,\"0\"], "},
        {"[[0, 0, 0], [0, 0, 0], [1, 2, null]]", "output.palette[2]: found [1,2,null], "},
        {"null", "output.palette: found null, expected a list"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char output[256];
        snprintf(output, sizeof output, "'as': 'argmax', 'palette': %s", cases[i].palette);
        check_refusal(2, output, cases[i].text);
        if (strstr(cases[i].text, "palette["))
            check_refusal(2, output, color);
    }
    check_refusal(2, palette_of(257), "expected a list of 1 to 256 colors");
    check_refusal(257, palette_of(256),
                  "expected a color for each of the 257 classes, not for 256");
    check_refusal(2, "'palette': [[0, 0, 0], [1, 1, 1]]",
                  "output.palette: found [[0,0,0],[1,1,1]], expected \"as\": \"argmax\" with a");
    check_refusal(2, "'as': 'sigmoid', 'threshold': 0.5, 'palette': [[0, 0, 0], [1, 1, 1]]",
                  "expected \"as\": \"argmax\" with a palette, or the \"threshold\" of one class");
    check_refusal(1, "'as': 'sigmoid', 'threshold': 0.5, 'palette': [[0, 0, 0]]",
                  "expected a color for each of the 2 classes, not for 1");
    check_refusal(2, "'as': 'softmax', 'palette': []", "expected \"as\": \"argmax\" with");
}

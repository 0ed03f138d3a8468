/* test_cli_label.c - the command label: images to labels, classes and overlays. */
#include "server/commands/command_label.h"
#include "server/image/image.h"
#include "tests/heap_sweep.h"
#include "tests/live_support.h"
#include "tests/png_reader.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder with a model and images ---- */

enum { WIDTH = 13, HEIGHT = 7, PIXELS = WIDTH * HEIGHT };

/* Labels each pixel with the strongest of its colors, the first of equal ones. */
#define STRONGEST                                                                                  \
    "{'name': 'strongest', 'input': {'channels': 3, 'image': {'mean': [0, 0, 0], 'std': [1, 1, "   \
    "1]}}, 'network': [{'affine': "                                                                \
    "{'scale': 1}}], 'output': {'as': 'argmax'}, 'classes': [{'name': 'red', 'color': [200, 0, "   \
    "0]}, {'name': 'green', 'color': [0, 150, 0]}, {'name': 'blue', 'color': [0, 0, 100]}]}"
/* Answers the three colors as they are. */
#define COLORS                                                                                     \
    "{'name': 'colors', 'input': {'channels': 3, 'image': {'mean': [0, 0, 0], 'std': [1, 1, "      \
    "1]}}, 'network': [{'affine': "                                                                \
    "{'scale': 1}}]}"

static const uint8_t class_colors[3][3] = {{200, 0, 0}, {0, 150, 0}, {0, 0, 100}};

static char folder[LIVE_PATH_BYTES];
static uint8_t pixels[PIXELS][3];
static int32_t expected[PIXELS];

/* FOLDER/name; valid until the eighth call from now. */
static const char *in_folder(const char *name)
{
    static char paths[8][96];
    static size_t calls;
    char *path = paths[calls++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0, "%s", path);
}

/* Writes the first `share` of the image of these pixels. */
static void write_image(const char *name, const char *type, double share)
{
    const struct image_format *format = image_format_of_type(type);
    const struct ppm_image image = {pixels[0], WIDTH, HEIGHT};
    struct ppm_error error = {0};
    size_t bytes = 0;
    char *memory = malloc(image_encoded_bytes_max(format, WIDTH, HEIGHT));
    cr_assert(image_encode(format, &image, NULL, memory, &bytes, &error) == PPM_OK, "%s",
              error.text);
    write_bytes(in_folder(name), memory, (size_t)(share * (double)bytes));
    free(memory);
}

static void open_folder(void)
{
    live_directory_make(folder);
    for (unsigned i = 0; i < PIXELS; i++) {
        const unsigned bits = i * 2654435761u;
        for (unsigned c = 0; c < 3; c++)
            pixels[i][c] = (uint8_t)(bits >> (8 + 7 * c));
        expected[i] = pixels[i][1] > pixels[i][0] ? 1 : 0;
        if (pixels[i][2] > pixels[i][expected[i]])
            expected[i] = 2;
    }
    write_image("a.png", "image/png", 1);
    live_write_quoted(folder, "strongest.json", STRONGEST);
    live_write_quoted(folder, "colors.json", COLORS);
}

static void close_folder(void)
{
    static const char *const within[] = {"photos", "out"};
    for (size_t i = 0; i < COUNT(within); i++)
        if (access(in_folder(within[i]), F_OK) == 0)
            live_directory_remove(in_folder(within[i]));
    live_directory_remove(folder);
}

TestSuite(cli_label, .init = open_folder, .fini = close_folder);

/* label with words in the folder, except for flags and their values, which follow. */
static struct live_output label_in_folder(const char *model, const char *const *words,
                                          const char *const *flags)
{
    const char *arguments[24] = {"label", "--model", in_folder(model)};
    size_t count = 3;
    for (size_t i = 0; words[i]; i++)
        arguments[count++] = words[i][0] == '/' ? words[i] : in_folder(words[i]);
    for (size_t i = 0; flags && flags[i]; i++)
        arguments[count++] = flags[i];
    return live_run(arguments, NULL);
}

/* Labels a.png into a file of that name and returns its bytes; the caller frees them. */
static char *labeled(const char *name, const char *const *flags, size_t *ret_bytes)
{
    char said[128];
    struct live_output output = label_in_folder("strongest.json", LIST("a.png", name), flags);
    snprintf(said, sizeof said, "wrote %s/%s: ", folder, name);
    cr_assert(output.status == 0 && strncmp(output.err, said, strlen(said)) == 0, "%s", output.err);
    cr_assert_str_empty(output.out);
    live_output_free(&output);
    return live_read_file(in_folder(name), ret_bytes);
}

static struct ppm_image decoded(const char *bytes, size_t count, const char *format)
{
    const struct image_limits limits = {.pixels_max = PIXELS};
    struct ppm_error error = {0};
    struct image_head head;
    cr_assert(image_look(bytes, count, &limits, &head, &error) == PPM_OK, "%s", error.text);
    cr_assert_str_eq(image_format_name(head.format), format);
    cr_assert(head.width == WIDTH && head.height == HEIGHT);
    struct ppm_image image = {malloc(sizeof pixels), WIDTH, HEIGHT};
    cr_assert(image_decode(bytes, count, &head, NULL, &image, &error) == PPM_OK, "%s", error.text);
    return image;
}

/* ---- one image ---- */

Test(cli_label, the_labels_of_an_image_are_a_png)
{
    static const char *const names[] = {"labels.png", "LABELS.PNG", "labels"};
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t bytes;
        char *file = labeled(names[i], NULL, &bytes);
        struct png_map map = png_map_read(file, bytes);
        cr_assert(map.w == WIDTH && map.h == HEIGHT && map.palette_count == 3);
        cr_assert(memcmp(map.palette, class_colors, sizeof class_colors) == 0);
        for (size_t k = 0; k < PIXELS; k++)
            cr_assert(map.labels[k] == expected[k], "pixel %zu: %d", k, map.labels[k]);
        png_map_free(&map);
        free(file);
    }
}

Test(cli_label, or_a_npy_of_any_size)
{
    size_t bytes;
    char *file = labeled("labels.npy", NULL, &bytes);
    struct live_tensor found = live_read_npy(file, bytes);
    cr_assert_str_eq(found.shape, "1,7,13");
    cr_assert(memcmp(found.values, expected, sizeof expected) == 0);
    live_tensor_free(&found);

    file = labeled("sized.npy", LIST("--size", "3,5", "--threads", "1"), &bytes);
    found = live_read_npy(file, bytes);
    cr_assert_str_eq(found.shape, "1,3,5");
    live_tensor_free(&found);
}

/* Checks the classes of the image in the object, which *file is the text of. */
static void check_classes(const json_t *root)
{
    size_t pixels_of[3] = {0}, i;
    json_int_t last = PIXELS;
    json_t *row;
    for (i = 0; i < PIXELS; i++)
        pixels_of[expected[i]]++;
    cr_assert_str_eq(json_string_value(json_object_get(root, "model")), "strongest");
    cr_assert(json_array_size(json_object_get(root, "classes")) == 3);
    json_array_foreach(json_object_get(root, "classes"), i, row)
    {
        static const char *const names[] = {"red", "green", "blue"};
        json_int_t id = -1, count = -1;
        const char *name = "";
        json_unpack(row, "{s:I, s:s, s:I}", "id", &id, "name", &name, "pixels", &count);
        cr_assert(id >= 0 && id < 3 && strcmp(name, names[id]) == 0, "%s", name);
        cr_assert(count == (json_int_t)pixels_of[id] && count <= last, "%s: %lld", name, count);
        last = count;
    }
}

Test(cli_label, or_its_classes_as_json)
{
    size_t bytes;
    char *file = labeled("classes.json", NULL, &bytes);
    json_t *root = json_loads(file, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(root != NULL, "%s", file);
    check_classes(root);
    json_decref(root);
    free(file);
}

Test(cli_label, or_its_classes_printed)
{
    struct live_output output =
        label_in_folder("strongest.json", LIST("a.png", "a.png"), LIST("--json"));
    cr_assert(output.status == 0 && !*output.err, "%s", output.err);
    char *second = strchr(output.out, '\n') + 1;
    cr_assert(strncmp(output.out, second, strlen(second)) == 0 && strlen(second) > 9, "%s",
              output.out);
    json_t *root = json_loads(second, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(root != NULL, "%s", second);
    cr_assert_str_eq(json_string_value(json_object_get(root, "file")), in_folder("a.png"));
    check_classes(root);
    json_decref(root);
    live_output_free(&output);
}

Test(cli_label, a_name_that_is_not_utf8_is_printed_too)
{
    write_image("\xff\"\n.png", "image/png", 1);
    struct live_output output =
        label_in_folder("strongest.json", LIST("\xff\"\n.png"), LIST("--json"));
    cr_assert(output.status == 0 && strlen(output.err) == 0, "%s", output.err);
    json_t *root = json_loads(output.out, 0, NULL);
    cr_assert(strstr(json_string_value(json_object_get(root, "file")), "/\\xff\"\\x0a.png"), "%s",
              output.out);
    json_decref(root);
    live_output_free(&output);
}

Test(cli_label, an_overlay_has_the_colors_of_classes_over_the_image)
{
    static const struct {
        const char *text;
        double opacity;
    } cases[] = {{"0", 0}, {"0.25", 0.25}, {".5", 0.5}, {"2.5e-1", 0.25}, {"1", 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bytes;
        char *file = labeled("overlay.png", LIST("--overlay", cases[i].text), &bytes);
        struct ppm_image image = decoded(file, bytes, "PNG");
        for (size_t k = 0; k < PIXELS * 3; k++) {
            const double color = class_colors[expected[k / 3]][k % 3];
            const double mixed =
                (1 - cases[i].opacity) * pixels[k / 3][k % 3] + cases[i].opacity * color;
            cr_assert(fabs(image.pixels[k] - mixed) <= 0.5, "%s: value %zu is %d, expected %g",
                      cases[i].text, k, image.pixels[k], mixed);
        }
        free(image.pixels);
        free(file);
    }
    static const char *const names[] = {"overlay.jpg", "overlay.jpeg", "OVERLAY.JPG"};
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t bytes;
        char *file = labeled(names[i], LIST("--overlay=0.5"), &bytes);
        free(decoded(file, bytes, "JPEG").pixels);
        free(file);
    }
}

Test(cli_label, what_is_no_label_can_be_a_npy)
{
    struct live_output output = label_in_folder("colors.json", LIST("a.png", "y.npy"), NULL);
    cr_assert(output.status == 0, "%s", output.err);
    live_output_free(&output);
    size_t bytes;
    char *file = live_read_file(in_folder("y.npy"), &bytes);
    struct live_tensor found = live_read_npy(file, bytes);
    cr_assert_str_eq(found.shape, "3,7,13");
    for (size_t i = 0; i < PIXELS * 3; i++)
        cr_assert(found.values[i] == (float)pixels[i % PIXELS][i / PIXELS], "value %zu: %g", i,
                  (double)found.values[i]);
    live_tensor_free(&found);
}

/* ---- several images ---- */

static void check_labels(const char *name)
{
    size_t bytes;
    char *file = live_read_file(in_folder(name), &bytes);
    struct png_map map = png_map_read(file, bytes);
    for (size_t i = 0; i < PIXELS; i++)
        cr_assert(map.labels[i] == expected[i], "%s: pixel %zu", name, i);
    png_map_free(&map);
    free(file);
}

/* A folder with two images, one that breaks off, one that is none, and others. */
static void write_photos(void)
{
    cr_assert(mkdir(in_folder("photos"), 0700) == 0);
    write_image("photos/b.png", "image/png", 1);
    write_image("photos/c.PNG", "image/png", 1);
    write_image("photos/broken.jpg", "image/jpeg", 0.7);
    write_bytes(in_folder("photos/text.jpeg"), "text", 4);
    write_bytes(in_folder("photos/notes.txt"), "", 0);
}

Test(cli_label, a_folder_with_broken_images_is_labeled_but_for_them)
{
    write_photos();
    struct live_output output =
        label_in_folder("strongest.json", LIST("photos", "a.png", "none.png", "out"), NULL);
    cr_assert(output.status == 1 && !*output.out, "%d %s", output.status, output.err);
    static const char *const lines[] = {
        "left out 1 file not named .jpg, .jpeg or .png\n",
        "/photos/broken.jpg: JPEG: ",
        "/photos/text.jpeg: found ",
        "/none.png: cannot read it: No such file or directory\n",
        "wrote 3 files to ",
        "\nppm-server label: 3 of 6 images failed\n",
    };
    const char *at = output.err;
    for (size_t i = 0; i < COUNT(lines); i++) {
        at = strstr(at, lines[i]);
        cr_assert(at != NULL, "%s: %s", lines[i], output.err);
    }
    size_t count = 0;
    for (at = output.err; (at = strchr(at, '\n')); at++)
        count++;
    cr_assert(count == COUNT(lines) && !strchr(output.err, '\x1b'), "%s", output.err);
    live_output_free(&output);
    check_labels("out/a.png");
    check_labels("out/b.png");
    check_labels("out/c.png");
    cr_assert(access(in_folder("out/broken.png"), F_OK) != 0 &&
              access(in_folder("out/text.png"), F_OK) != 0);
}

Test(cli_label, several_classes_are_printed_but_for_broken_images)
{
    write_photos();
    struct live_output output = label_in_folder("strongest.json", LIST("photos"), LIST("--json"));
    const char *second = strchr(output.out, '\n');
    cr_assert(output.status == 1 && second && strstr(output.out, "photos/b.png\", \"model\"") &&
                  strstr(second, "photos/c.PNG\", \"model\""),
              "%s", output.out);
    cr_assert(strstr(output.err, "2 of 4 images failed\n") && !strstr(output.err, "wrote"), "%s",
              output.err);
    live_output_free(&output);
}

Test(cli_label, several_overlays_are_pngs)
{
    cr_assert(mkdir(in_folder("out"), 0700) == 0);
    write_image("b.jpg", "image/jpeg", 1);
    struct live_output output =
        label_in_folder("strongest.json", LIST("b.jpg", "a.png", "out"), LIST("--overlay=0.5"));
    cr_assert(output.status == 0, "%s", output.err);
    live_output_free(&output);
    size_t bytes;
    char *file = live_read_file(in_folder("out/b.png"), &bytes);
    free(decoded(file, bytes, "PNG").pixels);
    free(file);
}

/* ---- refusals ---- */

Test(cli_label, refuses_with_one_line)
{
    static const struct {
        const char *model, *words[5], *flags[3], *text;
        int status;
    } cases[] = {
        {"strongest.json", {NULL}, {NULL}, "found 0 files, expected IMAGE... OUTPUT; --help", 2},
        {"strongest.json", {"a.png"}, {NULL}, "found 1 file, expected IMAGE... OUTPUT; --help", 2},
        {"strongest.json", {NULL}, {"--json"}, "found 0 files, expected IMAGE...; --help", 2},
        {"strongest.json",
         {"a.png", "y.gif"},
         {NULL},
         "y.gif\", expected labels as .png or .npy",
         2},
        {"strongest.json",
         {"a.png", "y.jpg"},
         {NULL},
         "y.jpg\", expected labels as .png or .npy",
         2},
        {"strongest.json",
         {"a.png", "y.npy"},
         {"--overlay=1"},
         "y.npy\", expected an overlay as .png or .jpg\n",
         2},
        {"strongest.json",
         {"a.png", "y.png"},
         {"--overlay", "1.5"},
         "--overlay: found \"1.5\", expected an opacity from 0 to 1\n",
         2},
        {"strongest.json", {"a.png", "y.png"}, {"--overlay=-0.1"}, "--overlay: found \"-0.1\"", 2},
        {"strongest.json", {"a.png", "y.png"}, {"--overlay=nan"}, "--overlay: found \"nan\"", 2},
        {"strongest.json", {"a.png", "y.png"}, {"--overlay=0.5x"}, "--overlay: found \"0.5x\"", 2},
        {"strongest.json", {"a.png", "y.png"}, {"--overlay=0x1p-1"}, "found \"0x1p-1\"", 2},
        {"strongest.json",
         {"a.png"},
         {"--overlay=1", "--json"},
         "found --overlay and --json, expected one of them\n",
         2},
        {"strongest.json",
         {"a.png", "y.png"},
         {"--overlay=1", "--size=2,2"},
         "found --overlay and --size, expected one of them\n",
         2},
        {"strongest.json", {"a.png", "y.png"}, {"--size=2x2"}, "size: found \"2x2\"", 2},
        {"strongest.json",
         {"a.png", "y.png"},
         {"--image-pixels-max=0"},
         "--image-pixels-max: found \"0\"",
         2},
        {"strongest.json", {"a.png", "y.png"}, {"--threads=0"}, "--threads: found \"0\"", 2},
        {"strongest.json",
         {"a.png", "y.png"},
         {"--input=x"},
         "unknown flag \"--input=x\"; known",
         2},
        {"none.json", {"a.png", "y.png"}, {NULL}, "none.json", 2},
        {"strongest.json", {"a.png", "a.png"}, {NULL}, "a.png: found a file that is read", 2},
        {"strongest.json", {"a.png", "strongest.json"}, {NULL}, "found a file that is read", 2},
        {"strongest.json",
         {"a.png", "a.png", "colors.json"},
         {NULL},
         "expected a folder for the",
         2},
        {"strongest.json", {"a.png", "a.png", "out"}, {NULL}, "expected one image for it", 2},
        {"strongest.json",
         {"a.png", "/nowhere/y/"},
         {NULL},
         "/nowhere/y/: cannot make this folder: ",
         1},
        {"strongest.json",
         {"a.png", "/nowhere/y.png"},
         {NULL},
         "/nowhere/y.png: cannot write: ",
         1},
        {"strongest.json", {"a.png", "/dev/full"}, {NULL}, "/dev/full: cannot write: No space", 1},
        {"strongest.json",
         {"/nowhere/x.jpg", "y.png"},
         {NULL},
         "/nowhere/x.jpg: cannot read it",
         1},
        {"strongest.json", {"/dev/null", "y.png"}, {NULL}, "/dev/null: found a device", 1},
        {"strongest.json", {"strongest.json", "y.png"}, {NULL}, "strongest.json: found ", 1},
        {"strongest.json", {"half.jpg", "y.png"}, {NULL}, "half.jpg: JPEG: ", 1},
        {"colors.json",
         {"a.png", "y.png"},
         {NULL},
         "y.png: model \"colors\" answers float32 in 3 channels, which a PNG cannot show",
         1},
        {"colors.json", {"a.png", "y.json"}, {NULL}, "which JSON of classes cannot show", 1},
        {"colors.json", {"a.png"}, {"--json"}, "--json: model \"colors\" answers float32", 1},
        {"colors.json", {"a.png", "y.png"}, {"--overlay=1"}, "which an overlay cannot show", 1},
        {"colors.json", {"a.png", "out/"}, {NULL}, "out/: model \"colors\" answers float32", 1},
        {"many.json",
         {"a.png", "y.png"},
         {NULL},
         "model \"many\" has 300 classes, and a PNG at most 256 colors; expected .npy\n",
         1},
        {"many.json",
         {"a.png", "y.png"},
         {"--overlay=1"},
         "has 300 classes, and an overlay at most 256 colors; expected .npy\n",
         1},
        {"tensors.json", {"a.png", "y.png"}, {NULL}, "tensors takes no images: ", 1},
    };
    write_image("half.jpg", "image/jpeg", 0.5);
    live_write_quoted(folder, "tensors.json",
                      "{'name': 'tensors', 'input': {'channels': 4}, 'network': [{'affine': "
                      "{'scale': 1}}], 'output': {'as': 'argmax'}}");
    live_write_quoted(folder, "many.json",
                      "{'name': 'many', 'input': {'channels': 3, 'image': {'mean': [0, 0, 0], "
                      "'std': [1, 1, 1]}}, 'network': [{'conv': {'channels': 300}}], 'output': "
                      "{'as': 'argmax'}, 'weights': {'random': 1}}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_output output = label_in_folder(cases[i].model, cases[i].words, cases[i].flags);
        cr_assert(output.status == cases[i].status && strstr(output.err, cases[i].text),
                  "case %zu: %d %s", i, output.status, output.err);
        cr_assert(strchr(output.err, '\n') == output.err + strlen(output.err) - 1 && !*output.out,
                  "case %zu: %s%s", i, output.err, output.out);
        cr_assert(access(in_folder("y.png"), F_OK) != 0 && access(in_folder("out"), F_OK) != 0,
                  "case %zu left something", i);
        live_output_free(&output);
    }
}

Test(cli_label, an_image_that_is_too_large_is_refused)
{
    enum { BYTES = 200000 }; /* that could hold so many pixels of one color */
    size_t bytes;
    char *file = live_read_file(in_folder("a.png"), &bytes), *large = calloc(1, BYTES);
    memcpy(large, file, bytes);
    memcpy(large + 16, "\0\0\x1f\x40\0\0\x17\x70", 8); /* 8000 x 6000 */
    write_bytes(in_folder("large.png"), large, BYTES);
    free(large);
    free(file);
    struct live_output output = label_in_folder("strongest.json", LIST("large.png", "y.png"), NULL);
    cr_assert(output.status == 1 && strstr(output.err, "large.png: ") &&
                  strstr(output.err, "8000 x 6000") && strstr(output.err, "40000000"),
              "%s", output.err);
    live_output_free(&output);
    output = label_in_folder("strongest.json", LIST("large.png", "y.png"),
                             LIST("--image-pixels-max=48000000"));
    cr_assert(output.status == 1 && strstr(output.err, "large.png: ") &&
                  !strstr(output.err, "8000 x 6000"),
              "%s", output.err); /* it is read, and broken */
    live_output_free(&output);
}

Test(cli_label, how_large_an_image_may_be_is_a_flag)
{
    char largest[8], less[8];
    size_t bytes;
    snprintf(largest, sizeof largest, "%d", PIXELS);
    snprintf(less, sizeof less, "%d", PIXELS - 1);
    free(labeled("y.png", LIST("--image-pixels-max", largest), &bytes));
    struct live_output output =
        label_in_folder("strongest.json", LIST("a.png", "z.png"), LIST("--image-pixels-max", less));
    cr_assert(output.status == 1 && strstr(output.err, less) &&
                  strstr(output.err, "(image_pixels_max)") && access(in_folder("z.png"), F_OK) != 0,
              "%s", output.err);
    live_output_free(&output);
}

/* ---- beside the server ---- */

Test(cli_label, files_are_the_server_s_answers_byte_for_byte)
{
    static const struct {
        const char *name, *query, *accept, *flags[3];
    } cases[] = {
        {"labels.png", "", "image/png", {NULL}},
        {"labels.npy", "", "application/x-npy", {NULL}},
        {"classes.json", "", "application/json", {NULL}},
        {"sized.png", "?size=5,31", "image/png", {"--size=5,31"}},
        {"sized.json", "?size=5,31", "application/json", {"--size=5,31", "--threads=1"}},
        {"overlay.png", "?overlay=0.3", "image/png", {"--overlay=0.3"}},
        {"overlay.jpg", "?overlay=0.3", "image/jpeg", {"--overlay=0.3"}},
    };
    struct live live;
    size_t image_bytes, bytes;
    char *image = live_read_file(in_folder("a.png"), &image_bytes);
    live_start(&live, LIST("--model", in_folder("strongest.json")), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char target[64], headers[96];
        char *file = labeled(cases[i].name, cases[i].flags, &bytes);
        snprintf(target, sizeof target, "/ppm%s", cases[i].query);
        snprintf(headers, sizeof headers, "Content-Type: image/png\r\nAccept: %s\r\n",
                 cases[i].accept);
        struct live_answer answer = live_ask(&live, "POST", target, headers, image, image_bytes);
        cr_assert(answer.status == 200, "%s: %s", cases[i].name, answer.body);
        cr_assert(answer.body_bytes == bytes && memcmp(answer.body, file, bytes) == 0,
                  "%s: %zu bytes of label, %zu of the server", cases[i].name, bytes,
                  answer.body_bytes);
        live_answer_free(&answer);
        free(file);
    }
    live_stop(&live);
    free(image);
}

/* ---- without memory ---- */

#ifndef MALLOC_IS_TAKEN

static const char *const *swept; /* the output's name or a flag, and flags */

static bool label_swept(struct ppm_error *error)
{
    char *arguments[8] = {"--model", (char *)in_folder("strongest.json"),
                          (char *)in_folder("a.png")};
    int count = 3;
    for (const char *const *word = swept; *word; word++)
        arguments[count++] = (char *)(**word == '-' ? *word : in_folder(*word));
    return command_label(count, arguments, error) == PPM_OK;
}

static void nothing(void)
{
}

Test(cli_label, every_allocation_may_fail, .timeout = 300)
{
    const char *const *const cases[] = {LIST("y.npy"), LIST("y.png"), LIST("y.json"),
                                        LIST("--json"), LIST("y.jpg", "--overlay=0.5")};
    cr_redirect_stdout();
    cr_redirect_stderr();
    for (size_t i = 0; i < COUNT(cases); i++) {
        swept = cases[i];
        heap_sweep(&(struct heap_attempt){.what = "label",
                                          .attempt = label_swept,
                                          .release = nothing,
                                          .expected = true,
                                          .requests_min = 20});
    }
}

#endif

/* command_label.c - see command_label.h. */
#include "server/commands/command_label.h"
#include "server/base/clock.h"
#include "server/codec/axes.h"
#include "server/codec/opacity.h"
#include "server/codec/quote.h"
#include "server/commands/common.h"
#include "server/commands/label_answer.h"
#include "server/commands/label_files.h"
#include "server/commands/write_file.h"
#include "server/config/arguments.h"
#include "server/observe/progress.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is done to each image. */
struct labeling {
    const struct ppm_model *model;
    struct ppm_model_info info;
    struct ppm_run_options options;
    struct label_answer answer;
    struct image_limits limits;
    bool prints; /* JSON on stdout instead of files */
};

/* ---- one image ---- */

/* The caller frees ret_image->pixels. */
static enum ppm_status read_image(const char *path, const struct image_limits *limits,
                                  struct ppm_image *ret_image, struct ppm_error *error)
{
    struct image_head head;
    struct ppm_image image = {0};
    size_t count = 0;
    char *bytes = ppm_read_file(path, PTRDIFF_MAX, &count, error);
    if (!bytes)
        return error->status = error->status == PPM_BAD_CONFIG ? PPM_IO : error->status;
    struct ppm_error cause = {0};
    if (image_look(bytes, count, limits, &head, &cause) == PPM_OK) {
        image.width = head.width;
        image.height = head.height;
        image.pixels = malloc(head.width * head.height * 3); /* bounded by pixels_max */
        if (!image.pixels)
            ppm_fail(&cause, PPM_NO_MEMORY, "out of memory for %zu x %zu pixels", head.width,
                     head.height);
        else
            image_decode(bytes, count, &head, NULL, &image, &cause);
    }
    free(bytes);
    if (cause.status == PPM_OK) {
        *ret_image = image;
        return PPM_OK;
    }
    free(image.pixels);
    return ppm_fail(error, cause.status, "%s: %s", path, cause.text);
}

/* {"file": "a.jpg", and the members of an object of JSON. */
static enum ppm_status print_line(const char *path, const struct codec_bytes *object,
                                  struct ppm_error *error)
{
    char quoted[CODEC_QUOTED_BYTES];
    json_t *name = json_string(path);
    if (!name) /* it is not UTF-8 */
        name = json_string(codec_quote(path, strlen(path), quoted));
    char *text = name ? ppm_json_text(name, JSON_ENCODE_ANY) : NULL;
    json_decref(name);
    if (!text)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    printf("{\"file\": %s, ", text);
    fwrite(object->data + 1, 1, object->size - 1, stdout);
    putchar('\n');
    free(text);
    return PPM_OK;
}

/* "wrote labels.png: 240 x 160 pixels, computed in 2.13 ms" */
static void report(const char *path, size_t width, size_t height, double ms)
{
    fprintf(stderr, "wrote %s: %zu x %zu pixels, computed in %.3g ms\n", path, width, height, ms);
}

static enum ppm_status label_image(const struct labeling *labeling, const struct label_file *file,
                                   bool is_alone, struct ppm_error *error)
{
    struct ppm_error cause = {0};
    struct ppm_image image = {0};
    struct ppm_tensor y = {0};
    struct codec_bytes bytes = {0};
    double ms = 0;
    if (read_image(file->image, &labeling->limits, &image, error) != PPM_OK)
        return error->status;
    const double begun_s = clock_now_s();
    if (ppm_image_run(labeling->model, &image, &labeling->options, &y, &cause) == PPM_OK) {
        ms = 1e3 * (clock_now_s() - begun_s);
        label_answer_write(&labeling->answer, &labeling->info, &image, &y, &bytes, &cause);
    }
    if (cause.status != PPM_OK)
        ppm_fail(error, cause.status, "%s: %s", file->image, cause.text);
    else if (labeling->prints)
        print_line(file->image, &bytes, error);
    else if (command_write_file(file->output, &bytes, error) == PPM_OK && is_alone)
        report(file->output, y.shape.w, y.shape.h, ms);
    free(bytes.data);
    ppm_tensor_free(&y);
    free(image.pixels);
    return error->status;
}

/* ---- all images ---- */

/* One line for each image that fails, and at the end how many do. */
static enum ppm_status label_several(const struct labeling *labeling,
                                     const struct label_files *files, struct ppm_error *error)
{
    size_t failed = 0;
    const double begun_s = clock_now_s();
    progress_start("labeling");
    for (size_t i = 0; i < files->count; i++) {
        struct ppm_error cause = {0};
        progress_report(files->list[i].image, (double)i / (double)files->count);
        if (label_image(labeling, &files->list[i], false, &cause) == PPM_OK)
            continue;
        progress_end();
        fprintf(stderr, "ppm-server label: %s\n", cause.text);
        failed++;
    }
    progress_end();
    if (files->folder)
        fprintf(stderr, "wrote %zu file%s to %s, in %.3g s\n", files->count - failed,
                ppm_plural(files->count - failed), files->folder, clock_now_s() - begun_s);
    return failed == 0 ? PPM_OK
                       : ppm_fail(error, PPM_IO, "%zu of %zu images failed", failed, files->count);
}

static enum ppm_status label_files(struct labeling *labeling, const struct label_files *files,
                                   const char *output, struct ppm_error *error)
{
    struct ppm_image_costs costs;
    if (!labeling->info.takes_images)
        return ppm_image_costs(labeling->model, 1, 1, 0, 0, 1, &costs, error);
    if (label_answer_check(&labeling->answer, &labeling->info, output, error) != PPM_OK ||
        label_files_make_folder(files, error) != PPM_OK)
        return error->status;
    if (files->left_out > 0)
        fprintf(stderr, "left out %zu file%s not named .jpg, .jpeg or .png\n", files->left_out,
                ppm_plural(files->left_out));
    return files->count == 1 && !files->has_folder
               ? label_image(labeling, &files->list[0], true, error)
               : label_several(labeling, files, error);
}

/* ---- arguments ---- */

struct flags {
    const char *model, *overlay, *size, *threads, *image_pixels_max;
};

/* The last word is the output, unless JSON is printed. */
static enum ppm_status find_files(const char *const *words, size_t count, const struct flags *flags,
                                  struct labeling *labeling, struct label_files *ret_files,
                                  struct ppm_error *error)
{
    const size_t outputs = labeling->prints ? 0 : 1;
    if (count <= outputs)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "found %zu file%s, expected IMAGE...%s; --help shows an example", count,
                        ppm_plural(count), labeling->prints ? "" : " OUTPUT");
    if (label_files_find(words, count - outputs, ret_files, error) != PPM_OK || labeling->prints)
        return error->status;
    const char *output = words[count - 1];
    if (label_files_name(ret_files, output, ".png", flags->model, error) == PPM_OK)
        label_answer_of(ret_files->folder ? ".png" : output, flags->overlay != NULL,
                        &labeling->answer, error);
    return error->status;
}

static enum ppm_status read_flags(const struct flags *flags, struct labeling *labeling,
                                  struct ppm_error *error)
{
    struct ppm_run_options *options = &labeling->options;
    size_t threads = (size_t)ppm_default_threads();
    if (flags->overlay && (labeling->prints || flags->size))
        return ppm_fail(error, PPM_BAD_CONFIG, "found --overlay and %s, expected one of them",
                        labeling->prints ? "--json" : "--size");
    if (arguments_number("--threads", flags->threads, 1, 1024, &threads, error) != PPM_OK ||
        arguments_number("--image-pixels-max", flags->image_pixels_max, 1, (size_t)1 << 32,
                         &labeling->limits.pixels_max, error) != PPM_OK)
        return error->status;
    if (flags->overlay && !codec_read_opacity(flags->overlay, &labeling->answer.opacity))
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "--overlay: found \"%.40s\", expected an opacity from 0 to 1",
                        flags->overlay);
    options->threads = (int)threads;
    if (flags->size &&
        codec_parse_size(flags->size, &options->output_h, &options->output_w, error) != PPM_OK)
        return error->status = PPM_BAD_CONFIG;
    return PPM_OK;
}

static enum ppm_status label_words(const char *const *words, size_t count,
                                   const struct flags *flags, struct labeling *labeling,
                                   struct ppm_error *error)
{
    struct label_files files = {0};
    struct ppm_model *model = NULL;
    if (find_files(words, count, flags, labeling, &files, error) == PPM_OK &&
        (model = command_load_model(flags->model, error))) {
        labeling->model = model;
        ppm_model_info(model, &labeling->info);
        label_files(labeling, &files, labeling->prints ? "--json" : words[count - 1], error);
    }
    ppm_model_free(model);
    label_files_free(&files);
    return error->status;
}

enum ppm_status command_label(int count, char *const *arguments, struct ppm_error *error)
{
    struct flags flags = {0};
    struct labeling labeling = {.limits = {.pixels_max = IMAGE_PIXELS_MAX_DEFAULT}};
    const struct argument table[] = {
        {.flag = "--model", .value = &flags.model, .is_required = true},
        {.flag = "--overlay", .value = &flags.overlay},
        {.flag = "--json", .is_set = &labeling.prints},
        {.flag = "--size", .value = &flags.size},
        {.flag = "--image-pixels-max", .value = &flags.image_pixels_max},
        {.flag = "--threads", .value = &flags.threads},
        {0}};
    size_t word_count = 0;
    const char **words = calloc((size_t)count + 1, sizeof *words);
    if (!words)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory for %d arguments", count);
    if (arguments_read_words(count, arguments, table, words, &word_count, error) == PPM_OK &&
        read_flags(&flags, &labeling, error) == PPM_OK)
        label_words(words, word_count, &flags, &labeling, error);
    free(words);
    return error->status;
}

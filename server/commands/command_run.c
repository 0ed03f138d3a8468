/* command_run.c - see command_run.h. */
#include "server/commands/command_run.h"
#include "server/base/clock.h"
#include "server/codec/axes.h"
#include "server/codec/forms.h"
#include "server/codec/npy/npy.h"
#include "server/commands/common.h"
#include "server/config/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- before anything is computed ---- */

/* The extension of a file name, with its dot; "" without one. */
static const char *extension_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

/* The form for a file name; .npy if it has no extension. */
static enum ppm_status read_form(const char *path, const struct codec_form **ret_form,
                                 struct ppm_error *error)
{
    const char *extension = extension_of(path);
    const struct codec_form *form = *extension ? codec_form_of_extension(extension) : &codec_npy;
    char list[CODEC_LIST_BYTES];
    if (!form)
        return ppm_fail(error, PPM_BAD_CONFIG, "--output: found \"%s\", expected %s", path,
                        codec_list(CODEC_FILE, CODEC_FLOAT32, list));
    *ret_form = form;
    return PPM_OK;
}

/* Checks that the form can show the model's output. */
static enum ppm_status check_palette(const struct ppm_model_info *info,
                                     const struct codec_form *form, const char *path,
                                     struct ppm_error *error)
{
    if (form->labels_max == 0 || info->palette)
        return PPM_OK;
    if (info->classes == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "%s: model \"%s\" answers %s, which a %s cannot show (\"as\": \"argmax\" "
                        "answers labels); expected .npy",
                        path, info->name, ppm_dtype_name(info->output_dtype), form->name);
    return ppm_fail(error, PPM_UNFIT,
                    "%s: model \"%s\" has %zu classes, and a %s at most %zu colors; expected .npy",
                    path, info->name, info->classes, form->name, form->labels_max);
}

/* ---- files ---- */

/* Puts the file name before an error in the file. */
static void name_file(const char *path, const struct ppm_error *cause, struct ppm_error *error)
{
    if (cause->status != PPM_OK)
        ppm_fail(error, cause->status, "%s: %s", path, cause->text);
}

static enum ppm_status read_input(const char *path, const struct ppm_model_info *info,
                                  enum ppm_layout layout, struct ppm_tensor *ret_x,
                                  struct ppm_error *error)
{
    const struct codec_expectation expectation = {
        .layout = layout, .channels = info->inputs[0].channels, .model = info->name};
    struct ppm_error cause = {0};
    size_t bytes = 0;
    char *data = ppm_read_file(path, PTRDIFF_MAX, &bytes, error);
    if (!data)
        return error->status = error->status == PPM_BAD_CONFIG ? PPM_IO : error->status;
    const char *kind = ppm_looks_like(data, bytes);
    if (bytes == 0)
        ppm_fail(&cause, PPM_MALFORMED, "the file is empty, expected a NumPy .npy file");
    else if (kind && strcmp(kind, "a NumPy .npy file") != 0)
        ppm_fail(&cause, PPM_MALFORMED, "found %s, expected a NumPy .npy file", kind);
    else
        codec_decode(&codec_npy, data, bytes, &expectation, ret_x, &cause);
    free(data);
    name_file(path, &cause, error);
    return error->status;
}

static enum ppm_status write_output(const char *path, const struct codec_bytes *bytes,
                                    struct ppm_error *error)
{
    FILE *file = fopen(path, "we");
    bool is_written = file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (file && fclose(file) != 0)
        is_written = false;
    return is_written ? PPM_OK
                      : ppm_fail(error, PPM_IO, "%s: cannot write: %s", path, strerror(errno));
}

/* "wrote y.npy: [1, 12, 30, 30] as NCHW, float32, computed in 0.213 ms" */
static void report(const char *path, const struct ppm_tensor *y, double ms)
{
    size_t axes[4];
    const size_t count = ppm_tensor_axes(y, axes);
    fprintf(stderr, "wrote %s: [", path);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s%zu", i > 0 ? ", " : "", axes[i]);
    fprintf(stderr, "] as %.*s, %s, computed in %.3g ms\n", (int)count,
            ppm_layout_name(y->layout) + 4 - count, ppm_dtype_name(y->dtype), ms);
}

static enum ppm_status run_file(const struct ppm_model *model, const struct ppm_model_info *info,
                                const char *input, const char *output,
                                const struct codec_form *form, enum ppm_layout layout,
                                const struct ppm_run_options *options, struct ppm_error *error)
{
    struct codec_bytes bytes = {0};
    struct ppm_tensor x = {0}, y = {0};
    double begun_s = 0, ms = 0;
    if (read_input(input, info, layout, &x, error) == PPM_OK && form->labels_max > 0 &&
        x.shape.n > 1)
        ppm_fail(error, PPM_UNFIT,
                 "%s: a %s shows one map, found a batch of %zu in %s; expected .npy", output,
                 form->name, x.shape.n, input);
    if (error->status == PPM_OK) {
        begun_s = clock_now_s();
        ppm_run(model, &x, options, &y, error);
        ms = 1e3 * (clock_now_s() - begun_s);
    }
    const struct codec_answer answer = {.tensor = &y,
                                        .model = info->name,
                                        .palette = {info->palette, info->palette_count},
                                        .threads = 1};
    if (error->status == PPM_OK && codec_encode(form, &answer, &bytes, error) == PPM_OK &&
        write_output(output, &bytes, error) == PPM_OK)
        report(output, &y, ms);
    free(bytes.data);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    return error->status;
}

enum ppm_status command_run(int count, char *const *arguments, struct ppm_error *error)
{
    const char *path = NULL, *input = NULL, *output = NULL, *layout_name = NULL, *size = NULL,
               *threads_text = NULL;
    struct ppm_run_options options = {0};
    const struct argument table[] = {{"--model", &path, NULL, true},
                                     {"--input", &input, NULL, true},
                                     {"--output", &output, NULL, true},
                                     {"--layout", &layout_name, NULL, false},
                                     {"--size", &size, NULL, false},
                                     {"--threads", &threads_text, NULL, false},
                                     {"--reference", NULL, &options.reference, false},
                                     {0}};
    size_t threads = (size_t)ppm_default_threads();
    enum ppm_layout layout = PPM_NCHW;
    const struct codec_form *form = &codec_npy;
    struct ppm_model_info info;
    if (arguments_read(count, arguments, table, error) != PPM_OK ||
        arguments_number("--threads", threads_text, 1, 1024, &threads, error) != PPM_OK ||
        read_form(output, &form, error) != PPM_OK)
        return error->status;
    options.threads = (int)threads;
    if (layout_name && !ppm_layout_from_name(layout_name, &layout))
        return ppm_fail(error, PPM_BAD_CONFIG, "--layout: found \"%.40s\", expected NCHW or NHWC",
                        layout_name);
    if (size && codec_parse_size(size, &options.output_h, &options.output_w, error) != PPM_OK)
        return error->status = PPM_BAD_CONFIG;
    struct ppm_model *model = command_load_model(path, error);
    if (!model)
        return error->status;
    ppm_model_info(model, &info);
    if (check_palette(&info, form, output, error) == PPM_OK)
        run_file(model, &info, input, output, form, layout_name ? layout : info.layout, &options,
                 error);
    ppm_model_free(model);
    return error->status;
}

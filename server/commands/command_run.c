/* command_run.c - see command_run.h. */
#include "server/commands/command_run.h"
#include "server/base/clock.h"
#include "server/codec/codec.h"
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
static enum ppm_status read_form(const char *path, enum codec_form *ret_form,
                                 struct ppm_error *error)
{
    const char *extension = extension_of(path);
    const bool is_png = strcasecmp(extension, ".png") == 0;
    if (!is_png && *extension && strcasecmp(extension, ".npy") != 0)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "--output: found \"%s\", expected .npy, or .png for "
                        "a map of labels",
                        path);
    *ret_form = is_png ? CODEC_PNG : CODEC_NPY;
    return PPM_OK;
}

/* Checks that the model's output fits into a PNG. */
static enum ppm_status check_palette(const struct ppm_model_info *info, const char *path,
                                     struct ppm_error *error)
{
    if (info->palette)
        return PPM_OK;
    if (info->classes == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "%s: model \"%s\" answers %s, which a PNG cannot show (\"as\": \"argmax\" "
                        "answers labels); expected .npy",
                        path, info->name, ppm_dtype_name(info->output_dtype));
    return ppm_fail(error, PPM_UNFIT,
                    "%s: model \"%s\" has %zu classes, and a PNG at most %d colors; expected .npy",
                    path, info->name, info->classes, CODEC_PNG_LABELS_MAX);
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
        .layout = layout, .channels = info->channels, .model = info->name};
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
        codec_decode(CODEC_NPY, data, bytes, &expectation, ret_x, &cause);
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

/* Encoding a PNG overwrites y. */
static enum ppm_status encode(enum codec_form form, struct ppm_tensor *y,
                              const struct ppm_model_info *info, const char *path,
                              struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    const struct codec_palette palette = {info->palette, info->palette_count};
    if (form == CODEC_NPY)
        return codec_encode(CODEC_NPY, y, info->name, ret_bytes, error);
    const size_t count = y->shape.n * y->shape.c * y->shape.h * y->shape.w;
    char *data = malloc(codec_encoded_bytes_max(CODEC_PNG, count));
    size_t size = 0;
    if (!data)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    if (codec_png_encode_into(y, &palette, NULL, data, &size, error) == PPM_OK)
        *ret_bytes = (struct codec_bytes){.data = data, .size = size};
    else
        free(data);
    return error->status;
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
                                const char *input, const char *output, enum codec_form form,
                                enum ppm_layout layout, struct ppm_error *error)
{
    struct codec_bytes answer = {0};
    struct ppm_tensor x = {0}, y = {0};
    double begun_s = 0, ms = 0;
    if (read_input(input, info, layout, &x, error) == PPM_OK && form == CODEC_PNG && x.shape.n > 1)
        ppm_fail(error, PPM_UNFIT,
                 "%s: a PNG shows one map, found a batch of %zu in %s; expected .npy", output,
                 x.shape.n, input);
    if (error->status == PPM_OK) {
        begun_s = clock_now_s();
        ppm_run(model, &x, NULL, &y, error);
        ms = 1e3 * (clock_now_s() - begun_s);
    }
    const struct ppm_tensor shown = y; /* encoding a PNG overwrites y */
    if (error->status == PPM_OK && encode(form, &y, info, output, &answer, error) == PPM_OK &&
        write_output(output, &answer, error) == PPM_OK)
        report(output, &shown, ms);
    free(answer.data);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    return error->status;
}

enum ppm_status command_run(int count, char *const *arguments, struct ppm_error *error)
{
    const char *path = NULL, *input = NULL, *output = NULL, *layout_name = NULL;
    const struct argument table[] = {{"--model", &path, NULL, true},
                                     {"--input", &input, NULL, true},
                                     {"--output", &output, NULL, true},
                                     {"--layout", &layout_name, NULL, false},
                                     {0}};
    enum ppm_layout layout = PPM_NCHW;
    enum codec_form form = CODEC_NPY;
    struct ppm_model_info info;
    if (arguments_read(count, arguments, table, error) != PPM_OK ||
        read_form(output, &form, error) != PPM_OK)
        return error->status;
    if (layout_name && !ppm_layout_from_name(layout_name, &layout))
        return ppm_fail(error, PPM_BAD_CONFIG, "--layout: found \"%.40s\", expected NCHW or NHWC",
                        layout_name);
    struct ppm_model *model = command_load_model(path, error);
    if (!model)
        return error->status;
    ppm_model_info(model, &info);
    if (form != CODEC_PNG || check_palette(&info, output, error) == PPM_OK)
        run_file(model, &info, input, output, form, layout_name ? layout : info.layout, error);
    ppm_model_free(model);
    return error->status;
}

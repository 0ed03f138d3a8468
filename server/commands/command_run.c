/* command_run.c - see command_run.h. */
#include "server/commands/command_run.h"
#include "server/base/clock.h"
#include "server/codec/axes.h"
#include "server/codec/forms.h"
#include "server/codec/input_names.h"
#include "server/codec/npy/npy.h"
#include "server/commands/common.h"
#include "server/commands/write_file.h"
#include "server/config/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- before anything is computed ---- */

/* The form for a file name; .npy if it has no extension. */
static enum ppm_status read_form(const char *path, const struct codec_form **ret_form,
                                 struct ppm_error *error)
{
    const char *extension = command_extension(path);
    const struct codec_form *form = *extension ? codec_form_of_extension(extension) : &codec_npy;
    char list[CODEC_LIST_BYTES];
    if (!form)
        return ppm_fail(error, PPM_BAD_CONFIG, "--output: found \"%s\", expected %s", path,
                        codec_list(CODEC_FILE, CODEC_FLOAT32, list));
    *ret_form = form;
    return PPM_OK;
}

/* ---- files ---- */

/* Puts the file name before an error in the file. */
static void name_file(const char *path, const struct ppm_error *cause, struct ppm_error *error)
{
    if (cause->status != PPM_OK)
        ppm_fail(error, cause->status, "%s: %s", path, cause->text);
}

static enum ppm_status read_file(const char *path, const struct codec_expectation *expectation,
                                 struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
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
        codec_decode(&codec_npy, data, bytes, expectation, ret_tensor, &cause);
    free(data);
    name_file(path, &cause, error);
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

/* Of the index-th input: of the only one as it was given, of several NAME=FILE. */
static const char *find_path(const struct argument_list *files, const struct ppm_model_info *info,
                             size_t index)
{
    const char *name = info->inputs[index].name;
    const size_t bytes = strlen(name);
    if (info->input_count == 1)
        return files->values[files->count - 1];
    for (size_t i = 0; i < files->count; i++)
        if (strncmp(files->values[i], name, bytes) == 0 && files->values[i][bytes] == '=')
            return files->values[i] + bytes + 1;
    return NULL;
}

/* One file for each input, named once. */
static enum ppm_status check_files(const struct argument_list *files,
                                   const struct ppm_model_info *info, struct ppm_error *error)
{
    char names[CODEC_NAMES_BYTES];
    bool are_all = files->count == info->input_count;
    for (size_t i = 0; are_all && i < info->input_count; i++)
        are_all = find_path(files, info, i) != NULL;
    if (are_all || info->input_count == 1)
        return PPM_OK;
    return ppm_fail(
        error, PPM_BAD_CONFIG,
        "--input: found %zu (\"%.40s\", ..), but model \"%s\" takes %zu inputs, expected "
        "NAME=FILE for each: %s",
        files->count, files->values[0], info->name, info->input_count,
        codec_input_names(info->inputs, info->input_count, "", " and ", names));
}

static enum ppm_status read_inputs(const struct argument_list *files,
                                   const struct ppm_model_info *info, enum ppm_layout layout,
                                   struct ppm_tensor *ret_inputs, struct ppm_error *error)
{
    if (check_files(files, info, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < info->input_count; i++) {
        const struct codec_expectation expectation = {
            .layout = layout,
            .input = info->input_count > 1 ? info->inputs[i].name : NULL,
            .channels = info->inputs[i].channels,
            .model = info->name};
        if (read_file(find_path(files, info, i), &expectation, &ret_inputs[i], error) != PPM_OK)
            return error->status;
        if (ret_inputs[i].is_batch != ret_inputs[0].is_batch)
            return ppm_fail(error, PPM_UNFIT, "%s has %d axes and %s %d, expected as many",
                            find_path(files, info, 0), ret_inputs[0].is_batch ? 4 : 3,
                            find_path(files, info, i), ret_inputs[i].is_batch ? 4 : 3);
    }
    return PPM_OK;
}

/* What a run goes from and to. */
struct files {
    struct argument_list inputs;
    const char *output;
    const struct codec_form *form;
    enum ppm_layout layout;
};

static enum ppm_status run_files(const struct ppm_model *model, const struct ppm_model_info *info,
                                 const struct files *files, const struct ppm_run_options *options,
                                 struct ppm_error *error)
{
    const struct codec_form *form = files->form;
    struct codec_bytes bytes = {0};
    struct ppm_tensor inputs[PPM_INPUTS_MAX] = {0}, y = {0};
    double begun_s = 0, ms = 0;
    if (read_inputs(&files->inputs, info, files->layout, inputs, error) == PPM_OK &&
        form->labels_max > 0 && inputs[0].shape.n > 1)
        ppm_fail(error, PPM_UNFIT,
                 "%s: a %s shows one map, found a batch of %zu in %s; expected .npy", files->output,
                 form->name, inputs[0].shape.n, find_path(&files->inputs, info, 0));
    if (error->status == PPM_OK) {
        begun_s = clock_now_s();
        ppm_run(model, inputs, options, &y, error);
        ms = 1e3 * (clock_now_s() - begun_s);
    }
    const struct codec_answer answer = {.tensor = &y,
                                        .model = info->name,
                                        .palette = {info->palette, info->palette_count},
                                        .threads = 1};
    if (error->status == PPM_OK && codec_encode(form, &answer, &bytes, error) == PPM_OK &&
        command_write_file(files->output, &bytes, error) == PPM_OK)
        report(files->output, &y, ms);
    free(bytes.data);
    for (size_t i = 0; i < info->input_count; i++)
        ppm_tensor_free(&inputs[i]);
    ppm_tensor_free(&y);
    return error->status;
}

enum ppm_status command_run(int count, char *const *arguments, struct ppm_error *error)
{
    const char *path = NULL, *layout = NULL, *size = NULL, *threads_text = NULL;
    struct files files = {.form = &codec_npy};
    struct ppm_run_options options = {0};
    const struct argument table[] = {
        {.flag = "--model", .value = &path, .is_required = true},
        {.flag = "--input", .list = &files.inputs, .is_required = true},
        {.flag = "--output", .value = &files.output, .is_required = true},
        {.flag = "--layout", .value = &layout},
        {.flag = "--size", .value = &size},
        {.flag = "--threads", .value = &threads_text},
        {.flag = "--reference", .is_set = &options.reference},
        {0}};
    size_t threads = (size_t)ppm_default_threads();
    struct ppm_model_info info;
    if (arguments_read(count, arguments, table, error) != PPM_OK ||
        arguments_number("--threads", threads_text, 1, 1024, &threads, error) != PPM_OK ||
        read_form(files.output, &files.form, error) != PPM_OK)
        return error->status;
    options.threads = (int)threads;
    if (layout && !ppm_layout_from_name(layout, &files.layout))
        return ppm_fail(error, PPM_BAD_CONFIG, "--layout: found \"%.40s\", expected NCHW or NHWC",
                        layout);
    if (size && codec_parse_size(size, &options.output_h, &options.output_w, error) != PPM_OK)
        return error->status = PPM_BAD_CONFIG;
    struct ppm_model *model = command_load_model(path, error);
    if (!model)
        return error->status;
    ppm_model_info(model, &info);
    if (!layout)
        files.layout = info.layout;
    if (files.form->labels_max == 0 ||
        command_check_labels(&info, "a PNG", files.form->labels_max, files.output, error) == PPM_OK)
        run_files(model, &info, &files, &options, error);
    ppm_model_free(model);
    return error->status;
}

/* run.c - `run`: one tensor through a model, file to file: .npy, or a PNG of a map of labels. */
#include "server/arguments.h"
#include "server/codec/codec.h"
#include "server/commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static enum ppm_status read_whole_file(const char *path, struct codec_bytes *ret_bytes,
                                       struct ppm_error *error)
{
    struct ppm_error unread = {0};
    ret_bytes->data = ppm_read_file(path, SIZE_MAX - 1, &ret_bytes->size, &unread);
    return ret_bytes->data ? PPM_OK : ppm_fail(error, PPM_IO, "%s", unread.text);
}

static enum ppm_status write_whole_file(const char *path, const struct codec_bytes *bytes,
                                        struct ppm_error *error)
{
    FILE *file = fopen(path, "we");
    bool is_written = file && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    if (file && fclose(file) != 0)
        is_written = false;
    return is_written ? PPM_OK
                      : ppm_fail(error, PPM_IO, "%s: cannot write it: %s", path, strerror(errno));
}

/* As a PNG where the file's name says so, else as .npy; a PNG uses y up. */
static enum ppm_status encode(struct ppm_tensor *y, const struct ppm_model_info *info,
                              const char *path, struct codec_bytes *ret_bytes,
                              struct ppm_error *error)
{
    const struct codec_palette palette = {info->palette, info->palette_count};
    const size_t length = strlen(path), suffix = strlen(".png");
    if (length < suffix || strcasecmp(path + length - suffix, ".png") != 0)
        return codec_encode(CODEC_NPY, y, info->name, ret_bytes, error);
    const size_t count = y->shape.n * y->shape.c * y->shape.h * y->shape.w;
    char *data = malloc(codec_encoded_bytes_max(CODEC_PNG, count));
    size_t size = 0;
    if (!data)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    if (codec_png_encode_into(y, &palette, data, &size, error) == PPM_OK)
        *ret_bytes = (struct codec_bytes){.data = data, .size = size};
    else
        free(data);
    return error->status;
}

static enum ppm_status run_file(const struct ppm_model *model, const char *input,
                                const char *output, enum ppm_layout layout, struct ppm_error *error)
{
    struct ppm_model_info info;
    struct codec_bytes bytes = {0}, answer = {0};
    struct ppm_tensor x = {0}, y = {0};
    ppm_model_info(model, &info);
    const struct codec_expectation expectation = {
        .layout = layout, .channels = info.channels, .model = info.name};
    if (read_whole_file(input, &bytes, error) == PPM_OK &&
        codec_decode(CODEC_NPY, bytes.data, bytes.size, &expectation, &x, error) == PPM_OK &&
        ppm_run(model, &x, NULL, &y, error) == PPM_OK &&
        encode(&y, &info, output, &answer, error) == PPM_OK)
        write_whole_file(output, &answer, error);
    free(bytes.data);
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
    struct ppm_model_info info;
    if (arguments_read(count, arguments, table, error) != PPM_OK)
        return error->status;
    struct ppm_model *model = command_load_model(path, error);
    if (!model)
        return error->status;
    ppm_model_info(model, &info);
    enum ppm_layout layout = info.layout;
    if (layout_name && !ppm_layout_from_name(layout_name, &layout))
        ppm_fail(error, PPM_BAD_CONFIG, "--layout: found \"%.40s\", expected NCHW or NHWC",
                 layout_name);
    else
        run_file(model, input, output, layout, error);
    ppm_model_free(model);
    return error->status;
}

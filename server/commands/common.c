/* common.c - see common.h. */
#include "server/commands/common.h"
#include "server/codec/axes.h"
#include "server/observe/progress.h"

#include <stdio.h>
#include <string.h>

const char *command_quantity(double value, const char *unit, char ret_text[QUANTITY_BYTES])
{
    static const char prefixes[][2] = {"", "k", "M", "G", "T", "P", "E"};
    size_t prefix = 0;
    for (; value >= 999.95 && prefix + 1 < sizeof prefixes / sizeof *prefixes; prefix++)
        value /= 1000;
    snprintf(ret_text, QUANTITY_BYTES, "%.*f %s%s", prefix > 0 ? 1 : 0, value, prefixes[prefix],
             unit);
    return ret_text;
}

struct ppm_model *command_load_model(const char *path, struct ppm_error *error)
{
    const struct ppm_progress progress = progress_start("loading");
    struct ppm_model *model = ppm_model_load(path, &progress, error);
    progress_end();
    return model;
}

const char *command_extension(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

enum ppm_status command_check_labels(const struct ppm_model_info *info, const char *what,
                                     size_t colors_max, const char *path, struct ppm_error *error)
{
    if (info->classes == 0)
        return ppm_fail(error, PPM_UNFIT,
                        "%s: model \"%s\" answers %s in %zu channel%s, which %s cannot show "
                        "(\"as\": \"argmax\", or a \"threshold\" of one class, answers labels); "
                        "expected .npy",
                        path, info->name, ppm_dtype_name(info->output_dtype), info->output_channels,
                        ppm_plural(info->output_channels), what);
    if (colors_max == 0 || info->palette)
        return PPM_OK;
    return ppm_fail(error, PPM_UNFIT,
                    "%s: model \"%s\" has %zu classes, and %s at most %zu colors; expected .npy",
                    path, info->name, info->classes, what, colors_max);
}

/* One text, as a query has it: "c2=1,256,64,64;c5=1,2048,16,16". */
static void join(const struct argument_list *shapes, size_t first, char *ret_text, size_t bytes)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = first; i < shapes->count && used < bytes; i++)
        used += (size_t)snprintf(ret_text + used, bytes - used, "%s%s", i > first ? ";" : "",
                                 shapes->values[i]);
}

enum ppm_status command_read_sizes(const struct argument_list *shapes, const char *size,
                                   const struct ppm_model_info *info, struct ppm_sizes *ret_sizes,
                                   struct ppm_error *error)
{
    char text[PPM_INPUTS_MAX * 256];
    struct ppm_sizes sizes = {0};
    const size_t first = info->input_count == 1 ? shapes->count - 1 : 0; /* the last one counts */
    join(shapes, first, text, sizeof text);
    if (codec_parse_shapes(text, info->inputs, info->input_count, PPM_NCHW, &sizes, error) !=
            PPM_OK ||
        (size && codec_parse_size(size, &sizes.output_h, &sizes.output_w, error) != PPM_OK))
        return error->status = PPM_BAD_CONFIG;
    *ret_sizes = sizes;
    return PPM_OK;
}

/* common.c - see common.h. */
#include "server/commands/common.h"
#include "server/codec/axes.h"
#include "server/observe/progress.h"

#include <stdio.h>

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

enum ppm_status command_read_sizes(const char *shape, const char *size, struct ppm_sizes *ret_sizes,
                                   struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    size_t axes[4], count, h = 0, w = 0;
    if (codec_parse_shape(shape, axes, &count, error) != PPM_OK ||
        ppm_tensor_from_axes(axes, count, PPM_NCHW, &tensor, error) != PPM_OK ||
        (size && codec_parse_size(size, &h, &w, error) != PPM_OK))
        return error->status = PPM_BAD_CONFIG;
    *ret_sizes = ppm_sizes_of(&tensor, 1);
    ret_sizes->output_h = h;
    ret_sizes->output_w = w;
    return PPM_OK;
}

/* layers_windows.c - the options of layers that slide a window over a map. */
#include "core/model/layer_read.h"

#include <string.h>

/* A 3x3 of a head keeps the map's size. */
static enum ppm_status read_stack_kernel(const struct layer_reader *reader, const json_t *options,
                                         const struct json_place *place, struct layer *layer)
{
    const bool is_head = !reader->scope->is_branch;
    const json_t *kernel = json_object_get(options, "kernel");
    const struct json_place member = json_member(place, "kernel");
    const json_int_t size = kernel ? json_integer_value(kernel) : 1;
    const size_t taps = size == 3 ? 3 : 1, border = taps / 2;
    layer->window = (struct window){.size = {taps, taps},
                                    .stride = {1, 1},
                                    .dilation = {1, 1},
                                    .before = {border, border},
                                    .after = {border, border}};
    if (size != 1 && (size != 3 || !is_head))
        return json_refuse(&member, kernel, reader->error,
                           is_head ? "1 or 3" : "1: the convolutions of a branch are 1x1");
    return PPM_OK;
}

/* n, [h, w] or [top, left, bottom, right]; "same"; nothing: 0. */
static enum ppm_status read_padding(const json_t *options, const struct json_place *place,
                                    size_t max, struct window *window, struct ppm_error *error)
{
    static const size_t sides[5][4] = {[1] = {0, 0, 0, 0}, [2] = {0, 1, 0, 1}, [4] = {0, 1, 2, 3}};
    const json_t *padding = json_object_get(options, "padding");
    const struct json_place member = json_member(place, "padding");
    const size_t count = json_is_array(padding) ? json_array_size(padding) : 1;
    size_t values[4] = {0};
    if (!padding)
        return PPM_OK;
    window->is_same = json_is_string(padding) && strcmp(json_string_value(padding), "same") == 0;
    if (window->is_same)
        return PPM_OK;
    bool is_padding = json_is_array(padding) ? count == 2 || count == 4 : true;
    for (size_t i = 0; i < count && is_padding; i++) {
        const json_t *value = json_is_array(padding) ? json_array_get(padding, i) : padding;
        is_padding = json_is_integer(value) && json_integer_value(value) >= 0 &&
                     json_integer_value(value) <= (json_int_t)max;
        values[i] = (size_t)json_integer_value(value);
    }
    if (!is_padding)
        return json_refuse(&member, padding, error,
                           "pixels from 0 to %zu: a number, [h, w] or [top, left, bottom, right]; "
                           "or \"same\"",
                           max);
    for (size_t axis = 0; axis < WINDOW_AXES; axis++) {
        window->before[axis] = values[sides[count][axis]];
        window->after[axis] = values[sides[count][WINDOW_AXES + axis]];
    }
    return PPM_OK;
}

static enum ppm_status read_conv_window(const json_t *options, const struct json_place *place,
                                        struct window *window, struct ppm_error *error)
{
    *window = (struct window){.size = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    if (json_read_pair(options, place, "kernel", 1, KERNEL_MAX, window->size, error) == PPM_OK &&
        json_read_pair(options, place, "stride", 1, STRIDE_MAX, window->stride, error) == PPM_OK &&
        json_read_pair(options, place, "dilation", 1, DILATION_MAX, window->dilation, error) ==
            PPM_OK)
        read_padding(options, place, PADDING_MAX, window, error);
    return error->status;
}

static enum ppm_status read_conv_groups(const json_t *options, const struct json_place *place,
                                        struct layer *layer, struct ppm_error *error)
{
    const struct json_place member = json_member(place, "groups");
    if (json_read_size(options, place, "groups", 1, CHANNELS_MAX, &layer->groups, error) != PPM_OK)
        return error->status;
    if (layer->in_channels % layer->groups != 0 || layer->out_channels % layer->groups != 0)
        return json_refuse(&member, json_object_get(options, "groups"), error,
                           "a number that divides %zu channels in and %zu out", layer->in_channels,
                           layer->out_channels);
    return PPM_OK;
}

enum ppm_status read_conv(struct layer_reader *reader, const json_t *options,
                          const struct json_place *place, struct layer *layer)
{
    static const char *const stack_keys[] = {"channels", "kernel", "bias", "weights", NULL};
    static const char *const keys[] = {"channels", "kernel", "stride",  "padding", "dilation",
                                       "groups",   "bias",   "weights", NULL};
    const bool is_network = reader->scope->is_network;
    struct ppm_error *error = reader->error;
    layer->has_bias = true;
    layer->groups = 1;
    if (json_check_keys(options, place, is_network ? keys : stack_keys, error) != PPM_OK ||
        json_read_size(options, place, "channels", 1, CHANNELS_MAX, &layer->out_channels, error) !=
            PPM_OK)
        return error->status;
    if ((is_network ? read_conv_window(options, place, &layer->window, error)
                    : read_stack_kernel(reader, options, place, layer)) != PPM_OK ||
        read_conv_groups(options, place, layer, error) != PPM_OK ||
        json_read_bool(options, place, "bias", &layer->has_bias, error) != PPM_OK)
        return error->status;
    return layer_read_weights_name(reader, options, place, "conv", layer);
}

/* A window that lies in the padding only would have no value. */
static enum ppm_status check_pool_padding(const json_t *options, const struct json_place *place,
                                          const struct window *window, struct ppm_error *error)
{
    const struct json_place member = json_member(place, "padding");
    for (size_t axis = 0; axis < WINDOW_AXES; axis++)
        if (window->before[axis] >= window->size[axis] || window->after[axis] >= window->size[axis])
            return json_refuse(&member, json_object_get(options, "padding"), error,
                               "less than the window of %zu x %zu", window->size[0],
                               window->size[1]);
    return PPM_OK;
}

static enum ppm_status read_pool(struct layer_reader *reader, const json_t *options,
                                 const struct json_place *place, struct layer *layer)
{
    struct window *window = &layer->window;
    struct ppm_error *error = reader->error;
    const struct json_place member = json_member(place, "window");
    *window = (struct window){.dilation = {1, 1}};
    if (!json_object_get(options, "window"))
        return json_refuse(&member, NULL, error, "the size of the window: pixels, or [h, w]");
    if (json_read_pair(options, place, "window", 1, WINDOW_MAX, window->size, error) != PPM_OK)
        return error->status;
    memcpy(window->stride, window->size, sizeof window->stride);
    if (json_read_pair(options, place, "stride", 1, WINDOW_MAX, window->stride, error) != PPM_OK ||
        json_read_bool(options, place, "ceil", &window->is_ceil, error) != PPM_OK ||
        read_padding(options, place, WINDOW_MAX - 1, window, error) != PPM_OK)
        return error->status;
    return check_pool_padding(options, place, window, error);
}

enum ppm_status read_max_pool(struct layer_reader *reader, const json_t *options,
                              const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"window", "stride", "padding", "ceil", NULL};
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK)
        return reader->error->status;
    return read_pool(reader, options, place, layer);
}

enum ppm_status read_avg_pool(struct layer_reader *reader, const json_t *options,
                              const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"window", "stride",        "padding",
                                       "ceil",   "count_padding", NULL};
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK ||
        read_pool(reader, options, place, layer) != PPM_OK)
        return reader->error->status;
    layer->counts_padding = !layer->window.is_same;
    return json_read_bool(options, place, "count_padding", &layer->counts_padding, reader->error);
}

enum ppm_status read_adaptive_avg_pool(struct layer_reader *reader, const json_t *options,
                                       const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"bins", NULL};
    const struct json_place member = json_member(place, "bins");
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK)
        return reader->error->status;
    if (!json_object_get(options, "bins"))
        return json_refuse(&member, NULL, reader->error, "the cells of the grid: a bin, or [h, w]");
    return json_read_pair(options, place, "bins", 1, BIN_MAX, layer->grid, reader->error);
}

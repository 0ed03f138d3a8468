/* layers_values.c - the options of norms, activations and other layers that keep a map's shape. */
#include "core/model/layer_read.h"

/* eps, scale and center. */
static enum ppm_status read_norm(struct layer_reader *reader, const json_t *options,
                                 const struct json_place *place, const char *const *keys,
                                 struct layer *layer)
{
    struct ppm_error *error = reader->error;
    layer->eps = 1e-5;
    layer->has_scale = layer->has_center = true;
    if (json_check_keys(options, place, keys, error) == PPM_OK &&
        json_read_double(options, place, "eps", 0, 1, &layer->eps, error) == PPM_OK &&
        json_read_bool(options, place, "scale", &layer->has_scale, error) == PPM_OK)
        json_read_bool(options, place, "center", &layer->has_center, error);
    return error->status;
}

static const char *const norm_keys[] = {"eps", "scale", "center", "weights", NULL};

enum ppm_status read_batch_norm(struct layer_reader *reader, const json_t *options,
                                const struct json_place *place, struct layer *layer)
{
    if (read_norm(reader, options, place, norm_keys, layer) != PPM_OK)
        return reader->error->status;
    return layer_read_weights_name(reader, options, place, "batch_norm", layer);
}

enum ppm_status read_layer_norm(struct layer_reader *reader, const json_t *options,
                                const struct json_place *place, struct layer *layer)
{
    if (read_norm(reader, options, place, norm_keys, layer) != PPM_OK)
        return reader->error->status;
    return layer_read_weights_name(reader, options, place, "layer_norm", layer);
}

enum ppm_status read_group_norm(struct layer_reader *reader, const json_t *options,
                                const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"groups", "eps", "scale", "center", "weights", NULL};
    const json_t *groups = json_object_get(options, "groups");
    const struct json_place member = json_member(place, "groups");
    if (read_norm(reader, options, place, keys, layer) != PPM_OK)
        return reader->error->status;
    if (!json_is_size(groups, CHANNELS_MAX) ||
        layer->in_channels % (size_t)json_integer_value(groups) != 0)
        return json_refuse(&member, groups, reader->error, "a number that divides %zu channel%s",
                           layer->in_channels, ppm_plural(layer->in_channels));
    layer->groups = (size_t)json_integer_value(groups);
    return layer_read_weights_name(reader, options, place, "group_norm", layer);
}

enum ppm_status read_prelu(struct layer_reader *reader, const json_t *options,
                           const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"weights", NULL};
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK)
        return reader->error->status;
    return layer_read_weights_name(reader, options, place, "prelu", layer);
}

enum ppm_status read_softmax(struct layer_reader *reader, const json_t *options,
                             const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {NULL};
    if (layer->in_channels == 1)
        return json_refuse(reader->place, reader->value, reader->error,
                           "\"sigmoid\": softmax of 1 channel is 1 everywhere");
    return json_check_keys(options, place, keys, reader->error);
}

enum ppm_status read_activation(struct layer_reader *reader, const json_t *options,
                                const struct json_place *place, struct layer *layer)
{
    static const char *const no_keys[] = {NULL}, *const keys[] = {"slope", NULL};
    const bool has_slope = layer->activation == SIMD_LEAKY_RELU;
    double slope = 0.01;
    if (json_check_keys(options, place, has_slope ? keys : no_keys, reader->error) != PPM_OK ||
        json_read_double(options, place, "slope", -100, 100, &slope, reader->error) != PPM_OK)
        return reader->error->status;
    layer->slope = (float)slope;
    return PPM_OK;
}

enum ppm_status read_affine(struct layer_reader *reader, const json_t *options,
                            const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"scale", "shift", NULL};
    const double max = 1e6;
    layer->factor = 1;
    layer->offset = 0;
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK ||
        json_read_double(options, place, "scale", -max, max, &layer->factor, reader->error) !=
            PPM_OK)
        return reader->error->status;
    return json_read_double(options, place, "shift", -max, max, &layer->offset, reader->error);
}

/* layers_maps.c - the options of layers that stretch, cut, sum up and join maps. */
#include "core/base/size.h"
#include "core/model/graph_names.h"
#include "core/model/layer_read.h"

static const char *const resize_modes[] = {
#define MODE(constant, name) #name,
    RESIZES(MODE)
#undef MODE
        NULL};

/* Exactly one of scale, size and like. */
static enum ppm_status read_target(struct layer_reader *reader, const json_t *options,
                                   const struct json_place *place, struct layer *layer)
{
    struct ppm_error *error = reader->error;
    const json_t *scale = json_object_get(options, "scale"),
                 *size = json_object_get(options, "size"), *like = json_object_get(options, "like");
    const struct json_place size_place = json_member(place, "size"),
                            like_place = json_member(place, "like");
    if (!!scale + !!size + !!like != 1)
        return json_refuse(place, options, error,
                           "one of \"scale\", \"size\": [h, w] and \"like\": NAME");
    if (scale) {
        layer->target = RESIZE_BY;
        return json_read_double(options, place, "scale", 1.0 / RESIZE_SCALE_MAX, RESIZE_SCALE_MAX,
                                &layer->times, error);
    }
    if (size) {
        layer->target = RESIZE_TO;
        if (json_array_size(size) != 2)
            return json_refuse(&size_place, size, error, "[h, w] in pixels");
        return json_read_pair(options, place, "size", 1, RESIZE_EXTENT_MAX, layer->extent, error);
    }
    layer->target = RESIZE_LIKE;
    if (!reader->scope->names)
        return json_refuse(&like_place, like, error,
                           "\"scale\" or \"size\": a branch does not know the names of a network");
    return graph_names_find(reader->scope->names, like, &like_place, &layer->like, error);
}

enum ppm_status read_resize(struct layer_reader *reader, const json_t *options,
                            const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"scale", "size", "like", "mode", NULL};
    int mode = RESIZE_ALIGN_CORNERS;
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK ||
        json_read_choice(options, place, "mode", resize_modes, &mode, reader->error) != PPM_OK)
        return reader->error->status;
    layer->mode = (enum resize)mode;
    return read_target(reader, options, place, layer);
}

static enum ppm_status read_reduction(struct layer_reader *reader, const json_t *options,
                                      const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {NULL};
    layer->out_channels = 1;
    return json_check_keys(options, place, keys, reader->error);
}

enum ppm_status read_channel_sum(struct layer_reader *reader, const json_t *options,
                                 const struct json_place *place, struct layer *layer)
{
    return read_reduction(reader, options, place, layer);
}

enum ppm_status read_channel_mean(struct layer_reader *reader, const json_t *options,
                                  const struct json_place *place, struct layer *layer)
{
    return read_reduction(reader, options, place, layer);
}

enum ppm_status read_slice(struct layer_reader *reader, const json_t *options,
                           const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"channels", NULL};
    const json_t *range = json_object_get(options, "channels");
    const json_t *from = json_array_get(range, 0), *to = json_array_get(range, 1);
    const struct json_place member = json_member(place, "channels");
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK)
        return reader->error->status;
    if (json_array_size(range) != 2 || !json_is_integer(from) || json_integer_value(from) < 0 ||
        !json_is_size(to, layer->in_channels) || json_integer_value(from) >= json_integer_value(to))
        return json_refuse(&member, range, reader->error,
                           "[from, to] with from < to <= %zu, the channels of the map",
                           layer->in_channels);
    layer->first_channel = (size_t)json_integer_value(from);
    layer->out_channels = (size_t)json_integer_value(to) - layer->first_channel;
    return PPM_OK;
}

/* All maps have the channels of the widest, or 1. */
static enum ppm_status read_broadcast(const struct layer_reader *reader, struct layer *layer)
{
    const struct layer_map *maps = reader->maps, *widest = maps;
    for (size_t i = 1; i < reader->map_count; i++)
        widest = maps[i].channels > widest->channels ? &maps[i] : widest;
    for (size_t i = 0; i < reader->map_count; i++)
        if (maps[i].channels != widest->channels && maps[i].channels != 1)
            return json_refuse(reader->place, reader->value, reader->error,
                               "maps of the same channels, or of 1: \"%s\" has %zu and \"%s\" %zu",
                               widest->name, widest->channels, maps[i].name, maps[i].channels);
    layer->out_channels = widest->channels;
    return PPM_OK;
}

enum ppm_status read_add(struct layer_reader *reader, const json_t *options,
                         const struct json_place *place, struct layer *layer)
{
    (void)options;
    (void)place;
    return read_broadcast(reader, layer);
}

enum ppm_status read_mul(struct layer_reader *reader, const json_t *options,
                         const struct json_place *place, struct layer *layer)
{
    (void)options;
    (void)place;
    return read_broadcast(reader, layer);
}

enum ppm_status read_concat(struct layer_reader *reader, const json_t *options,
                            const struct json_place *place, struct layer *layer)
{
    (void)options;
    (void)place;
    layer->out_channels = 0;
    for (size_t i = 0; i < reader->map_count; i++)
        layer->out_channels += reader->maps[i].channels;
    if (layer->out_channels > CHANNELS_MAX)
        return json_refuse(reader->place, reader->value, reader->error,
                           "at most %d channels; these maps have %zu", CHANNELS_MAX,
                           layer->out_channels);
    return PPM_OK;
}

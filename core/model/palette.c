/* palette.c - see palette.h. */
#include "core/model/palette.h"

#include <string.h>

/* As in VOC's devkit: from the lowest up, each three bits of a label are the next lower bits of
 * red, green and blue. 0 is black, 1 (128, 0, 0), 2 (0, 128, 0), 255 (224, 224, 192). */
void palette_voc(size_t label, uint8_t ret_color[3])
{
    memset(ret_color, 0, 3);
    for (size_t i = 0; i < 8; i++)
        for (size_t channel = 0; channel < 3 && 3 * i + channel < 8; channel++)
            ret_color[channel] |= (uint8_t)((label >> (3 * i + channel) & 1) << (7 - i));
}

static void fill_voc(struct palette *palette, size_t count)
{
    for (size_t label = 0; label < count; label++)
        palette_voc(label, palette->colors[label]);
    palette->count = count;
}

static bool is_level(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= UINT8_MAX;
}

enum ppm_status palette_read_color(const json_t *value, const struct json_place *place,
                                   uint8_t ret_color[3], struct ppm_error *error)
{
    for (size_t channel = 0; channel < 3; channel++) {
        const json_t *level = json_array_get(value, channel);
        if (json_array_size(value) != 3 || !is_level(level))
            return json_refuse(place, value, error,
                               "a color [red, green, blue], each from 0 to 255");
        ret_color[channel] = (uint8_t)json_integer_value(level);
    }
    return PPM_OK;
}

enum ppm_status palette_read(const json_t *output, const struct json_place *place, size_t classes,
                             struct palette *ret_palette, struct ppm_error *error)
{
    const json_t *list = json_object_get(output, "palette");
    const struct json_place member = json_member(place, "palette");
    const size_t count = json_array_size(list);
    if (!list) {
        if (classes <= LABELS_MAX)
            fill_voc(ret_palette, classes);
        return PPM_OK;
    }
    if (classes == 0)
        return json_refuse(&member, list, error,
                           "\"as\": \"argmax\" with a palette, or the \"threshold\" of one class");
    if (!json_is_array(list) || count == 0 || count > LABELS_MAX)
        return json_refuse(&member, list, error,
                           "a list of 1 to %d colors, such as [[0, 0, 0], [128, 0, 0]]",
                           LABELS_MAX);
    if (count < classes)
        return json_refuse(&member, list, error, "a color for each of the %zu classes, not for %zu",
                           classes, count);
    for (size_t label = 0; label < count; label++) {
        const struct json_place element = json_element(&member, label);
        if (palette_read_color(json_array_get(list, label), &element, ret_palette->colors[label],
                               error) != PPM_OK)
            return error->status;
    }
    ret_palette->count = count;
    ret_palette->is_given = true;
    return PPM_OK;
}

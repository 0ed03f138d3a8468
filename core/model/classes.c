/* classes.c - see classes.h. */
#include "core/model/classes.h"
#include "core/base/memory.h"

#include <stdlib.h>
#include <string.h>

static enum ppm_status read_name(const json_t *entry, const struct json_place *place, char *ret,
                                 struct ppm_error *error)
{
    const struct json_place member = json_member(place, "name");
    ret[0] = '\0';
    const json_t *name = json_object_get(entry, "name");
    bool is_line = json_string_length(name) > 0;
    if (json_read_string(entry, place, "name", ret, CLASS_NAME_BYTES, error) != PPM_OK)
        return error->status;
    for (const unsigned char *c = (unsigned char *)ret; *c; c++)
        is_line = is_line && *c >= ' ' && *c != 0x7f;
    if (!is_line)
        return json_refuse(&member, name, error, "a name of 1 to %d bytes on one line",
                           CLASS_NAME_BYTES - 1);
    return PPM_OK;
}

/* *has_color says whether the classes before this one have a color; of the first one it is set. */
static enum ppm_status read_class(const json_t *entry, const struct json_place *place,
                                  bool is_first, bool *has_color, char *ret_name,
                                  struct ppm_class_info *ret, struct ppm_error *error)
{
    static const char *const keys[] = {"name", "color", "colour", NULL};
    const json_t *color = json_object_get(entry, "color");
    const json_t *colour = json_object_get(entry, "colour");
    const struct json_place member = json_member(place, color ? "color" : "colour");
    if (!json_is_object(entry))
        return json_refuse(place, entry, error,
                           "an object such as {\"name\": \"road\", \"color\": [128, 64, 128]}");
    if (json_check_keys(entry, place, keys, error) != PPM_OK ||
        read_name(entry, place, ret_name, error) != PPM_OK)
        return error->status;
    if (color && colour)
        return json_refuse(&member, color, error, "either \"color\" or \"colour\", not both");
    color = color ? color : colour;
    if (is_first)
        *has_color = color != NULL;
    if ((color != NULL) != *has_color)
        return json_refuse(&member, color, error, "a color for each class, or for none");
    ret->name = ret_name;
    return color ? palette_read_color(color, &member, ret->color, error) : PPM_OK;
}

/* Their colors become the palette, or the palette's theirs. */
static enum ppm_status match_palette(const json_t *list, const struct json_place *place,
                                     const struct classes *classes, bool has_color,
                                     struct output_spec *output, struct ppm_error *error)
{
    struct palette *palette = &output->palette;
    for (size_t i = 0; i < classes->count; i++) {
        uint8_t *color = classes->list[i].color;
        const struct json_place element = json_element(place, i),
                                member = json_member(&element, "color");
        const json_t *found = json_object_get(json_array_get(list, i), "color");
        if (!has_color && i < palette->count)
            memcpy(color, palette->colors[i], sizeof palette->colors[i]);
        else if (!has_color)
            palette_voc(i, color);
        else if (!palette->is_given && i < palette->count)
            memcpy(palette->colors[i], color, sizeof palette->colors[i]);
        else if (i < palette->count && memcmp(palette->colors[i], color, 3) != 0)
            return json_refuse(&member, found, error,
                               "the color in output.palette, [%d, %d, %d], or one of the two only",
                               palette->colors[i][0], palette->colors[i][1], palette->colors[i][2]);
    }
    return PPM_OK;
}

static enum ppm_status read_list(const json_t *list, const struct json_place *place,
                                 struct output_spec *output, const struct classes *classes,
                                 char (*names)[CLASS_NAME_BYTES], struct ppm_error *error)
{
    bool has_color = false;
    for (size_t i = 0; i < classes->count; i++) {
        const struct json_place element = json_element(place, i);
        if (read_class(json_array_get(list, i), &element, i == 0, &has_color, names[i],
                       &classes->list[i], error) != PPM_OK)
            return error->status;
    }
    return match_palette(list, place, classes, has_color, output, error);
}

enum ppm_status classes_read(const json_t *root, const struct json_place *place,
                             struct output_spec *output, struct classes *ret_classes,
                             struct ppm_error *error)
{
    const json_t *list = json_object_get(root, "classes");
    const struct json_place member = json_member(place, "classes");
    const size_t count = output->classes > 0 ? output->classes : output->channels;
    struct classes classes = {.count = json_array_size(list)};
    if (!list)
        return PPM_OK;
    if (!json_is_array(list) || classes.count != count)
        return json_refuse(&member, list, error,
                           "a list of %zu, one for each %s: {\"name\": \"road\", \"color\": "
                           "[128, 64, 128]}",
                           count, output->classes > 0 ? "label" : "channel of the output");
    classes.list = core_allocate(count * (sizeof *classes.list + CLASS_NAME_BYTES), error);
    if (!classes.list)
        return error->status;
    if (read_list(list, &member, output, &classes, (void *)(classes.list + count), error) !=
        PPM_OK) {
        classes_release(&classes);
        return error->status;
    }
    *ret_classes = classes;
    return PPM_OK;
}

void classes_release(struct classes *classes)
{
    free(classes->list);
    *classes = (struct classes){0};
}

/* image_spec.c - see image_spec.h. */
#include "core/model/image_spec.h"

#include <string.h>

enum { SIDE_MAX = 1 << 16, MULTIPLE_MAX = 1 << 12 };

/* Float32 has 2^-126 and less as subnormal numbers: a std there would make most of x infinite. */
static const double mean_max = 1e6, std_min = 1e-6, std_max = 1e6;

/* The three numbers of the member `key`, one for each channel of x. */
static enum ppm_status read_three(const json_t *image, const struct json_place *place,
                                  const char *key, double min, double max, float ret[3],
                                  struct ppm_error *error)
{
    const json_t *list = json_object_get(image, key);
    const struct json_place member = json_member(place, key);
    bool fits = json_array_size(list) == 3;
    for (size_t channel = 0; channel < 3 && fits; channel++) {
        const json_t *value = json_array_get(list, channel);
        const double number = json_number_value(value);
        fits = json_is_number(value) && number >= min && number <= max;
        ret[channel] = (float)number;
    }
    if (!fits)
        return json_refuse(&member, list, error,
                           "three numbers from %g to %g, one for each channel of x = (pixel - "
                           "mean) / std with pixels from 0 to 255",
                           min, max);
    return PPM_OK;
}

/* Refuses a key that another fit has. */
static enum ppm_status refuse_other(const json_t *image, const struct json_place *place,
                                    const char *key, const char *fits, struct ppm_error *error)
{
    const json_t *value = json_object_get(image, key);
    const struct json_place member = json_member(place, key);
    return value ? json_refuse(&member, value, error, "it with \"fit\": %s only", fits) : PPM_OK;
}

static enum ppm_status read_resize(const json_t *image, const struct json_place *place,
                                   const size_t size[2], struct ppm_image_info *ret,
                                   struct ppm_error *error)
{
    const bool has_size = size[0] > 0;
    if (json_read_size(image, place, "longest_side", 1, SIDE_MAX, &ret->longest_side, error) !=
        PPM_OK)
        return error->status;
    if (has_size == (ret->longest_side > 0))
        return json_refuse(place, image, error,
                           "either \"size\" or \"longest_side\" with \"fit\": \"resize\"");
    return PPM_OK;
}

static enum ppm_status read_tiles(const json_t *image, const struct json_place *place,
                                  const size_t size[2], struct ppm_image_info *ret,
                                  struct ppm_error *error)
{
    const struct json_place of_size = json_member(place, "size"),
                            of_overlap = json_member(place, "overlap");
    size_t overlap[2] = {size[0] / 3, size[1] / 3};
    if (size[0] == 0)
        return json_refuse(&of_size, NULL, error, "the size of a tile, n or [h, w] in pixels");
    if (json_read_pair(image, place, "overlap", 0, SIDE_MAX, overlap, error) != PPM_OK)
        return error->status;
    if (overlap[0] >= size[0] || overlap[1] >= size[1])
        return json_refuse(&of_overlap, json_object_get(image, "overlap"), error,
                           "fewer pixels than a tile's %zu x %zu (H x W)", size[0], size[1]);
    ret->overlap_h = overlap[0];
    ret->overlap_w = overlap[1];
    return PPM_OK;
}

static enum ppm_status read_fit(const json_t *image, const struct json_place *place,
                                struct ppm_image_info *ret, struct ppm_error *error)
{
    static const char *const fits[] = {"own", "resize", "tiles", NULL};
    int fit = PPM_FIT_OWN;
    size_t size[2] = {0, 0};
    if (json_read_choice(image, place, "fit", fits, &fit, error) != PPM_OK ||
        json_read_pair(image, place, "size", 1, SIDE_MAX, size, error) != PPM_OK ||
        json_read_size(image, place, "multiple", 1, MULTIPLE_MAX, &ret->multiple, error) != PPM_OK)
        return error->status;
    ret->fit = (enum ppm_image_fit)fit;
    if (fit == PPM_FIT_OWN)
        refuse_other(image, place, "size", "\"resize\" or \"tiles\"", error);
    if (fit == PPM_FIT_TILES)
        refuse_other(image, place, "multiple", "\"own\" or \"resize\"", error);
    if (fit != PPM_FIT_RESIZE)
        refuse_other(image, place, "longest_side", "\"resize\"", error);
    if (fit != PPM_FIT_TILES)
        refuse_other(image, place, "overlap", "\"tiles\"", error);
    if (error->status == PPM_OK && fit == PPM_FIT_RESIZE)
        read_resize(image, place, size, ret, error);
    if (error->status == PPM_OK && fit == PPM_FIT_TILES)
        read_tiles(image, place, size, ret, error);
    ret->size_h = size[0];
    ret->size_w = size[1];
    return error->status;
}

enum ppm_status image_spec_read(const json_t *image, const struct json_place *place,
                                size_t channels, struct ppm_image_info *ret_image,
                                struct ppm_error *error)
{
    static const char *const keys[] = {"mean",         "std",      "order",   "fit", "size",
                                       "longest_side", "multiple", "overlap", NULL};
    static const char *const orders[] = {"RGB", "BGR", NULL};
    struct ppm_image_info info = {.multiple = 1};
    int order = 0;
    if (!json_is_object(image))
        return json_refuse(place, image, error,
                           "an object such as {\"mean\": [0, 0, 0], \"std\": [255, 255, 255]}");
    if (channels != 3)
        return json_refuse(place, image, error, "it with an input of 3 channels, not of %zu",
                           channels);
    if (json_check_keys(image, place, keys, error) != PPM_OK ||
        read_three(image, place, "mean", -mean_max, mean_max, info.mean, error) != PPM_OK ||
        read_three(image, place, "std", std_min, std_max, info.std, error) != PPM_OK ||
        json_read_choice(image, place, "order", orders, &order, error) != PPM_OK ||
        read_fit(image, place, &info, error) != PPM_OK)
        return error->status;
    info.is_bgr = order == 1;
    *ret_image = info;
    return PPM_OK;
}

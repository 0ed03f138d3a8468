/* output.c - see output.h. */
#include "core/model/output.h"

#include <math.h>
#include <string.h>

#define OUTPUT_NAME(constant, name) #name,
static const char *const as_names[] = {OUTPUTS(OUTPUT_NAME) NULL};

static enum ppm_status read_given_size(const json_t *size, const struct json_place *place,
                                       struct output_spec *ret, struct ppm_error *error)
{
    const json_t *h = json_array_get(size, 0), *w = json_array_get(size, 1);
    if (json_is_string(size) && strcmp(json_string_value(size), "input") == 0) {
        ret->size = SIZE_OF_INPUT;
        return PPM_OK;
    }
    if (json_array_size(size) != 2 || !json_is_size(h, OUTPUT_EXTENT_MAX) ||
        !json_is_size(w, OUTPUT_EXTENT_MAX))
        return json_refuse(place, size, error,
                           "[height, width] in pixels, each from 1 to %d, or \"input\"",
                           OUTPUT_EXTENT_MAX);
    ret->size = SIZE_GIVEN;
    ret->height = (size_t)json_integer_value(h);
    ret->width = (size_t)json_integer_value(w);
    return PPM_OK;
}

/* Either "size" or "scale", or neither. */
static enum ppm_status read_size(const json_t *output, const struct json_place *place,
                                 struct output_spec *ret, struct ppm_error *error)
{
    const json_t *size = json_object_get(output, "size"), *scale = json_object_get(output, "scale");
    const struct json_place of_size = json_member(place, "size"),
                            of_trim = json_member(place, "trim");
    bool trims = false;
    if (json_read_bool(output, place, "trim", &trims, error) != PPM_OK)
        return error->status;
    if (trims && !scale)
        return json_refuse(&of_trim, json_object_get(output, "trim"), error, "a scale with it");
    if (size && scale)
        return json_refuse(&of_size, size, error, "either size or scale, not both");
    if (size)
        return read_given_size(size, &of_size, ret, error);
    if (scale)
        ret->size = trims ? SIZE_TRIMMED : SIZE_SCALED;
    return json_read_size(output, place, "scale", 1, OUTPUT_SCALE_MAX, &ret->scale, error);
}

/* logit = log(T / (1 - T)); -Inf for 0, Inf for 1 */
static enum ppm_status read_threshold(const json_t *output, const struct json_place *place,
                                      struct output_spec *ret, struct ppm_error *error)
{
    const json_t *threshold = json_object_get(output, "threshold");
    const struct json_place member = json_member(place, "threshold");
    double value = 0;
    if (threshold && ret->as != AS_SIGMOID)
        return json_refuse(&member, threshold, error, "\"as\": \"sigmoid\" with a threshold");
    ret->has_threshold = threshold != NULL;
    if (json_read_double(output, place, "threshold", 0, 1, &value, error) == PPM_OK)
        ret->logit = log(value) - log1p(-value);
    ret->threshold = value;
    return error->status;
}

static enum ppm_status read_as(const json_t *output, const struct json_place *place,
                               size_t channels, struct output_spec *ret, struct ppm_error *error)
{
    const struct json_place member = json_member(place, "as");
    int as = AS_VALUES;
    if (json_read_choice(output, place, "as", as_names, &as, error) != PPM_OK)
        return error->status;
    ret->as = (enum output_as)as;
    if ((as == AS_SOFTMAX || as == AS_ARGMAX) && channels == 1)
        return json_refuse(&member, json_object_get(output, "as"), error,
                           "\"sigmoid\", with a \"threshold\" for labels: softmax and argmax of 1 "
                           "channel are the same everywhere");
    if (read_threshold(output, place, ret, error) != PPM_OK)
        return error->status;
    if (as == AS_ARGMAX) {
        ret->classes = channels;
        ret->channels = 1;
    } else if (ret->has_threshold && channels == 1) {
        ret->classes = 2;
    }
    return PPM_OK;
}

enum ppm_status output_read(const json_t *root, const struct json_place *place, size_t channels,
                            enum resize resize, struct output_spec *ret_output,
                            struct ppm_error *error)
{
    static const char *const keys[] = {"size", "scale",     "trim",    "upsample",
                                       "as",   "threshold", "palette", NULL};
    const json_t *output = json_object_get(root, "output");
    const struct json_place member = json_member(place, "output");
    int mode = (int)resize;
    *ret_output = (struct output_spec){.resize = resize, .channels = channels};
    if (!output)
        return PPM_OK;
    if (!json_is_object(output))
        return json_refuse(&member, output, error,
                           "an object such as {\"scale\": 8, \"as\": \"argmax\"}");
    if (json_check_keys(output, &member, keys, error) != PPM_OK ||
        read_size(output, &member, ret_output, error) != PPM_OK ||
        json_read_choice(output, &member, "upsample", linear_resize_names, &mode, error) !=
            PPM_OK ||
        read_as(output, &member, channels, ret_output, error) != PPM_OK)
        return error->status;
    ret_output->resize = (enum resize)mode;
    return palette_read(output, &member, ret_output->classes, &ret_output->palette, error);
}

enum ppm_dtype output_dtype(const struct output_spec *output)
{
    return output->as == AS_ARGMAX || output->has_threshold ? PPM_INT32 : PPM_FLOAT32;
}

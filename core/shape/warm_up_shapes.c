/* warm_up_shapes.c - see warm_up_shapes.h. */
#include "core/shape/warm_up_shapes.h"
#include "core/shape/geometry.h"

#include <string.h>

/* Shows the value as it is in the configuration, of which spec has the text. */
static enum ppm_status refuse(const struct spec *spec, const char *path, size_t index,
                              const char *cause, struct ppm_error *error)
{
    const struct json_place root = {.file = path}, list = json_member(&root, "warm_up");
    const struct json_place element = json_element(&list, index);
    json_error_t ignored;
    json_t *json = ppm_json_load(spec->json, strlen(spec->json), &ignored);
    json_refuse(&element, json_array_get(json_object_get(json, "warm_up"), index), error,
                "a shape that the model takes (%s)", cause);
    json_decref(json);
    return error->status;
}

enum ppm_status warm_up_shapes_check(const struct spec *spec, const char *path,
                                     struct ppm_error *error)
{
    for (size_t i = 0; i < spec->warm_up_count; i++) {
        struct geometry geometry;
        struct ppm_error cause = {0};
        if (geometry_of(spec, &spec->warm_up[i], &geometry, &cause) != PPM_OK)
            return refuse(spec, path, i, cause.text, error);
    }
    return PPM_OK;
}

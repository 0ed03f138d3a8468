/* spec.c - the top level of a model's JSON. Layers are in layers.c. */
#include "core/model/spec.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

static const char *const pool_names[] = {"adaptive", "same", "valid", NULL};
static const char *const resize_names[] = {"align_corners", "half_pixel", "asymmetric", NULL};
static const char *const resize_to_names[] = {"input", "stride_multiple", NULL};
static const char *const output_as_names[] = {"values", "softmax", "argmax", NULL};

/* "dir/semseg.json" -> "semseg" */
static void name_from_path(const char *path, char *ret_name)
{
    const char *slash = strrchr(path, '/');
    snprintf(ret_name, NAME_BYTES, "%s", slash ? slash + 1 : path);
    char *suffix = strstr(ret_name, ".json");
    if (suffix && suffix > ret_name)
        *suffix = '\0';
}

static enum ppm_status read_name(const json_t *root, const struct json_place *place,
                                 struct spec *spec, struct ppm_error *error)
{
    name_from_path(place->file, spec->name);
    if (json_read_string(root, place, "name", spec->name, sizeof spec->name, error) != PPM_OK)
        return error->status;
    bool is_token = spec->name[0] != '\0' && spec->name[0] != '.';
    for (const char *c = spec->name; *c; c++)
        is_token = is_token && (isalnum((unsigned char)*c) || strchr("._-", *c));
    struct json_place member = json_member(place, "name");
    if (!is_token)
        return json_refuse(
            &member, json_object_get(root, "name"), error,
            "letters, digits, '.', '_' and '-' (the name is part of a URL; left out, it is "
            "the file's: %s)",
            spec->name);
    return PPM_OK;
}

static enum ppm_status read_input(const json_t *root, const struct json_place *place,
                                  struct spec *spec, struct ppm_error *error)
{
    static const char *const keys[] = {"channels", "layout", NULL};
    static const char *const layouts[] = {"NCHW", "NHWC", NULL};
    const json_t *input = json_object_get(root, "input");
    struct json_place member = json_member(place, "input");
    struct json_place channels = json_member(&member, "channels");
    int layout = PPM_NCHW;
    if (!json_is_object(input))
        return json_refuse(&member, input, error, "an object such as {\"channels\": 2048}");
    if (json_check_keys(input, &member, keys, error) != PPM_OK)
        return error->status;
    if (!json_object_get(input, "channels"))
        return json_refuse(&channels, NULL, error, "the number of channels of the input");
    if (json_read_size(input, &member, "channels", 1, CHANNELS_MAX, &spec->channels, error) !=
            PPM_OK ||
        json_read_choice(input, &member, "layout", layouts, &layout, error) != PPM_OK)
        return error->status;
    spec->layout = (enum ppm_layout)layout;
    return PPM_OK;
}

static bool is_size_in(const json_t *value, size_t max)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
           json_integer_value(value) <= (json_int_t)max;
}

/* 60 or [60, 30] */
static enum ppm_status read_window(const json_t *value, const struct json_place *place,
                                   struct branch *branch, struct ppm_error *error)
{
    const json_t *h = value, *w = value;
    if (json_is_array(value) && json_array_size(value) == 2) {
        h = json_array_get(value, 0);
        w = json_array_get(value, 1);
    }
    if (!is_size_in(h, WINDOW_MAX) || !is_size_in(w, WINDOW_MAX))
        return json_refuse(place, value, error,
                           "a window in pixels, from 1 to %d: a number or [h, w]", WINDOW_MAX);
    branch->window_h = (size_t)json_integer_value(h);
    branch->window_w = (size_t)json_integer_value(w);
    return PPM_OK;
}

static enum ppm_status read_bin(const json_t *value, const struct json_place *place,
                                struct branch *branch, struct ppm_error *error)
{
    if (!is_size_in(value, BIN_MAX))
        return json_refuse(place, value, error, "a bin: an integer from 1 to %d", BIN_MAX);
    branch->bin = (size_t)json_integer_value(value);
    return PPM_OK;
}

/* Either "bins" or "windows" lists the branches. */
static enum ppm_status read_pyramid(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    const json_t *bins = json_object_get(root, "bins"), *windows = json_object_get(root, "windows");
    const json_t *list = bins ? bins : windows;
    struct json_place member = json_member(place, bins || !windows ? "bins" : "windows");
    int pool = POOL_ADAPTIVE;
    if (json_read_choice(root, place, "pool", pool_names, &pool, error) != PPM_OK)
        return error->status;
    spec->pool = (enum pool)pool;
    if (bins && windows)
        return json_refuse(&member, bins, error, "either bins or windows, not both");
    if (windows && spec->pool == POOL_ADAPTIVE)
        return json_refuse(&member, windows, error, "\"pool\": \"same\" or \"valid\" with windows");
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > BRANCHES_MAX)
        return json_refuse(&member, list, error, "a list of 1 to %d, such as [1, 2, 3, 6]",
                           BRANCHES_MAX);

    spec->branch_count = json_array_size(list);
    spec->branches = calloc(spec->branch_count, sizeof *spec->branches);
    if (!spec->branches)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", place->file);
    for (size_t i = 0; i < spec->branch_count; i++) {
        struct json_place element = json_element(&member, i);
        const json_t *value = json_array_get(list, i);
        if ((bins ? read_bin : read_window)(value, &element, &spec->branches[i], error) != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

/* "branch": one stack for all branches; or "branches": a list with a stack for each. */
static enum ppm_status read_branches(const json_t *root, const struct json_place *place,
                                     struct spec *spec, struct ppm_error *error)
{
    const json_t *shared = json_object_get(root, "branch"),
                 *own = json_object_get(root, "branches");
    struct json_place member = json_member(place, own ? "branches" : "branch");
    if (!shared == !own)
        return json_refuse(&member, own, error,
                           "either \"branch\", a list of layers, or \"branches\", a list of such "
                           "lists");
    if (own && (!json_is_array(own) || json_array_size(own) != spec->branch_count))
        return json_refuse(&member, own, error, "a list of %zu stack%s, one for each bin or window",
                           spec->branch_count, ppm_plural(spec->branch_count));
    for (size_t i = 0; i < spec->branch_count; i++) {
        struct json_place element = json_element(&member, i);
        struct stack *stack = &spec->branches[i].stack;
        if (stack_read(own ? json_array_get(own, i) : shared, own ? &element : &member, "branch", i,
                       spec->channels, stack, error) != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

static enum ppm_status read_resizing(const json_t *root, const struct json_place *place,
                                     struct spec *spec, struct ppm_error *error)
{
    struct json_place to = json_member(place, "upsample_to");
    int mode = RESIZE_ALIGN_CORNERS, target = TO_INPUT;
    if (json_read_choice(root, place, "upsample", resize_names, &mode, error) != PPM_OK ||
        json_read_choice(root, place, "upsample_to", resize_to_names, &target, error) != PPM_OK ||
        json_read_bool(root, place, "cascade", &spec->is_cascade, error) != PPM_OK ||
        json_read_bool(root, place, "exact", &spec->is_exact, error) != PPM_OK)
        return error->status;
    if (target == TO_STRIDE_MULTIPLE && spec->pool == POOL_ADAPTIVE)
        return json_refuse(
            &to, json_object_get(root, "upsample_to"), error,
            "\"pool\": \"same\" or \"valid\" with it: adaptive pooling has no stride");
    if (target == TO_STRIDE_MULTIPLE && spec->is_cascade)
        return json_refuse(&to, json_object_get(root, "upsample_to"), error,
                           "\"input\" in a cascade");
    spec->upsample = (enum resize)mode;
    spec->upsample_to = (enum resize_to)target;
    return PPM_OK;
}

static void add_part(struct spec *spec, enum part_source source, size_t branch, size_t channels)
{
    spec->parts[spec->part_count++] =
        (struct part){source, branch, spec->concat_channels, channels};
    spec->concat_channels += channels;
}

/* The only place that knows the order of the concat. */
static enum ppm_status read_concat(const json_t *root, const struct json_place *place,
                                   struct spec *spec, struct ppm_error *error)
{
    enum { INPUT_FIRST, INPUT_LAST };
    static const char *const names[] = {"input_first", "input_last", "branches", NULL};
    int order = INPUT_FIRST;
    if (json_read_choice(root, place, "concat", names, &order, error) != PPM_OK)
        return error->status;
    if (order == INPUT_FIRST)
        add_part(spec, PART_MAP, 0, spec->channels);
    for (size_t i = 0; i < spec->branch_count; i++)
        add_part(spec, PART_BRANCH, i, spec->branches[i].stack.out_channels);
    if (order == INPUT_LAST)
        add_part(spec, PART_MAP, 0, spec->channels);
    spec->output_channels = spec->concat_channels;
    return PPM_OK;
}

/* The branches of a cascade keep the input's channels. */
static enum ppm_status check_cascade(const json_t *root, const struct json_place *place,
                                     const struct spec *spec, struct ppm_error *error)
{
    struct json_place member = json_member(place, "cascade");
    for (size_t i = 0; i < spec->branch_count && spec->is_cascade; i++) {
        const size_t channels = spec->branches[i].stack.out_channels;
        if (channels != spec->channels)
            return json_refuse(
                &member, json_object_get(root, "cascade"), error,
                "every branch to keep the input's %zu channel%s in a cascade; branch "
                "%zu has %zu",
                spec->channels, ppm_plural(spec->channels), i, channels);
    }
    return PPM_OK;
}

static enum ppm_status read_head(const json_t *root, const struct json_place *place,
                                 struct spec *spec, struct ppm_error *error)
{
    const json_t *head = json_object_get(root, "head");
    struct json_place member = json_member(place, "head");
    if (!head)
        return PPM_OK;
    if (stack_read(head, &member, "head", 0, spec->concat_channels, &spec->head, error) != PPM_OK)
        return error->status;
    spec->output_channels = spec->head.out_channels;
    return PPM_OK;
}

static enum ppm_status read_output_size(const json_t *output, const struct json_place *place,
                                        struct output_spec *ret, struct ppm_error *error)
{
    const json_t *size = json_object_get(output, "size");
    struct json_place member = json_member(place, "size");
    ret->resizes = size || json_object_get(output, "scale");
    if (!size)
        return json_read_size(output, place, "scale", 1, OUTPUT_SCALE_MAX, &ret->scale, error);
    if (json_object_get(output, "scale"))
        return json_refuse(&member, size, error, "either size or scale, not both");
    const json_t *h = json_array_get(size, 0), *w = json_array_get(size, 1);
    if (json_array_size(size) != 2 || !is_size_in(h, OUTPUT_EXTENT_MAX) ||
        !is_size_in(w, OUTPUT_EXTENT_MAX))
        return json_refuse(&member, size, error, "[height, width] in pixels, each from 1 to %d",
                           OUTPUT_EXTENT_MAX);
    ret->height = (size_t)json_integer_value(h);
    ret->width = (size_t)json_integer_value(w);
    return PPM_OK;
}

static enum ppm_status read_output(const json_t *root, const struct json_place *place,
                                   struct spec *spec, struct ppm_error *error)
{
    static const char *const keys[] = {"size", "scale", "upsample", "as", "palette", NULL};
    const json_t *output = json_object_get(root, "output");
    struct json_place member = json_member(place, "output"), as_place = json_member(&member, "as");
    int mode = (int)spec->upsample, as = AS_VALUES;
    if (!output)
        return PPM_OK;
    if (!json_is_object(output))
        return json_refuse(&member, output, error,
                           "an object such as {\"scale\": 8, \"as\": \"argmax\"}");
    if (json_check_keys(output, &member, keys, error) != PPM_OK ||
        read_output_size(output, &member, &spec->output, error) != PPM_OK ||
        json_read_choice(output, &member, "upsample", resize_names, &mode, error) != PPM_OK ||
        json_read_choice(output, &member, "as", output_as_names, &as, error) != PPM_OK)
        return error->status;
    if (as != AS_VALUES && spec->output_channels == 1)
        return json_refuse(&as_place, json_object_get(output, "as"), error,
                           "\"values\", with a head that ends with \"sigmoid\": softmax and argmax "
                           "of 1 channel are the same everywhere");
    spec->output.resize = (enum resize)mode;
    spec->output.as = (enum output_as)as;
    if (as == AS_ARGMAX) {
        spec->output.classes = spec->output_channels;
        spec->output_channels = 1;
    }
    return palette_read(output, &member, spec->output.classes, &spec->output.palette, error);
}

static enum ppm_status read_compute(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    static const char *const names[] = {"float32", "bfloat16", NULL};
    int compute = COMPUTE_FLOAT32;
    if (json_read_choice(root, place, "compute", names, &compute, error) != PPM_OK)
        return error->status;
    /* a cascade is the literal graph, in double precision */
    spec->compute = spec->is_cascade ? COMPUTE_FLOAT32 : (enum compute)compute;
    return PPM_OK;
}

/* A shape in a request of the model: its axes in the order of the model's layout. */
static enum ppm_status read_warm_up_shape(const json_t *value, const struct json_place *place,
                                          enum ppm_layout layout, struct ppm_shape *ret_shape,
                                          struct ppm_error *error)
{
    size_t axes[4] = {0};
    const size_t count = json_array_size(value) <= 4 ? json_array_size(value) : 0;
    struct ppm_tensor tensor;
    struct ppm_error cause = {0};
    for (size_t i = 0; i < count; i++)
        if (is_size_in(json_array_get(value, i), UINT32_MAX))
            axes[i] = (size_t)json_integer_value(json_array_get(value, i));
    if (ppm_tensor_from_axes(axes, count, layout, &tensor, &cause) != PPM_OK)
        return json_refuse(place, value, error, "a shape that the model takes (%s)", cause.text);
    *ret_shape = tensor.shape;
    return PPM_OK;
}

static enum ppm_status read_warm_up(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    const json_t *list = json_object_get(root, "warm_up");
    struct json_place member = json_member(place, "warm_up");
    if (!list)
        return PPM_OK;
    if (!json_is_array(list) || json_array_size(list) > WARM_UP_MAX)
        return json_refuse(&member, list, error,
                           "a list of at most %d shapes, such as [[1, %zu, "
                           "30, 30]]",
                           WARM_UP_MAX, spec->channels);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct json_place element = json_element(&member, i);
        if (read_warm_up_shape(json_array_get(list, i), &element, spec->layout, &spec->warm_up[i],
                               error) != PPM_OK)
            return error->status;
    }
    spec->warm_up_count = json_array_size(list);
    return PPM_OK;
}

enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error)
{
    static const char *const keys[] = {"name",    "input",    "bins",     "windows",     "pool",
                                       "branch",  "branches", "upsample", "upsample_to", "concat",
                                       "head",    "output",   "weights",  "cascade",     "exact",
                                       "warm_up", "compute",  NULL};
    *ret_spec = (struct spec){0};
    json_t *root = ppm_json_load_file(path, CONFIG_BYTES_MAX, error);
    const struct json_place place = {.file = path};
    if (!root)
        return error->status;
    if (json_check_keys(root, &place, keys, error) == PPM_OK &&
        read_name(root, &place, ret_spec, error) == PPM_OK &&
        read_input(root, &place, ret_spec, error) == PPM_OK &&
        read_pyramid(root, &place, ret_spec, error) == PPM_OK &&
        read_branches(root, &place, ret_spec, error) == PPM_OK &&
        read_resizing(root, &place, ret_spec, error) == PPM_OK &&
        check_cascade(root, &place, ret_spec, error) == PPM_OK &&
        read_concat(root, &place, ret_spec, error) == PPM_OK &&
        read_head(root, &place, ret_spec, error) == PPM_OK &&
        read_output(root, &place, ret_spec, error) == PPM_OK &&
        read_compute(root, &place, ret_spec, error) == PPM_OK &&
        weights_configure(root, &place, &ret_spec->weights, error) == PPM_OK &&
        read_warm_up(root, &place, ret_spec, error) == PPM_OK) {
        ret_spec->json = ppm_json_text(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
        if (!ret_spec->json)
            ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    }
    json_decref(root);
    return error->status;
}

void spec_release(struct spec *spec)
{
    for (size_t i = 0; i < spec->branch_count && spec->branches; i++)
        stack_release(&spec->branches[i].stack);
    stack_release(&spec->head);
    free(spec->branches);
    free(spec->json);
    *spec = (struct spec){0};
}

/* model_card.c - see model_card.h. */
#include "server/handlers/model_card.h"
#include "server/codec/axes.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"
#include "server/handlers/tensor_fields.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* object[key] = value. *object becomes NULL if value is, or there is no memory. */
static void set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

static json_t *shape_json(struct ppm_shape shape, enum ppm_layout layout)
{
    const struct ppm_tensor tensor = {.shape = shape, .layout = layout, .is_batch = true};
    size_t axes[4];
    size_t count = ppm_tensor_axes(&tensor, axes);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        handlers_append(&list, json_integer((json_int_t)axes[i]));
    return list;
}

/* object[key] = the shape of the only input; or object[key + "s"] = those of several, by name. */
static void set_shapes(json_t **object, const char *key, const struct ppm_model_info *info,
                       const struct ppm_sizes *sizes, enum ppm_layout layout)
{
    char keys[32];
    if (sizes->count == 1) {
        set(object, key, shape_json(sizes->inputs[0], layout));
        return;
    }
    json_t *shapes = json_object();
    for (size_t i = 0; i < sizes->count; i++)
        set(&shapes, info->inputs[i].name, shape_json(sizes->inputs[i], layout));
    snprintf(keys, sizeof keys, "%ss", key);
    set(object, keys, shapes);
}

static json_t *inputs_json(const struct ppm_model_info *info)
{
    json_t *list = json_array();
    for (size_t i = 0; i < info->input_count; i++)
        handlers_append(&list, json_pack("{s:s, s:I}", "name", info->inputs[i].name, "channels",
                                         (json_int_t)info->inputs[i].channels));
    return list;
}

/* Without sizes, there are neither shapes nor FLOPs. */
static json_t *layer_json(const struct ppm_layer_info *layer, const struct ppm_sizes *sizes,
                          enum ppm_layout layout)
{
    json_t *item = json_pack("{s:s, s:s, s:I}", "where", layer->where, "what", layer->what,
                             "parameters", (json_int_t)layer->parameters);
    if (sizes)
        set(&item, "shape", shape_json(layer->shape, layout));
    if (sizes)
        set(&item, "flops", json_integer((json_int_t)layer->flops));
    return item;
}

static json_t *layers_json(const struct ppm_model *model, size_t count,
                           const struct ppm_sizes *sizes, enum ppm_layout layout,
                           struct ppm_error *error)
{
    json_t *list = NULL;
    struct ppm_layer_info *layers = calloc(count + 1, sizeof *layers);
    if (!layers)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    else if (ppm_model_layers(model, sizes, layers, error) == PPM_OK)
        list = json_array();
    for (size_t i = 0; list && i < count; i++)
        handlers_append(&list, layer_json(&layers[i], sizes, layout));
    free(layers);
    return list;
}

/* The compute type; for bfloat16 also its speed and, if measured, its error. */
static json_t *compute_json(const struct ppm_model_info *info)
{
    const struct ppm_compute_error *error = &info->compute_error;
    json_t *json = json_pack("{s:s}", "type", info->compute);
    if (info->compute_share > 0)
        set(&json, "share_of_float32_time", json_real(info->compute_share));
    if (error->sizes.count == 0)
        return json;
    set(&json, info->output_dtype == PPM_INT32 ? "classes_that_differ" : "largest_error",
        json_real(error->error));
    set_shapes(&json, "measured_shape", info, &error->sizes, info->layout);
    return json;
}

static json_t *model_json(const struct ppm_model *model, const struct ppm_model_info *info,
                          const struct ppm_sizes *sizes, enum ppm_layout layout,
                          struct ppm_error *error)
{
    json_error_t cause;
    return json_pack(
        "{s:s, s:o, s:I, s:o, s:s, s:I, s:s, s:I, s:I, s:s, s:o, s:o}", "name", info->name,
        "config", ppm_json_load(info->config_json, strlen(info->config_json), &cause), "channels",
        (json_int_t)info->inputs[0].channels, "inputs", inputs_json(info), "layout",
        ppm_layout_name(info->layout), "output_channels", (json_int_t)info->output_channels,
        "output_dtype", ppm_dtype_name(info->output_dtype), "parameters",
        (json_int_t)info->parameters, "parameters_bytes", (json_int_t)info->parameters_bytes, "isa",
        info->isa, "compute", compute_json(info), "layers",
        layers_json(model, info->layer_count, sizes, layout, error));
}

/* Reads ?shape=, ?size= and ?layout=. ret_sizes->count is 0 without a shape. */
static enum http_next read_sizes(struct http_request *request, const struct ppm_model_info *info,
                                 struct ppm_sizes *ret_sizes, enum ppm_layout *ret_layout)
{
    struct ppm_error error = {0};
    size_t h, w;
    bool is_explicit;
    const char *text;
    if (handlers_read_shape(request, &text) != HTTP_PROCEED ||
        handlers_read_size(request, &h, &w) != HTTP_PROCEED ||
        handlers_read_layout(request, info->layout, ret_layout, &is_explicit) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (!text && h > 0)
        return http_problem(request, 400,
                            "size: found %zu,%zu without a shape, expected the shape of a request "
                            "whose costs are asked for",
                            h, w);
    if (!text)
        return HTTP_PROCEED;
    if (codec_parse_shapes(text, info->inputs, info->input_count, *ret_layout, ret_sizes, &error) !=
        PPM_OK)
        return http_problem_of(request, &error);
    ret_sizes->output_h = h;
    ret_sizes->output_w = w;
    return HTTP_PROCEED;
}

static void add_costs(json_t **answer, const struct ppm_model *model,
                      const struct ppm_model_info *info, const struct ppm_sizes *sizes,
                      enum ppm_layout layout, int threads, struct ppm_error *error)
{
    struct ppm_costs costs;
    if (ppm_model_costs(model, sizes, layout, threads, &costs, error) != PPM_OK)
        return;
    json_t *json = json_pack(
        "{s:o, s:s, s:I, s:I, s:I, s:I, s:I}", "output_shape", shape_json(costs.output, layout),
        "layout", ppm_layout_name(layout), "flops_literal", (json_int_t)costs.flops_literal,
        "flops_folded", (json_int_t)costs.flops_folded, "input_bytes",
        (json_int_t)costs.input_bytes, "output_bytes", (json_int_t)costs.output_bytes,
        "working_bytes", (json_int_t)costs.working_bytes);
    set_shapes(&json, "input_shape", info, sizes, layout);
    set(answer, "request", json);
}

static void add_names(json_t **answer, const struct registry *registry)
{
    json_t *names = json_array(), *of_images = json_array();
    for (size_t i = 0; i < registry_count(registry); i++) {
        const struct registry_entry entry = registry_entry(registry, i);
        struct ppm_model_info info = {0};
        if (!entry.model)
            continue;
        ppm_model_info(entry.model, &info);
        handlers_append(&names, json_string(entry.name));
        if (info.takes_images)
            handlers_append(&of_images, json_string(entry.name));
    }
    set(answer, "models", names);
    set(answer, "image_models", of_images);
}

static enum http_next describe(struct http_request *request, const struct registry *registry)
{
    const struct app *app = request->context;
    const struct ppm_model *model = registry_find(registry, request->arguments[0]);
    struct ppm_model_info info;
    struct ppm_error error = {0};
    struct ppm_sizes sizes = {0};
    enum ppm_layout layout;
    if (!model)
        return handlers_no_such_model(request, registry, request->arguments[0]);
    ppm_model_info(model, &info);
    if (read_sizes(request, &info, &sizes, &layout) != HTTP_PROCEED)
        return HTTP_RESPOND;
    json_t *answer = model_json(model, &info, sizes.count > 0 ? &sizes : NULL, layout, &error);
    if (answer && sizes.count > 0)
        add_costs(&answer, model, &info, &sizes, layout, (int)app->threads, &error);
    if (answer && !*request->arguments[0])
        add_names(&answer, registry);
    if (error.status == PPM_OK)
        return handlers_respond_json(request, answer);
    json_decref(answer);
    return http_problem_of(request, &error);
}

enum http_next model_card_finish(struct http_request *request)
{
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    const enum http_next next = describe(request, registry);
    registry_release(registry);
    return next;
}

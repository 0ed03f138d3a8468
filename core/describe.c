/* describe.c - the description of a model. */
#include "core/describe_layers.h"
#include "core/shape/geometry.h"
#include "core/shape/shapes.h"

#include <stdlib.h>

void ppm_model_info(const struct ppm_model *model, struct ppm_model_info *ret_info)
{
    const struct spec *spec = &model->spec;
    *ret_info = (struct ppm_model_info){
        .name = spec->name,
        .config_json = spec->json,
        .unused = spec->graph.unused,
        .input_count = spec->graph.input_count,
        .pools_input = !spec->is_network,
        .output_channels = spec->output.channels,
        .layout = spec->layout,
        .output_dtype = output_dtype(&spec->output),
        .classes = spec->output.classes,
        .palette = spec->output.palette.count > 0 ? spec->output.palette.colors : NULL,
        .palette_count = spec->output.palette.count,
        .class_list = spec->classes.list,
        .class_count = spec->classes.count,
        .takes_images = spec->takes_images,
        .image = spec->takes_images ? &spec->image : NULL,
        .parameters = model->parameters,
        .parameters_bytes = model->parameters_bytes,
        .isa = model->simd->name,
        .compute = spec->compute == COMPUTE_BFLOAT16 ? "bfloat16" : "float32",
        .compute_share = model->compute_share,
        .compute_error = model->compute_error,
        .layer_count = describe_count(model),
        .step_count = spec_is_literal(spec) ? 0 : model->program.count + 1,
        .warm_up = spec->warm_up,
        .warm_up_count = spec->warm_up_count,
    };
    for (size_t i = 0; i < spec->graph.input_count; i++) {
        const struct node *input = &spec->graph.nodes[i];
        ret_info->inputs[i] = (struct ppm_input_info){input->name, input->layer.out_channels};
    }
}

enum ppm_status ppm_model_layers(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 struct ppm_layer_info *ret_layers, struct ppm_error *error)
{
    const struct graph *graph = &model->spec.graph;
    struct geometry g;
    struct ppm_shape *shapes = NULL;
    if (sizes && geometry_of(&model->spec, sizes, &g, error) != PPM_OK)
        return error->status;
    if (sizes && !(shapes = malloc(graph->count * sizeof *shapes)))
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (!sizes || shapes_of(graph, sizes, shapes, error) == PPM_OK)
        describe_layers(model, shapes, ret_layers);
    free(shapes);
    return error->status;
}

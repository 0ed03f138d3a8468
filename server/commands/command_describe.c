/* command_describe.c - see command_describe.h. */
#include "server/commands/command_describe.h"
#include "server/commands/common.h"
#include "server/config/arguments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As wide as the longest text, at least width. */
static int widen(int width, const char *text)
{
    const int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_table(const struct ppm_layer_info *layers, size_t count, bool has_sizes)
{
    int where = 22, what = 76;
    for (size_t i = 0; i < count; i++) {
        where = widen(where, layers[i].where);
        what = widen(what, layers[i].what);
    }
    printf("\n%-*s %-*s %12s", where, "where", what, "layer", "parameters");
    printf(has_sizes ? " %12s %16s\n" : "\n", "operations", "result, CxHxW");
    for (size_t i = 0; i < count; i++) {
        const struct ppm_layer_info *layer = &layers[i];
        char flops[QUANTITY_BYTES], shape[80];
        printf("%-*s %-*s %12" PRIu64, where, layer->where, what, layer->what, layer->parameters);
        snprintf(shape, sizeof shape, "%zux%zux%zu", layer->shape.c, layer->shape.h,
                 layer->shape.w);
        if (has_sizes)
            printf(" %12s %16s",
                   layer->flops > 0 ? command_quantity((double)layer->flops, "FLOP", flops) : "-",
                   shape);
        putchar('\n');
    }
}

static enum ppm_status print_layers(const struct ppm_model *model, size_t count,
                                    const struct ppm_sizes *sizes, struct ppm_error *error)
{
    struct ppm_layer_info *layers = calloc(count + 1, sizeof *layers);
    if (!layers)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (ppm_model_layers(model, sizes, layers, error) == PPM_OK)
        print_table(layers, count, sizes != NULL);
    free(layers);
    return error->status;
}

static void print_tensor(const char *what, struct ppm_shape s)
{
    char size[QUANTITY_BYTES];
    const size_t bytes = s.n * s.c * s.h * s.w * sizeof(float);
    printf("%-15s [%zu, %zu, %zu, %zu] (N, C, H, W), %s\n", what, s.n, s.c, s.h, s.w,
           command_quantity((double)bytes, "B", size));
}

static void print_costs(const struct ppm_model_info *info, const struct ppm_sizes *sizes,
                        const struct ppm_costs *costs)
{
    char text[QUANTITY_BYTES];
    const double literal = (double)costs->flops_literal, folded = (double)costs->flops_folded;
    putchar('\n');
    for (size_t i = 0; i < sizes->count; i++)
        print_tensor(sizes->count == 1 ? "input" : info->inputs[i].name, sizes->inputs[i]);
    print_tensor("output", costs->output);
    printf("flops literal   %s\n", command_quantity(literal, "FLOP", text));
    printf("flops folded    %s (%.1f %% of literal)\n", command_quantity(folded, "FLOP", text),
           literal > 0 ? 100 * folded / literal : 100.0);
    printf("working memory  %s\n", command_quantity((double)costs->working_bytes, "B", text));
}

static void print_compute(const struct ppm_model_info *info)
{
    const struct ppm_compute_error *error = &info->compute_error;
    printf("compute         %s", info->compute);
    if (error->sizes.count > 0 && info->output_dtype == PPM_INT32)
        printf(", %.2g %% of classes differ from float32's", 100 * error->error);
    else if (error->sizes.count > 0)
        printf(", differs from float32 by at most %.2g of the largest value", error->error);
    for (size_t i = 0; i < error->sizes.count; i++) {
        const struct ppm_shape s = error->sizes.inputs[i];
        printf(", random %s [%zu, %zu, %zu, %zu]", info->inputs[i].name, s.n, s.c, s.h, s.w);
    }
    putchar('\n');
    if (info->compute_share > 0)
        printf("compute time    products take %.2f of float32's time, measured just now\n",
               info->compute_share);
}

static void print_image(const struct ppm_image_info *image)
{
    const char *const order = image->is_bgr ? "BGR" : "RGB";
    printf("image           %s, less %g, %g, %g, divided by %g, %g, %g, ", order,
           (double)image->mean[0], (double)image->mean[1], (double)image->mean[2],
           (double)image->std[0], (double)image->std[1], (double)image->std[2]);
    if (image->fit == PPM_FIT_TILES)
        printf("in tiles of %zux%zu that overlap by %zux%zu", image->size_h, image->size_w,
               image->overlap_h, image->overlap_w);
    else if (image->longest_side > 0)
        printf("resized to %zu at its longest side", image->longest_side);
    else if (image->fit == PPM_FIT_RESIZE)
        printf("resized to %zux%zu", image->size_h, image->size_w);
    else
        printf("of its own size");
    if (image->multiple > 1)
        printf(", padded to multiples of %zu", image->multiple);
    putchar('\n');
}

static void print_classes(const struct ppm_model_info *info)
{
    if (info->class_count == 0)
        return;
    printf("classes         %zu: ", info->class_count);
    for (size_t i = 0; i < info->class_count; i++)
        printf("%s%s", i > 0 ? ", " : "", info->class_list[i].name);
    putchar('\n');
}

static void print_inputs(const struct ppm_model_info *info)
{
    for (size_t i = 0; i < info->input_count; i++) {
        const size_t channels = info->inputs[i].channels;
        printf("%-15s %zu channel%s, %s\n", info->input_count == 1 ? "input" : info->inputs[i].name,
               channels, ppm_plural(channels), ppm_layout_name(info->layout));
    }
    if (info->takes_images)
        print_image(info->image);
}

/* shapes, size: as on the command line. */
static enum ppm_status describe(const struct ppm_model *model, const struct argument_list *shapes,
                                const char *size, struct ppm_error *error)
{
    struct ppm_model_info info;
    char memory[QUANTITY_BYTES];
    struct ppm_sizes sizes = {0};
    struct ppm_costs costs;
    const bool has_shapes = shapes->count > 0;
    ppm_model_info(model, &info);
    if (has_shapes &&
        (command_read_sizes(shapes, size, &info, &sizes, error) != PPM_OK ||
         ppm_model_costs(model, &sizes, PPM_NCHW, ppm_default_threads(), &costs, error) != PPM_OK))
        return error->status;
    printf("model           %s\n", info.name);
    print_inputs(&info);
    printf("output          %zu channel%s, %s\n", info.output_channels,
           info.output_channels == 1 ? "" : "s", ppm_dtype_name(info.output_dtype));
    print_classes(&info);
    printf("parameters      %" PRIu64 " (%s in memory)\n", info.parameters,
           command_quantity((double)info.parameters_bytes, "B", memory));
    printf("isa             %s\n", info.isa);
    print_compute(&info);
    if (*info.unused)
        printf("unused          %s\n", info.unused);
    if (print_layers(model, info.layer_count, has_shapes ? &sizes : NULL, error) != PPM_OK)
        return error->status;
    if (has_shapes)
        print_costs(&info, &sizes, &costs);
    return PPM_OK;
}

enum ppm_status command_describe(int count, char *const *arguments, struct ppm_error *error)
{
    const char *path = NULL, *size = NULL;
    struct argument_list shapes = {.count = 0};
    const struct argument table[] = {{.flag = "--model", .value = &path, .is_required = true},
                                     {.flag = "--shape", .list = &shapes},
                                     {.flag = "--size", .value = &size},
                                     {0}};
    if (arguments_read(count, arguments, table, error) != PPM_OK)
        return error->status;
    struct ppm_model *model = command_load_model(path, error);
    if (model)
        describe(model, &shapes, size, error);
    ppm_model_free(model);
    return error->status;
}

/* shapes.c - see shapes.h. */
#include "core/shape/shapes.h"
#include "core/shape/geometry.h"
#include "core/shape/resize_axis.h"
#include "core/shape/window_axis.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHERE_BYTES = NAME_BYTES + 64 };

/* A node whose shape is looked for. */
struct shaping {
    const struct graph *graph;
    const struct node *node;
    const struct ppm_shape *shapes; /* of the nodes before it */
    struct ppm_error *error;
};

static struct ppm_shape read_of(const struct shaping *s, size_t i)
{
    return s->shapes[s->node->reads[i]];
}

/* max_pool "stem", or network[12].max_pool */
static const char *where(const struct node *node, char *ret_text)
{
    const char *type = node->read_count > 0 ? layer_name(&node->layer) : "input";
    if (*node->name)
        snprintf(ret_text, WHERE_BYTES, "%s \"%s\"", type, node->name);
    else
        snprintf(ret_text, WHERE_BYTES, "network[%zu].%s", node->entry, type);
    return ret_text;
}

static enum ppm_status refuse_window(const struct shaping *s, struct ppm_shape x)
{
    const struct window *window = &s->node->layer.window;
    char at[WHERE_BYTES];
    return ppm_fail(s->error, PPM_UNFIT,
                    "%s: the map is %zu x %zu (H x W), padded %zu x %zu: expected at least the %zu "
                    "x %zu pixels of the window",
                    where(s->node, at), x.h, x.w,
                    x.h + window->before[AXIS_H] + window->after[AXIS_H],
                    x.w + window->before[AXIS_W] + window->after[AXIS_W],
                    (window->size[AXIS_H] - 1) * window->dilation[AXIS_H] + 1,
                    (window->size[AXIS_W] - 1) * window->dilation[AXIS_W] + 1);
}

static enum ppm_status shape_window(const struct shaping *s, struct ppm_shape *ret)
{
    const struct ppm_shape x = read_of(s, 0);
    const struct window *window = &s->node->layer.window;
    ret->h = window_axis_of(window, AXIS_H, x.h).outputs;
    ret->w = window_axis_of(window, AXIS_W, x.w).outputs;
    return ret->h == 0 || ret->w == 0 ? refuse_window(s, x) : PPM_OK;
}

static enum ppm_status shape_bins(const struct shaping *s, struct ppm_shape *ret)
{
    ret->h = s->node->layer.grid[AXIS_H];
    ret->w = s->node->layer.grid[AXIS_W];
    return PPM_OK;
}

static enum ppm_status shape_resize(const struct shaping *s, struct ppm_shape *ret)
{
    const struct layer *layer = &s->node->layer;
    const struct ppm_shape x = read_of(s, 0);
    char at[WHERE_BYTES];
    switch (layer->target) {
    case RESIZE_BY:
        ret->h = resize_axis_scaled(x.h, layer->times);
        ret->w = resize_axis_scaled(x.w, layer->times);
        break;
    case RESIZE_TO:
        ret->h = layer->extent[AXIS_H];
        ret->w = layer->extent[AXIS_W];
        break;
    case RESIZE_LIKE:
        ret->h = s->shapes[layer->like].h;
        ret->w = s->shapes[layer->like].w;
        break;
    }
    if (ret->h == 0 || ret->w == 0)
        return ppm_fail(s->error, PPM_UNFIT,
                        "%s: the map is %zu x %zu (H x W): scaled by %g it has no pixels",
                        where(s->node, at), x.h, x.w, layer->times);
    return PPM_OK;
}

static enum ppm_status shape_pyramid(const struct shaping *s, struct ppm_shape *ret)
{
    struct geometry g;
    struct ppm_error cause = {0};
    char at[WHERE_BYTES];
    if (geometry_of_pyramid(s->node->layer.pyramid, read_of(s, 0), &g, &cause) != PPM_OK)
        return ppm_fail(s->error, cause.status, "%s: %s", where(s->node, at), cause.text);
    ret->h = g.h;
    ret->w = g.w;
    return PPM_OK;
}

static enum ppm_status refuse_sizes(const struct shaping *s, size_t first, size_t other,
                                    const char *expected)
{
    const struct ppm_shape a = read_of(s, first), b = read_of(s, other);
    char at[WHERE_BYTES], at_a[WHERE_BYTES], at_b[WHERE_BYTES];
    return ppm_fail(s->error, PPM_UNFIT,
                    "%s: %s is %zu x %zu (H x W) and %s is %zu x %zu, expected %s",
                    where(s->node, at), where(&s->graph->nodes[s->node->reads[first]], at_a), a.h,
                    a.w, where(&s->graph->nodes[s->node->reads[other]], at_b), b.h, b.w, expected);
}

static bool is_point(struct ppm_shape x)
{
    return x.h == 1 && x.w == 1;
}

static enum ppm_status shape_broadcast(const struct shaping *s, struct ppm_shape *ret)
{
    size_t largest = 0;
    for (size_t i = 1; i < s->node->read_count && is_point(read_of(s, largest)); i++)
        largest = i;
    ret->h = read_of(s, largest).h;
    ret->w = read_of(s, largest).w;
    for (size_t i = 0; i < s->node->read_count; i++) {
        const struct ppm_shape x = read_of(s, i);
        if (!is_point(x) && (x.h != ret->h || x.w != ret->w))
            return refuse_sizes(s, largest, i, "the same size, or 1 x 1");
    }
    return PPM_OK;
}

static enum ppm_status shape_concat(const struct shaping *s, struct ppm_shape *ret)
{
    for (size_t i = 1; i < s->node->read_count; i++)
        if (read_of(s, i).h != ret->h || read_of(s, i).w != ret->w)
            return refuse_sizes(s, 0, i, "the same size");
    return PPM_OK;
}

/* *ret has N, C, and the size of the first map that is read. */
static enum ppm_status (*const rules[LAYER_KIND_COUNT])(const struct shaping *s,
                                                        struct ppm_shape *ret) = {
    [LAYER_CONV] = shape_window,     [LAYER_MAX_POOL] = shape_window,
    [LAYER_AVG_POOL] = shape_window, [LAYER_ADAPTIVE_AVG_POOL] = shape_bins,
    [LAYER_RESIZE] = shape_resize,   [LAYER_PYRAMID] = shape_pyramid,
    [LAYER_ADD] = shape_broadcast,   [LAYER_MUL] = shape_broadcast,
    [LAYER_CONCAT] = shape_concat,
};

static enum ppm_status check_count(const struct shaping *s, struct ppm_shape shape)
{
    const size_t map = size_times(size_times(shape.h, shape.w), sizeof(float));
    char at[WHERE_BYTES];
    if (shape.h <= UINT32_MAX && shape.w <= UINT32_MAX &&
        size_times(map, size_times(shape.n, shape.c)) <= PTRDIFF_MAX)
        return PPM_OK;
    return ppm_fail(s->error, PPM_TOO_LARGE,
                    "%s: the map would be %zu x %zu pixels (H x W) of %zu channel%s, more than can "
                    "be counted",
                    where(s->node, at), shape.h, shape.w, shape.c, ppm_plural(shape.c));
}

static enum ppm_status check_input(const struct shaping *s, struct ppm_shape first,
                                   struct ppm_shape found)
{
    const size_t channels = s->node->layer.out_channels;
    size_t bytes;
    char at[WHERE_BYTES];
    if (ppm_shape_bytes(found, &bytes, s->error) != PPM_OK)
        return s->error->status;
    if (found.c != channels)
        return ppm_fail(s->error, PPM_UNFIT, "%s: found %zu channel%s, expected the model's %zu",
                        where(s->node, at), found.c, ppm_plural(found.c), channels);
    if (found.n != first.n)
        return ppm_fail(s->error, PPM_UNFIT,
                        "%s: found a batch of %zu map%s, expected %zu: all inputs of a request "
                        "have the same N",
                        where(s->node, at), found.n, ppm_plural(found.n), first.n);
    return check_count(s, found);
}

enum ppm_status shapes_of(const struct graph *graph, const struct ppm_sizes *sizes,
                          struct ppm_shape *ret_shapes, struct ppm_error *error)
{
    struct shaping s = {.graph = graph, .shapes = ret_shapes, .error = error};
    if (sizes->count != graph->input_count)
        return ppm_fail(error, PPM_UNFIT, "found %zu input%s, expected the model's %zu",
                        sizes->count, ppm_plural(sizes->count), graph->input_count);
    for (size_t i = 0; i < graph->count && error->status == PPM_OK; i++) {
        s.node = &graph->nodes[i];
        if (i < graph->input_count) {
            ret_shapes[i] = sizes->inputs[i];
            check_input(&s, sizes->inputs[0], ret_shapes[i]);
            continue;
        }
        const struct layer *layer = &s.node->layer;
        struct ppm_shape shape = read_of(&s, 0);
        shape.c = layer->out_channels;
        if (!rules[layer->kind] || rules[layer->kind](&s, &shape) == PPM_OK)
            check_count(&s, shape);
        ret_shapes[i] = shape;
    }
    return error->status;
}

struct ppm_shape *shapes_create(const struct graph *graph, const struct ppm_sizes *sizes,
                                struct ppm_error *error)
{
    struct ppm_shape *shapes = malloc(graph->count * sizeof *shapes);
    if (!shapes)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    else if (shapes_of(graph, sizes, shapes, error) == PPM_OK)
        return shapes;
    free(shapes);
    return NULL;
}

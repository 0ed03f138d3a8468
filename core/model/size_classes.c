/* size_classes.c - see size_classes.h. */
#include "core/model/size_classes.h"

#include <string.h>

struct classes {
    struct size_class *list;
    size_t count;
    const size_t *of; /* [nodes] so far */
};

/* What the words of a key begin with. */
enum { KEY_WINDOW, KEY_CEIL_WINDOW, KEY_TIMES, KEY_FIXED, KEY_UNKNOWN };

static size_t add_class(struct classes *classes, const struct size_class *class)
{
    classes->list[classes->count] = *class;
    return classes->count++;
}

static size_t unknown_size(struct classes *classes)
{
    return add_class(classes, &(struct size_class){.parent = classes->count, .key = {KEY_UNKNOWN}});
}

/* The class that a change of size leads to. */
static size_t derived_size(struct classes *classes, size_t parent, const size_t key[6])
{
    size_t child = classes->list[parent].child;
    while (child && memcmp(classes->list[child].key, key, sizeof classes->list[child].key) != 0)
        child = classes->list[child].sibling;
    if (child)
        return child;
    struct size_class class = {.parent = parent, .sibling = classes->list[parent].child};
    memcpy(class.key, key, sizeof class.key);
    return classes->list[parent].child = add_class(classes, &class);
}

/* Class 0 is the parent of the sizes that do not depend on inputs. */
static size_t fixed_size(struct classes *classes, const size_t extent[WINDOW_AXES])
{
    return derived_size(classes, 0, (size_t[6]){KEY_FIXED, extent[0], extent[1]});
}

/* Along an axis, outputs = floor((extent + rest) / stride) + 1. "Same" padding leaves
 * ceil(extent / stride), which is the same with a rest of -1. */
static size_t rest_of(const struct window *window, size_t axis)
{
    const size_t reach = (window->size[axis] - 1) * window->dilation[axis] + 1;
    return window->is_same ? (size_t)-1 : window->before[axis] + window->after[axis] - reach;
}

static size_t of_read(const struct classes *classes, const struct node *node)
{
    return classes->of[node->reads[0]];
}

static size_t input_class(struct classes *classes, const struct node *node)
{
    (void)node;
    return unknown_size(classes);
}

static size_t window_class(struct classes *classes, const struct node *node)
{
    const struct window *window = &node->layer.window;
    const size_t rest[] = {rest_of(window, 0), rest_of(window, 1)};
    const bool rounds_up = window->is_ceil && !window->is_same;
    if (window->stride[0] == 1 && window->stride[1] == 1 && rest[0] == (size_t)-1 &&
        rest[1] == (size_t)-1)
        return of_read(classes, node);
    /* ceil leaves out a window that begins past the map: the padding before it matters */
    const size_t before = rounds_up ? window->before[0] << 32 | window->before[1] : 0;
    return derived_size(classes, of_read(classes, node),
                        (size_t[6]){rounds_up ? KEY_CEIL_WINDOW : KEY_WINDOW, rest[0], rest[1],
                                    window->stride[0], window->stride[1], before});
}

static size_t grid_class(struct classes *classes, const struct node *node)
{
    return fixed_size(classes, node->layer.grid);
}

static size_t resize_class(struct classes *classes, const struct node *node)
{
    const struct layer *layer = &node->layer;
    size_t bits = 0;
    if (layer->target == RESIZE_LIKE)
        return classes->of[layer->like];
    if (layer->target == RESIZE_TO)
        return fixed_size(classes, layer->extent);
    if (layer->times == 1)
        return of_read(classes, node);
    memcpy(&bits, &layer->times, sizeof bits);
    return derived_size(classes, of_read(classes, node), (size_t[6]){KEY_TIMES, bits});
}

/* With a broadcast, the result is as large as the larger ones. */
static size_t join_class(struct classes *classes, const struct node *node)
{
    for (size_t i = 1; i < node->read_count; i++)
        if (classes->of[node->reads[i]] != of_read(classes, node))
            return unknown_size(classes);
    return of_read(classes, node);
}

static size_t pyramid_class(struct classes *classes, const struct node *node)
{
    return node->layer.pyramid->upsample_to == TO_INPUT ? of_read(classes, node)
                                                        : unknown_size(classes);
}

/* All other layers keep the size. */
static size_t (*const class_of[LAYER_KIND_COUNT])(struct classes *classes,
                                                  const struct node *node) = {
    [LAYER_INPUT] = input_class,
    [LAYER_CONV] = window_class,
    [LAYER_MAX_POOL] = window_class,
    [LAYER_AVG_POOL] = window_class,
    [LAYER_ADAPTIVE_AVG_POOL] = grid_class,
    [LAYER_RESIZE] = resize_class,
    [LAYER_ADD] = join_class,
    [LAYER_MUL] = join_class,
    [LAYER_PYRAMID] = pyramid_class,
};

void size_classes_of(const struct graph *graph, struct size_class *classes, size_t *ret_of)
{
    struct classes found = {.list = classes, .of = ret_of};
    unknown_size(&found); /* class 0 */
    for (size_t i = 0; i < graph->count; i++) {
        const struct node *node = &graph->nodes[i];
        ret_of[i] = class_of[node->layer.kind] ? class_of[node->layer.kind](&found, node)
                                               : of_read(&found, node);
    }
}

/* pyramid.c - see pyramid.h. */
#include "core/model/pyramid.h"

#include <stdlib.h>

static const char *const pool_names[] = {"adaptive", "same", "valid", NULL};
static const char *const resize_to_names[] = {"input", "stride_multiple", NULL};
const char *const linear_resize_names[] = {
#define RESIZE_NAME(constant, name) #name,
    LINEAR_RESIZES(RESIZE_NAME)
#undef RESIZE_NAME
        NULL};

/* 60 or [60, 30] */
static enum ppm_status read_window(const json_t *value, const struct json_place *place,
                                   struct branch *branch, struct ppm_error *error)
{
    const json_t *h = value, *w = value;
    if (json_is_array(value) && json_array_size(value) == 2) {
        h = json_array_get(value, 0);
        w = json_array_get(value, 1);
    }
    if (!json_is_size(h, WINDOW_MAX) || !json_is_size(w, WINDOW_MAX))
        return json_refuse(place, value, error,
                           "a window in pixels, from 1 to %d: a number or [h, w]", WINDOW_MAX);
    branch->window_h = (size_t)json_integer_value(h);
    branch->window_w = (size_t)json_integer_value(w);
    return PPM_OK;
}

static enum ppm_status read_bin(const json_t *value, const struct json_place *place,
                                struct branch *branch, struct ppm_error *error)
{
    if (!json_is_size(value, BIN_MAX))
        return json_refuse(place, value, error, "a bin: an integer from 1 to %d", BIN_MAX);
    branch->bin = (size_t)json_integer_value(value);
    return PPM_OK;
}

/* Either "bins" or "windows" lists the branches. */
static enum ppm_status read_grids(const json_t *root, const struct json_place *place,
                                  struct pyramid *pyramid, struct ppm_error *error)
{
    const json_t *bins = json_object_get(root, "bins"), *windows = json_object_get(root, "windows");
    const json_t *list = bins ? bins : windows;
    struct json_place member = json_member(place, bins || !windows ? "bins" : "windows");
    int pool = POOL_ADAPTIVE;
    if (json_read_choice(root, place, "pool", pool_names, &pool, error) != PPM_OK)
        return error->status;
    pyramid->pool = (enum pool)pool;
    if (bins && windows)
        return json_refuse(&member, bins, error, "either bins or windows, not both");
    if (windows && pyramid->pool == POOL_ADAPTIVE)
        return json_refuse(&member, windows, error, "\"pool\": \"same\" or \"valid\" with windows");
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > BRANCHES_MAX)
        return json_refuse(&member, list, error, "a list of 1 to %d, such as [1, 2, 3, 6]",
                           BRANCHES_MAX);

    pyramid->branch_count = json_array_size(list);
    pyramid->branches = calloc(pyramid->branch_count, sizeof *pyramid->branches);
    if (!pyramid->branches)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", place->file);
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        struct json_place element = json_element(&member, i);
        const json_t *value = json_array_get(list, i);
        if ((bins ? read_bin : read_window)(value, &element, &pyramid->branches[i], error) !=
            PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

/* "branch": one stack for all branches; or "branches": a list with a stack for each. */
static enum ppm_status read_branches(const json_t *root, const struct json_place *place,
                                     const struct layer_scope *scope, struct pyramid *pyramid,
                                     struct ppm_error *error)
{
    struct layer_scope of_branch = *scope;
    const json_t *shared = json_object_get(root, "branch"),
                 *own = json_object_get(root, "branches");
    struct json_place member = json_member(place, own ? "branches" : "branch");
    if (!shared == !own)
        return json_refuse(&member, own, error,
                           "either \"branch\", a list of layers, or \"branches\", a list of such "
                           "lists");
    if (own && (!json_is_array(own) || json_array_size(own) != pyramid->branch_count))
        return json_refuse(&member, own, error, "a list of %zu stack%s, one for each bin or window",
                           pyramid->branch_count, ppm_plural(pyramid->branch_count));
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        struct json_place element = json_element(&member, i);
        of_branch.index = i;
        if (stack_read(own ? json_array_get(own, i) : shared, own ? &element : &member, &of_branch,
                       pyramid->channels, &pyramid->branches[i].stack, error) != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

static enum ppm_status read_resizing(const json_t *root, const struct json_place *place,
                                     struct pyramid *pyramid, struct ppm_error *error)
{
    struct json_place to = json_member(place, "upsample_to");
    int mode = RESIZE_ALIGN_CORNERS, target = TO_INPUT;
    if (json_read_choice(root, place, "upsample", linear_resize_names, &mode, error) != PPM_OK ||
        json_read_choice(root, place, "upsample_to", resize_to_names, &target, error) != PPM_OK ||
        json_read_bool(root, place, "cascade", &pyramid->is_cascade, error) != PPM_OK)
        return error->status;
    if (target == TO_STRIDE_MULTIPLE && pyramid->pool == POOL_ADAPTIVE)
        return json_refuse(
            &to, json_object_get(root, "upsample_to"), error,
            "\"pool\": \"same\" or \"valid\" with it: adaptive pooling has no stride");
    if (target == TO_STRIDE_MULTIPLE && pyramid->is_cascade)
        return json_refuse(&to, json_object_get(root, "upsample_to"), error,
                           "\"input\" in a cascade");
    pyramid->upsample = (enum resize)mode;
    pyramid->upsample_to = (enum resize_to)target;
    return PPM_OK;
}

static void add_part(struct pyramid *pyramid, enum part_source source, size_t branch,
                     size_t channels)
{
    pyramid->parts[pyramid->part_count++] = (struct part){.source = source,
                                                          .branch = branch,
                                                          .first = pyramid->concat_channels,
                                                          .channels = channels};
    pyramid->concat_channels += channels;
}

/* The only place that knows the order of the concat. */
static enum ppm_status read_order(const json_t *root, const struct json_place *place,
                                  struct pyramid *pyramid, struct ppm_error *error)
{
    enum { INPUT_FIRST, INPUT_LAST };
    static const char *const names[] = {"input_first", "input_last", "branches", NULL};
    int order = INPUT_FIRST;
    if (json_read_choice(root, place, "concat", names, &order, error) != PPM_OK)
        return error->status;
    if (order == INPUT_FIRST)
        add_part(pyramid, PART_MAP, 0, pyramid->channels);
    for (size_t i = 0; i < pyramid->branch_count; i++)
        add_part(pyramid, PART_BRANCH, i, pyramid->branches[i].stack.out_channels);
    if (order == INPUT_LAST)
        add_part(pyramid, PART_MAP, 0, pyramid->channels);
    return PPM_OK;
}

/* All parts of a sum have the same channels. */
static enum ppm_status read_sum(const json_t *root, const struct json_place *place,
                                struct pyramid *pyramid, struct ppm_error *error)
{
    const struct json_place member = json_member(place, "sum");
    if (json_read_bool(root, place, "sum", &pyramid->is_sum, error) != PPM_OK)
        return error->status;
    for (size_t i = 1; i < pyramid->part_count && pyramid->is_sum; i++)
        if (pyramid->parts[i].channels != pyramid->parts[0].channels)
            return json_refuse(&member, json_object_get(root, "sum"), error,
                               "parts of the same channels: the first has %zu and part %zu has %zu",
                               pyramid->parts[0].channels, i, pyramid->parts[i].channels);
    return PPM_OK;
}

/* The branches of a cascade keep the input's channels. */
static enum ppm_status check_cascade(const json_t *root, const struct json_place *place,
                                     const struct pyramid *pyramid, struct ppm_error *error)
{
    struct json_place member = json_member(place, "cascade");
    for (size_t i = 0; i < pyramid->branch_count && pyramid->is_cascade; i++) {
        const size_t channels = pyramid->branches[i].stack.out_channels;
        if (channels != pyramid->channels)
            return json_refuse(
                &member, json_object_get(root, "cascade"), error,
                "every branch to keep the input's %zu channel%s in a cascade; branch "
                "%zu has %zu",
                pyramid->channels, ppm_plural(pyramid->channels), i, channels);
    }
    return PPM_OK;
}

enum ppm_status pyramid_read(const json_t *object, const struct json_place *place,
                             const struct layer_scope *scope, size_t channels,
                             struct pyramid *ret_pyramid, struct ppm_error *error)
{
    ret_pyramid->channels = channels;
    if (read_grids(object, place, ret_pyramid, error) == PPM_OK &&
        read_branches(object, place, scope, ret_pyramid, error) == PPM_OK &&
        read_resizing(object, place, ret_pyramid, error) == PPM_OK &&
        check_cascade(object, place, ret_pyramid, error) == PPM_OK &&
        read_order(object, place, ret_pyramid, error) == PPM_OK)
        read_sum(object, place, ret_pyramid, error);
    return error->status;
}

bool pyramid_is_layer(const struct pyramid *pyramid)
{
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const struct stack *stack = &pyramid->branches[i].stack;
        if (!stack_is_pointwise(stack) || (stack->count > 0 && stack->layers[0].kind != LAYER_CONV))
            return false;
    }
    return !pyramid->is_sum;
}

void pyramid_release(struct pyramid *pyramid)
{
    for (size_t i = 0; i < pyramid->branch_count && pyramid->branches; i++)
        stack_release(&pyramid->branches[i].stack);
    free(pyramid->branches);
    *pyramid = (struct pyramid){0};
}

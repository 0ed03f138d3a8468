/* graph_names.c - see graph_names.h. */
#include "core/model/graph_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool graph_is_name(const char *text)
{
    const size_t length = strlen(text);
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return false;
    return length > 0 && length < NAME_BYTES;
}

static int compare_names(const void *left, const void *right)
{
    const struct graph_name *a = left, *b = right;
    const int order = strcmp(a->text, b->text);
    return order != 0 ? order : a->position < b->position ? -1 : a->position > b->position;
}

static enum ppm_status refuse_double(const struct graph_names *names, size_t index,
                                     const json_t *entries, const struct json_place *place,
                                     struct ppm_error *error)
{
    const size_t first = names->list[index].position;
    const size_t second = names->list[index + 1].position - names->input_count;
    const struct json_place entry = json_element(place, second), name = json_member(&entry, "name");
    const json_t *found = json_object_get(json_array_get(entries, second), "name");
    if (first < names->input_count)
        return json_refuse(&name, found, error, "a name of its own: an input has this one");
    return json_refuse(&name, found, error, "a name of its own: network[%zu] has this one",
                       first - names->input_count);
}

static enum ppm_status collect_entry(struct graph_names *names, const json_t *entries, size_t index,
                                     const struct json_place *place, struct ppm_error *error)
{
    const struct json_place entry = json_element(place, index),
                            member = json_member(&entry, "name");
    const json_t *name = json_object_get(json_array_get(entries, index), "name");
    if (!name)
        return PPM_OK;
    if (!json_is_string(name) || !graph_is_name(json_string_value(name)))
        return json_refuse(&member, name, error, GRAPH_NAME_EXPECTED);
    names->list[names->count++] =
        (struct graph_name){json_string_value(name), names->input_count + index};
    return PPM_OK;
}

static enum ppm_status allocate(struct graph_names *names, size_t input_count, size_t entry_count,
                                const char *file, struct ppm_error *error)
{
    const size_t positions = input_count + entry_count;
    *names = (struct graph_names){.list = calloc(positions, sizeof *names->list),
                                  .nodes = calloc(positions, sizeof *names->nodes),
                                  .input_count = input_count,
                                  .position = input_count};
    if (!names->list || !names->nodes)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file);
    return PPM_OK;
}

enum ppm_status graph_names_collect(const json_t *inputs, const json_t *entries,
                                    const struct json_place *place, struct graph_names *ret_names,
                                    struct ppm_error *error)
{
    void *input = json_object_iter((json_t *)inputs);
    if (allocate(ret_names, inputs ? json_object_size(inputs) : 1, json_array_size(entries),
                 place->file, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < ret_names->input_count; i++) {
        const char *text = inputs ? json_object_iter_key(input) : GRAPH_ONLY_INPUT;
        ret_names->list[ret_names->count++] = (struct graph_name){text, i};
        ret_names->nodes[i] = i;
        input = inputs ? json_object_iter_next((json_t *)inputs, input) : NULL;
    }
    for (size_t i = 0; i < json_array_size(entries); i++)
        if (collect_entry(ret_names, entries, i, place, error) != PPM_OK)
            return error->status;
    qsort(ret_names->list, ret_names->count, sizeof *ret_names->list, compare_names);
    for (size_t i = 0; i + 1 < ret_names->count; i++)
        if (strcmp(ret_names->list[i].text, ret_names->list[i + 1].text) == 0)
            return refuse_double(ret_names, i, entries, place, error);
    return PPM_OK;
}

static int compare_text(const void *text, const void *name)
{
    return strcmp(text, ((const struct graph_name *)name)->text);
}

enum ppm_status graph_names_find(const struct graph_names *names, const json_t *value,
                                 const struct json_place *place, size_t *ret_node,
                                 struct ppm_error *error)
{
    static const char expected[] = "the name of an input or of an entry above";
    if (!json_is_string(value))
        return json_refuse(place, value, error, "%s", expected);
    const struct graph_name *name = bsearch(json_string_value(value), names->list, names->count,
                                            sizeof *names->list, compare_text);
    if (!name)
        return json_refuse(place, value, error, "%s: nothing has this one", expected);
    if (name->position >= names->position)
        return json_refuse(place, value, error, "%s: network[%zu] has this one", expected,
                           name->position - names->input_count);
    *ret_node = names->nodes[name->position];
    return PPM_OK;
}

void graph_names_release(struct graph_names *names)
{
    free(names->list);
    free(names->nodes);
}

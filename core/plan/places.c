/* places.c - see places.h. */
#include "core/plan/places.h"

enum { NOT_READ = 0 }; /* else the index of the last step that reads a value, plus 1 */

void places_take(struct places *places, size_t nodes, struct room *room)
{
    places->offsets = room_take(room, nodes, sizeof *places->offsets);
    places->last_reads = room_take(room, nodes, sizeof *places->last_reads);
    places->roots = room_take(room, nodes, sizeof *places->roots);
    places->items = room_take(room, nodes, sizeof *places->items);
}

static void find_last_reads(struct places *places, const struct graph *graph,
                            const struct program *program)
{
    for (size_t i = 0; i < graph->count; i++)
        places->last_reads[i] = NOT_READ;
    for (size_t k = 0; k < program->count; k++)
        for (size_t i = 0; i < program->steps[k].read_count; i++)
            places->last_reads[program->steps[k].reads[i]] = k + 1;
    places->last_reads[graph->output] = program->count + 1;
}

/* Layers that write a value after they have read all that it depends on. */
static const bool is_in_place[LAYER_KIND_COUNT] = {
    [LAYER_BATCH_NORM] = true, [LAYER_PRELU] = true,      [LAYER_SOFTMAX] = true,
    [LAYER_ACTIVATION] = true, [LAYER_AFFINE] = true,     [LAYER_ADD] = true,
    [LAYER_MUL] = true,        [LAYER_LAYER_NORM] = true, [LAYER_GROUP_NORM] = true,
};

static bool is_same_size(struct ppm_shape a, struct ppm_shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

/* Whether the k-th step's result can be where what it reads first is. */
static bool takes_place(const struct places *places, const struct graph *graph,
                        const struct program *program, size_t k, const struct ppm_shape *shapes)
{
    const struct step *step = &program->steps[k];
    const struct node *node = &graph->nodes[step->node];
    const size_t read = step->is_section ? 0 : node->reads[0];
    if (step->is_section || !is_in_place[node->layer.kind] || places->offsets[read] == SIZE_MAX ||
        places->last_reads[read] != k + 1 || !is_same_size(shapes[read], shapes[step->value]))
        return false;
    for (size_t i = 1; i < node->read_count; i++)
        if (node->reads[i] == read)
            return false;
    return true;
}

static size_t map_bytes(struct ppm_shape shape)
{
    return size_times(size_times(shape.c, shape.h), size_times(shape.w, sizeof(float)));
}

/* One item for each place; where it is in the list is its value's offset until it is known. */
static size_t list_items(struct places *places, const struct graph *graph,
                         const struct program *program, const struct ppm_shape *shapes,
                         bool stores_output)
{
    size_t count = 0;
    for (size_t k = 0; k < program->count; k++) {
        const size_t value = program->steps[k].value;
        const size_t last = places->last_reads[value] - 1;
        if (value == graph->output && !stores_output)
            continue;
        if (takes_place(places, graph, program, k, shapes)) {
            const size_t read = graph->nodes[program->steps[k].node].reads[0];
            places->roots[value] = places->roots[read];
            places->offsets[value] = places->offsets[read];
            places->items[places->offsets[value]].last = last;
            continue;
        }
        places->offsets[value] = count;
        places->items[count++] = (struct arena_item){
            .value = value, .bytes = map_bytes(shapes[value]), .first = k, .last = last};
    }
    return count;
}

void places_find(struct places *places, const struct graph *graph, const struct program *program,
                 const struct ppm_shape *shapes, bool stores_output)
{
    find_last_reads(places, graph, program);
    for (size_t i = 0; i < graph->count; i++) {
        places->roots[i] = i;
        places->offsets[i] = SIZE_MAX;
    }
    const size_t count = list_items(places, graph, program, shapes, stores_output);
    places->bytes = arena_place(places->items, count);
    for (size_t i = 0; i < count; i++)
        places->offsets[places->items[i].value] = places->items[i].offset;
    for (size_t i = 0; i < graph->count; i++)
        places->offsets[i] = places->offsets[places->roots[i]];
}

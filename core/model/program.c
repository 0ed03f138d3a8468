/* program.c - see program.h: steps with their lists, from what lowering.c decided. */
#include "core/model/program.h"
#include "core/base/memory.h"
#include "core/model/lowering.h"

#include <stdlib.h>
#include <string.h>

static void add_part(struct section *section, struct part part)
{
    part.first = section->concat_channels;
    section->concat_channels += part.channels;
    section->parts[section->part_count++] = part;
}

static void add_pyramid(const struct lowering *lowering, size_t i, struct section *section)
{
    const struct node *node = node_at(lowering, i);
    section->pyramid = node->layer.pyramid;
    section->pyramid_node = i;
    section->pyramid_value = node->reads[0];
    for (size_t k = 0; k < section->pyramid->part_count; k++) {
        struct part part = section->pyramid->parts[k];
        part.value = section->pyramid_value;
        add_part(section, part);
    }
}

/* The part or parts of a node that is no absorbed concat. */
static void add_parts(const struct lowering *lowering, size_t i, struct section *section)
{
    const struct node *node = node_at(lowering, i);
    struct part part = {.source = PART_MAP, .value = i, .channels = node->layer.out_channels};
    if (lowering->is_absorbed[i] && node->layer.kind == LAYER_PYRAMID) {
        add_pyramid(lowering, i, section);
        return;
    }
    if (lowering->is_absorbed[i])
        part.value = node->reads[0];
    if (lowering->is_absorbed[i] && node->layer.kind == LAYER_SLICE)
        part.from = node->layer.first_channel;
    if (lowering->is_absorbed[i] && node->layer.kind == LAYER_RESIZE) {
        part.source = PART_STRETCHED;
        part.resize = i;
        part.stretch = &node->layer;
    }
    add_part(section, part);
}

/* Whether a draft is a pyramid that is stored. */
static bool is_pyramid_alone(const struct draft *draft)
{
    return draft->is_section && draft->last == NO_VALUE;
}

/* The concats of concats in their order. What is pending has a part each, so it is few. */
static void list_parts(const struct lowering *lowering, const struct draft *draft,
                       struct section *section)
{
    size_t count = 0;
    if (is_pyramid_alone(draft))
        add_pyramid(lowering, draft->node, section);
    else
        lowering->pending[count++] = draft->node;
    while (count > 0) {
        const size_t i = lowering->pending[--count];
        const struct node *node = node_at(lowering, i);
        if (!lowering->is_absorbed[i] || node->layer.kind != LAYER_CONCAT) {
            add_parts(lowering, i, section);
            continue;
        }
        for (size_t k = node->read_count; k-- > 0;)
            lowering->pending[count++] = node->reads[k];
    }
}

static size_t parts_of(const struct lowering *lowering, const struct draft *draft)
{
    if (is_pyramid_alone(draft))
        return node_at(lowering, draft->node)->layer.pyramid->part_count;
    return draft->is_section ? lowering->parts[draft->node] : 0;
}

static size_t reads_of(const struct lowering *lowering, const struct draft *draft)
{
    return draft->is_section ? parts_of(lowering, draft) + 2
                             : node_at(lowering, draft->node)->read_count;
}

static void add_read(struct step *step, size_t value)
{
    for (size_t i = 0; i < step->read_count; i++)
        if (step->reads[i] == value)
            return;
    step->reads[step->read_count++] = value;
}

static void list_reads(const struct lowering *lowering, struct step *step)
{
    const struct section *section = &step->section;
    const struct node *node = node_at(lowering, step->node);
    for (size_t i = 0; step->is_section && i < section->part_count; i++)
        if (section->parts[i].source != PART_BRANCH)
            add_read(step, section->parts[i].value);
    if (step->is_section && section->pyramid)
        add_read(step, section->pyramid_value);
    if (step->is_section && section->residual != NO_VALUE)
        add_read(step, (size_t)section->residual);
    for (size_t i = 0; !step->is_section && i < node->read_count; i++)
        add_read(step, node->reads[i]);
}

/* A step with room for its lists. */
static void place_step(const struct lowering *lowering, struct draft *draft, struct step *step,
                       struct room *room)
{
    struct part *parts = room_take(room, parts_of(lowering, draft), sizeof *parts);
    const struct layer **layers = room_take(room, draft->layers, sizeof *layers);
    size_t *reads = room_take(room, reads_of(lowering, draft), sizeof *reads);
    draft->step = step;
    if (!step)
        return;
    *step = (struct step){.value = draft->value,
                          .is_section = draft->is_section,
                          .node = draft->node,
                          .after = draft->after,
                          .section = {.parts = parts,
                                      .layers = layers,
                                      .residual = draft->residual,
                                      .residual_at = draft->residual_at},
                          .reads = reads};
}

/* Steps in the order of their last nodes, so that each comes after what it reads. */
static void place_steps(const struct lowering *lowering, struct program *program, struct room *room)
{
    const size_t nodes = lowering->graph->count;
    program->folded_into = room_take(room, nodes, sizeof *program->folded_into);
    program->is_stored = room_take(room, nodes, sizeof *program->is_stored);
    program->steps = room_take(room, lowering->draft_count, sizeof *program->steps);
    program->count = 0;
    for (size_t i = 0; i < nodes; i++)
        if (lowering->step_of[i] > 0) {
            struct step *step = program->steps ? &program->steps[program->count] : NULL;
            place_step(lowering, &lowering->drafts[lowering->step_of[i] - 1], step, room);
            program->count++;
        }
}

static void fill_steps(const struct lowering *lowering, struct program *program)
{
    for (size_t i = 0; i < lowering->draft_count; i++) {
        const struct draft *draft = &lowering->drafts[i];
        if (draft->is_section)
            list_parts(lowering, draft, &draft->step->section);
        list_reads(lowering, draft->step);
        program->is_stored[draft->value] = true;
    }
    for (size_t i = 0; i < lowering->graph->count; i++) {
        program->folded_into[i] = lowering->folded_into[i];
        if (kind_of(lowering, i) == LAYER_INPUT)
            program->is_stored[i] = lowering->readers[i] > 0;
        if (lowering->layer_of[i] == 0)
            continue;
        struct section *section = &lowering->drafts[lowering->layer_of[i] - 1].step->section;
        section->layers[section->layer_count++] = &node_at(lowering, i)->layer;
    }
}

static void place_lowering(struct lowering *lowering, struct room *room)
{
    const size_t nodes = lowering->graph->count;
    lowering->readers = room_take(room, nodes, sizeof *lowering->readers);
    lowering->class = room_take(room, nodes, sizeof *lowering->class);
    lowering->parts = room_take(room, nodes, sizeof *lowering->parts);
    lowering->is_absorbed = room_take(room, nodes, sizeof *lowering->is_absorbed);
    lowering->is_joined = room_take(room, nodes, sizeof *lowering->is_joined);
    lowering->step_of = room_take(room, nodes, sizeof *lowering->step_of);
    lowering->layer_of = room_take(room, nodes, sizeof *lowering->layer_of);
    lowering->folded_into = room_take(room, nodes, sizeof *lowering->folded_into);
    lowering->drafts = room_take(room, nodes, sizeof *lowering->drafts);
    lowering->pending = room_take(room, PARTS_MAX, sizeof *lowering->pending);
    lowering->classes = room_take(room, nodes + 1, sizeof *lowering->classes);
}

/* Zeroed memory for what place took from a room without a base. NULL on failure. */
static void *allocate_room(const struct room *counted, struct ppm_error *error)
{
    void *memory = core_allocate(counted->bytes, error);
    return memory ? memset(memory, 0, counted->bytes) : NULL;
}

enum ppm_status program_of(const struct graph *graph, struct program *ret_program,
                           struct ppm_error *error)
{
    struct lowering lowering = {.graph = graph};
    struct room counted = {0}, room = {0}, steps_counted = {0}, steps = {0};
    *ret_program = (struct program){0};
    place_lowering(&lowering, &counted);
    if (!(room.base = allocate_room(&counted, error)))
        return error->status;
    place_lowering(&lowering, &room);
    lowering_decide(&lowering);
    place_steps(&lowering, ret_program, &steps_counted);
    if ((steps.base = allocate_room(&steps_counted, error))) {
        place_steps(&lowering, ret_program, &steps);
        fill_steps(&lowering, ret_program);
        ret_program->memory = steps.base;
    }
    free(room.base);
    return error->status;
}

void program_release(struct program *program)
{
    free(program->memory);
    *program = (struct program){0};
}

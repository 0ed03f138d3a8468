/* lowering.c - see lowering.h. */
#include "core/model/lowering.h"

#include <assert.h>

/* ---- what is absorbed ---- */

static void count_readers(struct lowering *lowering)
{
    lowering->readers[lowering->graph->output] = 1;
    for (size_t i = lowering->graph->count; i-- > 0;) {
        const struct node *node = node_at(lowering, i);
        for (size_t k = 0; lowering->readers[i] > 0 && k < node->read_count; k++)
            lowering->readers[node->reads[k]]++;
    }
}

/* Whether a node can begin a section, which may read parts. */
static bool begins_section(const struct layer *layer)
{
    return layer->kind == LAYER_CONV ? layer->groups <= 1 : layer_is_pointwise(layer);
}

static bool can_be_absorbed(const struct layer *layer)
{
    return layer->kind == LAYER_CONCAT || layer->kind == LAYER_RESIZE ||
           layer->kind == LAYER_SLICE || layer->kind == LAYER_PYRAMID;
}

/* Parts of each node, and what could be absorbed as far as these are concerned. */
static void count_parts(struct lowering *lowering)
{
    for (size_t i = 0; i < lowering->graph->count; i++) {
        const struct node *node = node_at(lowering, i);
        size_t parts = 1;
        if (node->layer.kind == LAYER_PYRAMID)
            parts = node->layer.pyramid->part_count;
        if (node->layer.kind == LAYER_CONCAT) {
            parts = 0;
            for (size_t k = 0; k < node->read_count; k++)
                parts += lowering->parts[node->reads[k]];
        }
        lowering->is_absorbed[i] = can_be_absorbed(&node->layer) && parts <= PARTS_MAX &&
                                   lowering->readers[i] > 0 && i != lowering->graph->output;
        lowering->parts[i] = lowering->is_absorbed[i] ? parts : 1;
    }
}

/* Keeps what a node reads from being absorbed, unless the node can read it part by part. A section
 * has one pyramid at most, and none is computed twice. */
static void restrict_reads(struct lowering *lowering, size_t i)
{
    const struct node *node = node_at(lowering, i);
    const bool is_concat = node->layer.kind == LAYER_CONCAT && lowering->is_absorbed[i];
    bool has_pyramid = lowering->readers[i] > 1 || lowering->is_joined[i];
    for (size_t k = 0; k < node->read_count; k++) {
        const size_t read = node->reads[k];
        const bool is_pyramid = kind_of(lowering, read) == LAYER_PYRAMID;
        if ((!is_concat && !begins_section(&node->layer)) ||
            (is_pyramid && (lowering->readers[read] > 1 || (is_concat && has_pyramid))))
            lowering->is_absorbed[read] = false;
        has_pyramid = has_pyramid || is_pyramid;
        lowering->is_joined[read] = lowering->is_joined[read] || is_concat;
    }
}

/* ---- steps ---- */

/* The draft that a node can be added to: it ends with the node's read, which nothing else reads. */
static struct draft *open_draft(struct lowering *lowering, size_t read)
{
    const size_t draft = lowering->step_of[read];
    return draft > 0 && lowering->readers[read] == 1 ? &lowering->drafts[draft - 1] : NULL;
}

/* The node is the last one of a draft. */
static void extend(struct lowering *lowering, struct draft *draft, size_t i)
{
    lowering->step_of[draft->value] = 0;
    lowering->step_of[i] = (size_t)(draft - lowering->drafts) + 1;
    draft->value = i;
}

static struct draft *begin(struct lowering *lowering, bool is_section, size_t node, size_t i)
{
    assert(lowering->drafts);
    struct draft *draft = &lowering->drafts[lowering->draft_count++];
    *draft = (struct draft){.value = i,
                            .is_section = is_section,
                            .node = node,
                            .last = NO_VALUE,
                            .residual = NO_VALUE,
                            .after = NO_VALUE};
    lowering->step_of[i] = lowering->draft_count;
    return draft;
}

static void add_layer(struct lowering *lowering, struct draft *draft, size_t i)
{
    extend(lowering, draft, i);
    lowering->layer_of[i] = lowering->step_of[i];
    draft->last = (int)i;
    draft->layers++;
}

/* A section whose stack takes another layer. */
static struct draft *open_section(struct lowering *lowering, size_t read)
{
    struct draft *draft = open_draft(lowering, read);
    return draft && draft->is_section && draft->layers < LAYERS_MAX ? draft : NULL;
}

static void lower_alone(struct lowering *lowering, size_t i)
{
    begin(lowering, false, i, i);
}

static void lower_conv(struct lowering *lowering, size_t i)
{
    const struct node *node = node_at(lowering, i);
    struct draft *draft = open_section(lowering, node->reads[0]);
    if (!draft || draft->residual != NO_VALUE || !layer_is_pointwise(&node->layer))
        draft = begin(lowering, true, node->reads[0], i);
    add_layer(lowering, draft, i);
}

/* An absorbed concat needs a section; one map does not. */
static void lower_pointwise(struct lowering *lowering, size_t i)
{
    const size_t read = node_at(lowering, i)->reads[0];
    struct draft *draft = open_section(lowering, read);
    if (draft && draft->residual != NO_VALUE &&
        (kind_of(lowering, i) != LAYER_ACTIVATION || draft->layers > draft->residual_at))
        draft = NULL;
    if (!draft && lowering->is_absorbed[read])
        draft = begin(lowering, true, read, i);
    if (draft)
        add_layer(lowering, draft, i);
    else
        lower_alone(lowering, i);
}

/* The step goes on, but its layers stay. */
static void lower_batch_norm(struct lowering *lowering, size_t i)
{
    const size_t into = graph_folded_into(lowering->graph, i);
    struct draft *draft = open_draft(lowering, node_at(lowering, i)->reads[0]);
    if (into == i) {
        lower_pointwise(lowering, i);
        return;
    }
    assert(draft);
    lowering->folded_into[i] = (int)into;
    extend(lowering, draft, i);
}

/* A step of its own whose result an activation is applied to before it is stored. */
static const bool takes_activation[LAYER_KIND_COUNT] = {
    [LAYER_ADD] = true, [LAYER_MUL] = true, [LAYER_BATCH_NORM] = true, [LAYER_AFFINE] = true};

static void lower_activation(struct lowering *lowering, size_t i)
{
    struct draft *draft = open_draft(lowering, node_at(lowering, i)->reads[0]);
    if (!draft || draft->is_section || draft->after != NO_VALUE ||
        !takes_activation[kind_of(lowering, draft->node)]) {
        lower_pointwise(lowering, i);
        return;
    }
    draft->after = (int)i;
    extend(lowering, draft, i);
}

/* The section that makes a map, if it can add another one: of the same size, whatever the inputs'.
 */
static struct draft *adding_section(struct lowering *lowering, size_t read, size_t other)
{
    struct draft *draft = open_draft(lowering, read);
    const bool fits =
        lowering->class[read] == lowering->class[other] &&
        node_at(lowering, read)->layer.out_channels == node_at(lowering, other)->layer.out_channels;
    return fits && draft && draft->is_section && draft->last != NO_VALUE &&
                   draft->residual == NO_VALUE
               ? draft
               : NULL;
}

/* The other map is the residual of the section that makes the later one, if both could be. */
static void lower_add(struct lowering *lowering, size_t i)
{
    const struct node *node = node_at(lowering, i);
    if (node->read_count != 2) {
        lower_alone(lowering, i);
        return;
    }
    const size_t later = node->reads[1] > node->reads[0], other = 1 - later;
    struct draft *draft = adding_section(lowering, node->reads[later], node->reads[other]);
    size_t residual = node->reads[other];
    if (!draft) {
        draft = adding_section(lowering, node->reads[other], node->reads[later]);
        residual = node->reads[later];
    }
    if (!draft) {
        lower_alone(lowering, i);
        return;
    }
    draft->residual = (int)residual;
    draft->residual_at = draft->layers;
    extend(lowering, draft, i);
}

/* What is stored is a section without layers. */
static void lower_pyramid(struct lowering *lowering, size_t i)
{
    begin(lowering, true, i, i);
}

static void lower_nothing(struct lowering *lowering, size_t i)
{
    (void)lowering, (void)i;
}

/* All other layers are steps of their own. */
static void (*const lower[LAYER_KIND_COUNT])(struct lowering *lowering, size_t i) = {
    [LAYER_INPUT] = lower_nothing,
    [LAYER_CONV] = lower_conv,
    [LAYER_BATCH_NORM] = lower_batch_norm,
    [LAYER_PRELU] = lower_pointwise,
    [LAYER_SOFTMAX] = lower_pointwise,
    [LAYER_ACTIVATION] = lower_activation,
    [LAYER_ADD] = lower_add,
    [LAYER_PYRAMID] = lower_pyramid,
};

static void draft_steps(struct lowering *lowering)
{
    for (size_t i = 0; i < lowering->graph->count; i++)
        if (lowering->readers[i] > 0 && !lowering->is_absorbed[i]) {
            const enum layer_kind kind = kind_of(lowering, i);
            (lower[kind] ? lower[kind] : lower_alone)(lowering, i);
        }
}

void lowering_decide(struct lowering *lowering)
{
    size_classes_of(lowering->graph, lowering->classes, lowering->class);
    count_readers(lowering);
    count_parts(lowering);
    for (size_t i = lowering->graph->count; i-- > 0;)
        if (lowering->readers[i] > 0)
            restrict_reads(lowering, i);
    for (size_t i = 0; i < lowering->graph->count; i++)
        lowering->folded_into[i] = NO_VALUE;
    draft_steps(lowering);
}

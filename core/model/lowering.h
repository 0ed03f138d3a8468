/*
 * lowering.h - how program.c lowers a graph: what is decided about each node.
 *
 * A node's map is stored unless it is absorbed: a concat, a resize, a slice or a pyramid that
 * nothing but the start of sections reads, part by part; or it is inside of a step, which goes on
 * as long as each map has one reader that can follow.
 */
#ifndef PPM_CORE_MODEL_LOWERING_H
#define PPM_CORE_MODEL_LOWERING_H

#include "core/model/program.h"
#include "core/model/size_classes.h"

/* A step while nodes are added to it. */
struct draft {
    size_t value; /* the last node so far */
    bool is_section;
    size_t node;   /* a section: what it reads, a value or an absorbed node; else its own */
    int last;      /* a section: the node of its last layer; NO_VALUE: it has none yet */
    size_t layers; /* their number */
    int residual;
    size_t residual_at;
    int after;
    struct step *step; /* that is made from it */
};

struct lowering {
    const struct graph *graph;
    size_t *readers; /* [nodes] that are needed for the output; the output stage is one more */
    size_t *class;   /* [nodes] of size */
    size_t *parts;   /* [nodes] that a section reads instead of it, if it is absorbed; else 1 */
    bool *is_absorbed;
    bool *is_joined;  /* [nodes] a concat reads it */
    size_t *step_of;  /* [nodes]: the draft that it is the last node of so far, plus 1; or 0 */
    size_t *layer_of; /* [nodes]: the draft whose stack has its layer, plus 1; or 0 */
    int *folded_into; /* [nodes] */
    struct draft *drafts;
    size_t draft_count;
    size_t *pending; /* while parts are listed: [PARTS_MAX] */
    struct size_class *classes;
};

static inline const struct node *node_at(const struct lowering *lowering, size_t i)
{
    return &lowering->graph->nodes[i];
}

static inline enum layer_kind kind_of(const struct lowering *lowering, size_t i)
{
    return node_at(lowering, i)->layer.kind;
}

/* Fills in all arrays, which start as zeros, and the drafts. O(nodes + reads). */
void lowering_decide(struct lowering *lowering);

#endif

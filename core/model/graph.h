/*
 * graph.h - a network as its configuration describes it: nodes, each a layer and what it reads.
 *
 * The inputs are the first nodes. Each node reads earlier ones only, so that there are no cycles,
 * and their order is one in which they can be computed.
 */
#ifndef PPM_CORE_MODEL_GRAPH_H
#define PPM_CORE_MODEL_GRAPH_H

#include "core/model/layers.h"

enum { NODES_MAX = 4096, READS_MAX = 64, GRAPH_INPUTS_MAX = 8 };

struct node {
    char name[NAME_BYTES]; /* of its entry; "": it has none */
    struct layer layer;    /* in_channels: of the first node that it reads */
    size_t *reads;         /* indexes of nodes, in the order of the configuration */
    size_t read_count;     /* 0 for an input */
    size_t reader_count;   /* nodes that read it; the output stage is one more */
};

struct graph {
    struct node *nodes;
    size_t count;
    size_t input_count; /* nodes [0, input_count) */
    size_t output;      /* the node that the output stage reads */
};

#endif

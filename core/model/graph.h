/*
 * graph.h - a network as its configuration describes it: nodes, each a layer and what it reads.
 *
 * The inputs are the first nodes. Each node reads earlier ones only, so that there are no cycles,
 * and their order is one in which they can be computed.
 */
#ifndef PPM_CORE_MODEL_GRAPH_H
#define PPM_CORE_MODEL_GRAPH_H

#include "core/model/pyramid.h"

/* Layers in the branches of a network's pyramids that are one node each: twice the most of one. */
enum { BRANCH_LAYERS_MAX = 2 * BRANCHES_MAX * LAYERS_MAX };
enum { NODES_MAX = 4096, READS_MAX = BRANCHES_MAX + 1, GRAPH_INPUTS_MAX = PPM_INPUTS_MAX };

struct node {
    char name[NAME_BYTES]; /* of its entry; "": it has none */
    size_t entry;          /* index of its entry in the list, or of the input; several nodes may */
                           /* stand for one */
    struct layer layer;    /* in_channels: of the first node that it reads */
    size_t *reads;         /* indexes of nodes, in the order of the configuration */
    size_t read_count;     /* 0 for an input */
    size_t reader_count;   /* nodes that read it; the output stage is one more. 0: an input that */
                           /* nothing reads, or a node whose size another one takes */
    bool is_computed;      /* the output needs its values; false: its size at most */
};

struct graph {
    struct node *nodes; /* owned, with layers and their pyramids */
    size_t count, capacity;
    size_t input_count;   /* nodes [0, input_count) */
    size_t output;        /* the node that the output stage reads */
    size_t branch_layers; /* of pyramids that are nodes, while they are read */
    char unused[200];     /* "inputs.b, network[3] and 2 more": what nothing reads; such entries are
                           * left out. "": there are none */
};

/* Appends a node with that layer, whose memory it takes, leaving {0}; on failure it stays the
 * caller's. Of the node, only name, entry, read_count and reads count; reads are copied. */
enum ppm_status graph_add(struct graph *graph, const struct node *node, struct layer *layer,
                          const char *file, struct ppm_error *error);

/* Makes the last node the output, leaves out what neither it nor the size of a node needs, counts
 * readers, and finds out which nodes are computed. */
enum ppm_status graph_finish(struct graph *graph, struct ppm_error *error);

/* The node whose scale and shift include those of the index-th, a batch norm that alone reads a
 * conv, a norm or an affine layer; otherwise the index itself. */
size_t graph_folded_into(const struct graph *graph, size_t index);

void graph_release(struct graph *graph);

#endif

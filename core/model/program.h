/*
 * program.h - a graph lowered to steps: what is computed together.
 *
 * It is made when a model is loaded, before the weights are packed, and does not depend on the
 * sizes of inputs. A value is a map that is stored between steps; it has the index of the node that
 * it is the result of.
 */
#ifndef PPM_CORE_MODEL_PROGRAM_H
#define PPM_CORE_MODEL_PROGRAM_H

#include "core/model/graph.h"
#include "core/model/pyramid.h"

enum { NO_VALUE = -1 };

/*
 * Layers over a concat that is never stored:
 *
 *     y = stack(concat(parts)) with an optional residual before the stack's last activation
 *
 * A part is a value, a value that is stretched, or a branch of the pyramid. The stack may begin
 * with a conv of any window; what follows it is pointwise, or a conv that keeps the map's size.
 */
struct section {
    const struct pyramid *pyramid; /* the parts' branches are its; NULL: there are none */
    size_t pyramid_value;          /* that it pools */
    struct part *parts;
    size_t part_count, concat_channels;
    size_t *nodes; /* whose layers are the stack, in order, folded norms left out */
    size_t node_count;
    int residual; /* the value that is added; NO_VALUE: none */
};

/* One step: a section, or the layer of one node. */
struct step {
    size_t value; /* that it makes */
    bool is_section;
    struct section section;
};

struct program {
    struct step *steps;
    size_t count;
};

#endif

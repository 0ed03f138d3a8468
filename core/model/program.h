/*
 * program.h - a graph lowered to steps: what is computed together.
 *
 * It is made when a model is loaded, before the weights are packed, and does not depend on the
 * sizes of inputs. A value is a map that is stored between steps; it has the index of the node that
 * it is the result of. The inputs are values that no step makes.
 */
#ifndef PPM_CORE_MODEL_PROGRAM_H
#define PPM_CORE_MODEL_PROGRAM_H

#include "core/model/graph.h"
#include "core/model/pyramid.h"

enum { NO_VALUE = -1, PARTS_MAX = 2 * (BRANCHES_MAX + 1) };

/*
 * Layers over a concat that is never stored:
 *
 *     y = stack(concat(parts)) with an optional residual
 *
 * A part is some channels of a value, those of a value that is stretched, or a branch of the
 * pyramid. The stack may begin with a conv of any window, and only then with one that has groups:
 * it reads one value. Later layers see one pixel each: pointwise layers, and 1x1 convs of stride 1
 * without groups. A stack without layers is the concat itself.
 */
struct section {
    const struct pyramid *pyramid;      /* the parts' branches are its; NULL: there are none */
    size_t pyramid_node, pyramid_value; /* its node, and the value that it pools */
    struct part *parts;
    size_t part_count, concat_channels;
    const struct layer **layers; /* the stack, folded norms left out; at most LAYERS_MAX */
    size_t layer_count;
    int residual;       /* the value that is added, as large as the result; NO_VALUE: none */
    size_t residual_at; /* after how many of the layers: all, or all but an activation */
};

/* The conv that a section begins with; NULL: there is none. */
static inline const struct layer *section_conv(const struct section *section)
{
    const struct layer *first = section->layer_count > 0 ? section->layers[0] : NULL;
    return first && first->kind == LAYER_CONV ? first : NULL;
}

/* Channels of what a section makes. */
static inline size_t section_channels(const struct section *section)
{
    return section->layer_count > 0 ? section->layers[section->layer_count - 1]->out_channels
                                    : section->concat_channels;
}

/* One step: a section, or the layer of one node. */
struct step {
    size_t value; /* that it makes */
    bool is_section;
    struct section section;
    size_t node; /* not a section: the node whose reads it has, and whose layer it computes; */
    int after;   /* and the node whose activation is applied to the result; NO_VALUE: none */
    /* Values that it reads, each once. */
    size_t *reads;
    size_t read_count;
};

struct program {
    struct step *steps; /* each reads inputs and the values of earlier ones */
    size_t count;
    /* [nodes] */
    int *folded_into; /* graph_folded_into of a norm that is folded; else NO_VALUE */
    bool *is_stored;  /* it is a value: an input that is read, or the result of a step */
    void *memory;     /* of all */
};

/* Lowers the graph, which must outlive the program. *ret_program must be released in any case.
 * PPM_NO_MEMORY, or PPM_OK. */
enum ppm_status program_of(const struct graph *graph, struct program *ret_program,
                           struct ppm_error *error);
void program_release(struct program *program);

#endif

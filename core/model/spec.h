/* spec.h - a model as its configuration describes it. */
#ifndef PPM_CORE_MODEL_SPEC_H
#define PPM_CORE_MODEL_SPEC_H

#include "core/model/graph.h"
#include "core/model/output.h"
#include "core/model/weights.h"

enum { WARM_UP_MAX = 16 };

enum compute { COMPUTE_FLOAT32, COMPUTE_BFLOAT16 };

struct spec {
    char name[NAME_BYTES];
    char *json; /* the configuration on one line */
    struct graph graph;
    bool is_network; /* it has the list "network"; otherwise bins and a head */
    size_t channels; /* of the first input */
    enum ppm_layout layout;
    /* Unless it is a network: what the graph's second node has, and copies of the layers that
     * follow it, until plan and engine read the graph. spec_view makes them. */
    struct pyramid pyramid;
    struct stack head; /* count 0: none */
    bool are_views;
    struct output_spec output;
    bool is_exact; /* no convolution by Winograd, which rounds more */
    enum compute compute;
    struct ppm_sizes warm_up[WARM_UP_MAX];
    size_t warm_up_count;
    struct weights_spec weights;
};

/* The conv that the head begins with; NULL: there is none. */
static inline const struct layer *spec_bottleneck(const struct spec *spec)
{
    const struct layer *first = spec->head.count > 0 ? &spec->head.layers[0] : NULL;
    return first && first->kind == LAYER_CONV ? first : NULL;
}

/* Whether it is computed by the literal graph: a cascade, a misprint in one listing, is not worth a
 * fast form. */
static inline bool spec_is_literal(const struct spec *spec)
{
    return !spec->is_network && spec->pyramid.is_cascade;
}

/* Reads the model configuration at path. *ret_spec must be released in any case. */
enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error);
void spec_release(struct spec *spec);

/* pyramid and head = those of the graph; folded norms are left out when weights are there. */
void spec_view(struct spec *spec);

#endif

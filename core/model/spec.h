/* spec.h - a model as its configuration describes it. */
#ifndef PPM_CORE_MODEL_SPEC_H
#define PPM_CORE_MODEL_SPEC_H

#include "core/model/classes.h"
#include "core/model/graph.h"
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
    bool takes_images; /* its only input can be one */
    struct ppm_image_info image;
    /* Of the graph's second node, which the head's nodes follow; NULL: it is a network. */
    const struct pyramid *pyramid;
    struct output_spec output;
    struct classes classes;
    bool is_exact; /* no convolution by Winograd, which rounds more */
    enum compute compute;
    struct ppm_sizes warm_up[WARM_UP_MAX];
    size_t warm_up_count;
    struct weights_spec weights;
};

/* Nodes of a model that is no network: x, the pyramid, the head's layers. */
enum { PYRAMID_NODE = 1, FIRST_OF_HEAD };

/* The conv that the head begins with; NULL: there is none. */
static inline const struct layer *spec_bottleneck(const struct spec *spec)
{
    const bool has_head = spec->pyramid && spec->graph.count > FIRST_OF_HEAD;
    const struct layer *first = has_head ? &spec->graph.nodes[FIRST_OF_HEAD].layer : NULL;
    return first && first->kind == LAYER_CONV ? first : NULL;
}

/* Whether it is computed by the literal graph: a cascade, a misprint in one listing, is not worth a
 * fast form. */
static inline bool spec_is_literal(const struct spec *spec)
{
    return spec->pyramid && spec->pyramid->is_cascade;
}

/* Reads the model configuration at path. *ret_spec must be released in any case. */
enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error);
void spec_release(struct spec *spec);

/* Reads of it what ppm_model_files says. */
enum ppm_status spec_read_files(const char *path, struct ppm_model_files *ret_files,
                                struct ppm_error *error);

#endif

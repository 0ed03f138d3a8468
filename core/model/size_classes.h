/* size_classes.h - which maps of a graph have the same H and W, whatever its inputs have. */
#ifndef PPM_CORE_MODEL_SIZE_CLASSES_H
#define PPM_CORE_MODEL_SIZE_CLASSES_H

#include "core/model/graph.h"
#include "core/model/pyramid.h"

/* A change of size from one class to another, by which it is found again. */
struct size_class {
    size_t parent; /* its own index: none */
    size_t key[6];
    size_t child, sibling; /* 0: none; class 0 is nobody's child */
};

/* ret_of[i] = the class of node i. Maps of one class have one size; those of two may also have one,
 * but only for some inputs. classes is room for count + 1. */
void size_classes_of(const struct graph *graph, struct size_class *classes, size_t *ret_of);

#endif

/* random_networks.h - networks drawn from a seed, as JSON. */
#ifndef PPM_TESTS_RANDOM_NETWORKS_H
#define PPM_TESTS_RANDOM_NETWORKS_H

#include "tests/network_writer.h"

/* Writes a network of at most `layers` entries to ret, ' for ": convs of any window, pools, norms,
 * activations, sums, products, concats, slices, stretches and pyramids, with one to three inputs.
 * Equal seeds give equal networks on every machine. Maps that are added or concatenated have the
 * same size for any inputs of equal sizes; but a window may turn out larger than its map. */
void random_network(uint64_t seed, size_t layers, char ret[NETWORK_BYTES]);

#endif

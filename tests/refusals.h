/* refusals.h - configurations that are refused, with the whole message. */
#ifndef PPM_TESTS_REFUSALS_H
#define PPM_TESTS_REFUSALS_H

#include <stddef.h>

struct refusal {
    const char *name, *json, *text; /* JSON with ' for " */
};

/* Expects for each that spec_read's error is a BAD_CONFIG: "FILE: " and the text, whole. */
void check_refusals(const struct refusal *refusals, size_t count);

#endif

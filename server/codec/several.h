/*
 * several.h - several tensors by name: the intermediate results of a run.
 */
#ifndef PPM_SERVER_CODEC_SEVERAL_H
#define PPM_SERVER_CODEC_SEVERAL_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

#include <stddef.h>
#include <stdint.h>

/* What to write, in the order of the list. */
struct codec_several {
    const struct ppm_stages *list;
    const char *model;
    enum ppm_layout layout;
    struct ppm_stage_times times;
    uint64_t flops_literal, flops_folded;
    int threads;                       /* as in struct codec_answer */
    const struct codec_cancel *cancel; /* or NULL */
};

enum { CODEC_APPENDED_BYTES_MAX = 2048 }; /* at a time */

/* Room for all but the data of count tensors, a multiple of 64. */
size_t codec_several_head_bytes_max(size_t count);

/* Prints at `to`, within that room, and returns the end. */
char *codec_append(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* class_runs.h - run lengths of the classes in a map of labels, column by column. */
#ifndef PPM_SERVER_CODEC_CLASSES_CLASS_RUNS_H
#define PPM_SERVER_CODEC_CLASSES_CLASS_RUNS_H

#include "server/codec/cancel.h"

#include <stddef.h>
#include <stdint.h>

/* The counts of a class: of pixels that are not of it and that are, by turns. */
struct class_runs {
    size_t bytes; /* of their text, a comma after each */
    size_t end;   /* of the last run of the class, in pixels */
    char *to;     /* where the next count is written */
};

/* Sets runs[label].bytes for each label in the map, and 0 for the others. */
enum ppm_status class_runs_count(const int32_t *labels, size_t h, size_t w, size_t classes,
                                 const struct codec_cancel *cancel, struct class_runs *runs,
                                 struct ppm_error *error);

/* Writes them from runs[label].to on, which becomes their end. */
enum ppm_status class_runs_write(const int32_t *labels, size_t h, size_t w, size_t classes,
                                 const struct codec_cancel *cancel, struct class_runs *runs,
                                 struct ppm_error *error);

#endif

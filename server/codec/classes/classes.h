/*
 * classes.h - a map of labels as JSON: the classes in it, how large they are and where.
 *
 *     {"model": "street", "size": [160, 240], "classes": [
 *       {"id": 2, "name": "road", "color": [128, 64, 128], "pixels": 19200, "share": 0.5,
 *        "box": [0, 80, 240, 80]}, ...]}
 *
 * size is height and width. Classes without a pixel are left out; the largest comes first. box is
 * the smallest one around all pixels of a class: x and y of its corner at the top left, width,
 * height. name and color are there if the model has them. The labels themselves are, if they are
 * asked for, rows in a member "labels"; or the member "segmentation" of each class has its mask as
 * pycocotools reads it: {"size": [160, 240], "counts": [..]}, the lengths of runs of pixels that
 * are not and that are of the class, by turns, column by column (COCO's uncompressed RLE).
 */
#ifndef PPM_SERVER_CODEC_CLASSES_CLASSES_H
#define PPM_SERVER_CODEC_CLASSES_CLASSES_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

#include <stdbool.h>
#include <stddef.h>

enum codec_labels { CODEC_LABELS_NONE, CODEC_LABELS_ROWS, CODEC_LABELS_RLE };

/* "false", "true" and "rle". False for any other name. */
bool codec_labels_from_name(const char *name, enum codec_labels *ret_labels);

/* What codec_classes_find allocates, and the text for h x w labels, except for the counts of
 * CODEC_LABELS_RLE: upper bounds that need no labels. Saturating. */
size_t codec_classes_table_bytes(const struct ppm_model_info *info);
size_t codec_classes_text_bytes(const struct ppm_model_info *info, size_t h, size_t w,
                                enum codec_labels shows);

struct codec_classes;

/* Finds the classes in a map of labels: int32 [1, 1, H, W] of the model. Labels, info and cancel
 * must outlive the result, which the caller frees. NULL with PPM_NO_MEMORY, PPM_CANCELLED, or
 * PPM_UNFIT for another tensor and for labels that are no classes of the model. Any thread. */
struct codec_classes *codec_classes_find(const struct ppm_tensor *labels,
                                         const struct ppm_model_info *info, enum codec_labels shows,
                                         const struct codec_cancel *cancel,
                                         struct ppm_error *error);
void codec_classes_free(struct codec_classes *classes);

/* An upper bound of its JSON, counts included. */
size_t codec_classes_bytes(const struct codec_classes *classes);

/* Writes the JSON into memory of that many bytes. PPM_CANCELLED; PPM_TOO_LARGE for a model's name
 * that is too long for codec_escape. */
enum ppm_status codec_classes_write(struct codec_classes *classes, char *memory, size_t *ret_bytes,
                                    struct ppm_error *error);

#endif

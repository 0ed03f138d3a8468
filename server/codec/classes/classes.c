/* classes.c - see classes.h. */
#include "server/codec/classes/classes.h"

#include "server/codec/classes/class_runs.h"
#include "server/codec/json/numbers.h"
#include "server/codec/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_BYTES = 128, /* of the text around the model's name and the classes */
    ROW_BYTES = 320,  /* of a class, besides its name and counts */
};

/* A class of the model, and its part of the map: rows [top, bottom), columns [left, right). */
struct class_area {
    size_t id, pixels;
    size_t top, bottom, left, right;
};

struct codec_classes {
    const int32_t *labels;
    size_t h, w;
    const struct ppm_model_info *info;
    enum codec_labels shows;
    const struct codec_cancel *cancel;
    struct class_runs *runs;   /* [info->classes], with CODEC_LABELS_RLE */
    size_t count;              /* classes that have pixels */
    struct class_area areas[]; /* [info->classes], the largest first, once all are found */
};

bool codec_labels_from_name(const char *name, enum codec_labels *ret_labels)
{
    static const char *const names[] = {"false", "true", "rle"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *ret_labels = (enum codec_labels)i;
            return true;
        }
    return false;
}

/* ---- bytes ---- */

static size_t plus_product(size_t sum, size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : size_plus(sum, product);
}

size_t codec_classes_table_bytes(const struct ppm_model_info *info)
{
    return plus_product(sizeof(struct codec_classes), info->classes,
                        sizeof(struct class_area) + sizeof(struct class_runs));
}

size_t codec_classes_text_bytes(const struct ppm_model_info *info, size_t h, size_t w,
                                enum codec_labels shows)
{
    enum { NAME_BYTES = CODEC_NAME_BYTES_MAX };
    size_t bytes = plus_product(HEAD_BYTES + NAME_BYTES, info->classes, ROW_BYTES);
    for (size_t i = 0; i < info->class_count; i++)
        bytes = size_plus(bytes, 6 * strlen(info->class_list[i].name));
    if (shows != CODEC_LABELS_ROWS)
        return bytes;
    size_t pixels, digits = 1;
    for (size_t label = info->classes - 1; label >= 10; label /= 10)
        digits++;
    bytes = plus_product(bytes + NUMBER_ROOM_BYTES, h, 2); /* a bracket, and a comma or bracket */
    return __builtin_mul_overflow(h, w, &pixels) ? SIZE_MAX
                                                 : plus_product(bytes, pixels, digits + 1);
}

size_t codec_classes_bytes(const struct codec_classes *classes)
{
    size_t bytes = codec_classes_text_bytes(classes->info, classes->h, classes->w, classes->shows);
    for (size_t i = 0; classes->runs && i < classes->info->classes; i++)
        bytes = size_plus(bytes, classes->runs[i].bytes);
    return bytes;
}

/* ---- the classes of a map ---- */

/* Adds the run of pixels [left, right) of a row. */
static void add_run(struct class_area *area, size_t row, size_t left, size_t right)
{
    if (area->pixels == 0)
        *area = (struct class_area){.id = area->id, .top = row, .left = left};
    area->pixels += right - left;
    area->bottom = row + 1;
    area->left = size_min(area->left, left);
    area->right = size_max(area->right, right);
}

static enum ppm_status add_row(struct codec_classes *classes, size_t row, struct ppm_error *error)
{
    const int32_t *labels = classes->labels + row * classes->w;
    for (size_t left = 0, right; left < classes->w; left = right) {
        const int32_t label = labels[left];
        if (label < 0 || (size_t)label >= classes->info->classes)
            return ppm_fail(error, PPM_UNFIT,
                            "found label %d in row %zu and column %zu, expected one of %zu classes",
                            (int)label, row, left, classes->info->classes);
        for (right = left + 1; right < classes->w && labels[right] == label;)
            right++;
        add_run(&classes->areas[label], row, left, right);
    }
    return PPM_OK;
}

static int compare(const void *a, const void *b)
{
    const struct class_area *one = a, *other = b;
    if (one->pixels != other->pixels)
        return one->pixels > other->pixels ? -1 : 1;
    return one->id < other->id ? -1 : 1;
}

static enum ppm_status find(struct codec_classes *classes, struct ppm_error *error)
{
    const size_t count = classes->info->classes;
    const size_t rows = 1 + CODEC_SLICE_NUMBERS / classes->w; /* between two looks */
    for (size_t i = 0; i < count; i++)
        classes->areas[i].id = i;
    for (size_t row = 0; row < classes->h; row++)
        if ((row % rows == 0 && codec_check(classes->cancel, error) != PPM_OK) ||
            add_row(classes, row, error) != PPM_OK)
            return error->status;
    for (size_t i = 0; i < count; i++)
        classes->count += classes->areas[i].pixels > 0 ? 1 : 0;
    qsort(classes->areas, count, sizeof *classes->areas, compare);
    return classes->runs ? class_runs_count(classes->labels, classes->h, classes->w, count,
                                            classes->cancel, classes->runs, error)
                         : PPM_OK;
}

static enum ppm_status check_map(const struct ppm_tensor *labels, const struct ppm_model_info *info,
                                 struct ppm_error *error)
{
    const struct ppm_shape s = labels->shape;
    if (labels->dtype == PPM_INT32 && s.n == 1 && s.c == 1 && info->classes > 0)
        return PPM_OK;
    return ppm_fail(error, PPM_UNFIT, "expected one map of labels, found %s of %zu x %zu channel%s",
                    ppm_dtype_name(labels->dtype), s.n, s.c, ppm_plural(s.c));
}

struct codec_classes *codec_classes_find(const struct ppm_tensor *labels,
                                         const struct ppm_model_info *info, enum codec_labels shows,
                                         const struct codec_cancel *cancel, struct ppm_error *error)
{
    if (check_map(labels, info, error) != PPM_OK)
        return NULL;
    struct codec_classes *classes = calloc(1, codec_classes_table_bytes(info));
    if (!classes) {
        ppm_fail(error, PPM_NO_MEMORY, "no memory for %zu classes", info->classes);
        return NULL;
    }
    classes->labels = labels->data;
    classes->h = labels->shape.h;
    classes->w = labels->shape.w;
    classes->info = info;
    classes->shows = shows;
    classes->cancel = cancel;
    if (shows == CODEC_LABELS_RLE)
        classes->runs = (struct class_runs *)(void *)(classes->areas + info->classes);
    if (find(classes, error) == PPM_OK)
        return classes;
    free(classes);
    return NULL;
}

void codec_classes_free(struct codec_classes *classes)
{
    free(classes);
}

/* ---- JSON ---- */

/* Of a class; its color and name as far as they are known. */
static enum ppm_status write_name(const struct ppm_model_info *info, size_t id, char **to,
                                  struct ppm_error *error)
{
    char name[CODEC_NAME_BYTES_MAX + 1];
    const bool has_name = id < info->class_count;
    const uint8_t *color = id < info->palette_count ? info->palette[id]
                           : has_name               ? info->class_list[id].color
                                                    : NULL;
    if (has_name && codec_escape(info->class_list[id].name, name, error) != PPM_OK)
        return error->status;
    *to += sprintf(*to, "{\"id\": %zu", id);
    if (has_name)
        *to += sprintf(*to, ", \"name\": \"%s\"", name);
    if (color)
        *to += sprintf(*to, ", \"color\": [%d, %d, %d]", color[0], color[1], color[2]);
    return PPM_OK;
}

/* Leaves room for the counts of its mask. */
static char *write_area(struct codec_classes *classes, const struct class_area *area, char *to)
{
    const double pixels = (double)classes->h * (double)classes->w;
    to += sprintf(to, ", \"pixels\": %zu, \"share\": ", area->pixels);
    to = number_write_float32((float)((double)area->pixels / pixels), to);
    to += sprintf(to, ", \"box\": [%zu, %zu, %zu, %zu]", area->left, area->top,
                  area->right - area->left, area->bottom - area->top);
    if (classes->runs) {
        struct class_runs *runs = &classes->runs[area->id];
        to += sprintf(to, ", \"segmentation\": {\"size\": [%zu, %zu], \"counts\": [", classes->h,
                      classes->w);
        runs->to = to;
        to += runs->bytes;
        *to++ = '}';
    }
    *to++ = '}';
    return to;
}

/* All counts; a bracket takes the place of the last comma. */
static enum ppm_status write_counts(const struct codec_classes *classes, struct ppm_error *error)
{
    if (class_runs_write(classes->labels, classes->h, classes->w, classes->info->classes,
                         classes->cancel, classes->runs, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < classes->count; i++)
        classes->runs[classes->areas[i].id].to[-1] = ']';
    return PPM_OK;
}

/* [0,0,1] */
static enum ppm_status write_row(const struct codec_classes *classes, size_t row, char **to,
                                 struct ppm_error *error)
{
    const int32_t *labels = classes->labels + row * classes->w;
    *(*to)++ = '[';
    for (size_t i = 0; i < classes->w; i++) {
        if ((row * classes->w + i) % CODEC_SLICE_NUMBERS == 0 &&
            codec_check(classes->cancel, error) != PPM_OK)
            return error->status;
        *to = number_write_int32(labels[i], *to);
        *(*to)++ = ',';
    }
    (*to)[-1] = ']';
    return PPM_OK;
}

/* , "labels": [[0,0,1],[0,1,1]] */
static enum ppm_status write_rows(const struct codec_classes *classes, char **to,
                                  struct ppm_error *error)
{
    *to += sprintf(*to, ", \"labels\": ");
    for (size_t row = 0; row < classes->h; row++) {
        *(*to)++ = row == 0 ? '[' : ',';
        if (write_row(classes, row, to, error) != PPM_OK)
            return error->status;
    }
    *(*to)++ = ']';
    return PPM_OK;
}

enum ppm_status codec_classes_write(struct codec_classes *classes, char *memory, size_t *ret_bytes,
                                    struct ppm_error *error)
{
    char name[CODEC_NAME_BYTES_MAX + 1], *to = memory;
    if (codec_escape(classes->info->name, name, error) != PPM_OK)
        return error->status;
    to += sprintf(to, "{\"model\": \"%s\", \"size\": [%zu, %zu], \"classes\": [", name, classes->h,
                  classes->w);
    for (size_t i = 0; i < classes->count; i++) {
        if (i > 0)
            to += sprintf(to, ", ");
        if (write_name(classes->info, classes->areas[i].id, &to, error) != PPM_OK)
            return error->status;
        to = write_area(classes, &classes->areas[i], to);
    }
    *to++ = ']';
    if ((classes->runs && write_counts(classes, error) != PPM_OK) ||
        (classes->shows == CODEC_LABELS_ROWS && write_rows(classes, &to, error) != PPM_OK))
        return error->status;
    *to++ = '}';
    *ret_bytes = (size_t)(to - memory);
    return PPM_OK;
}

/* weights.c - see weights.h. */
#include "core/model/weights.h"
#include "core/base/cancel.h"
#include "core/base/memory.h"
#include "core/model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weights_source {
    const struct weights_spec *spec;
    struct safetensors *file; /* NULL: random */
    const struct ppm_progress *progress;
};

/* Values read or checked between two questions whether to go on: milliseconds. */
enum { VALUES_BETWEEN_LOOKS = 1 << 18 };

enum { TENSOR_NAME_BYTES = 3 * NAME_BYTES };

/* A relative path is relative to the configuration that names it. */
static enum ppm_status resolve_weights_file(const char *config_path, struct weights_spec *weights,
                                            const char *file, struct ppm_error *error)
{
    const char *slash = strrchr(config_path, '/');
    int directory = file[0] == '/' || !slash ? 0 : (int)(slash - config_path) + 1;
    int length =
        snprintf(weights->file, sizeof weights->file, "%.*s%s", directory, config_path, file);
    if (length < 0 || (size_t)length >= sizeof weights->file)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: weights.file: the path is too long",
                        config_path);
    return PPM_OK;
}

enum ppm_status weights_configure(const json_t *root, const struct json_place *place,
                                  struct weights_spec *ret_spec, struct ppm_error *error)
{
    static const char *const keys[] = {"file", "prefix", "kernel_layout", "random", NULL};
    static const char *const kernel_layouts[] = {"OIHW", "HWIO", NULL};
    const json_t *weights = json_object_get(root, "weights");
    struct json_place member = json_member(place, "weights");
    char file[1024] = "";
    int kernel_layout = 0;
    size_t seed = 0;
    ret_spec->is_given = weights != NULL;
    if (!weights)
        return PPM_OK;
    if (!json_is_object(weights) ||
        !json_object_get(weights, "file") == !json_object_get(weights, "random"))
        return json_refuse(&member, weights, error,
                           "{\"file\": \"model.safetensors\"} or {\"random\": SEED}");
    if (json_check_keys(weights, &member, keys, error) != PPM_OK ||
        json_read_string(weights, &member, "file", file, sizeof file, error) != PPM_OK ||
        json_read_string(weights, &member, "prefix", ret_spec->prefix, sizeof ret_spec->prefix,
                         error) != PPM_OK ||
        json_read_choice(weights, &member, "kernel_layout", kernel_layouts, &kernel_layout,
                         error) != PPM_OK ||
        json_read_size(weights, &member, "random", 0, INT64_MAX, &seed, error) != PPM_OK)
        return error->status;
    struct json_place file_place = json_member(&member, "file");
    if (json_object_get(weights, "file") && !*file)
        return json_refuse(&file_place, json_object_get(weights, "file"), error,
                           "the name of a safetensors file");
    ret_spec->kernels_are_hwio = kernel_layout == 1;
    ret_spec->seed = seed;
    if (json_object_get(weights, "random"))
        return PPM_OK;
    return resolve_weights_file(place->file, ret_spec, file, error);
}

struct weights_source *weights_open(const struct weights_spec *spec,
                                    const struct ppm_progress *progress, struct ppm_error *error)
{
    struct weights_source *source = calloc(1, sizeof *source);
    if (!source) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    source->spec = spec;
    source->progress = progress;
    if (!*spec->file || (source->file = safetensors_open(spec->file, progress, error)))
        return source;
    free(source);
    return NULL;
}

void weights_close(struct weights_source *source)
{
    if (!source)
        return;
    safetensors_close(source->file);
    free(source);
}

static void full_name(const struct weights_source *source, const char *name, const char *suffix,
                      char *ret_name)
{
    snprintf(ret_name, TENSOR_NAME_BYTES, "%s%s%s", source->spec->prefix, name, suffix);
}

/* SplitMix64 (Steele, Lea, Flood 2014): a 64-bit state, and every seed is good. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The stream depends only on seed and name, so the order in which tensors are read does not change
 * a model. */
static enum ppm_status read_random(const struct weights_source *source, const char *name,
                                   struct weights_range range, float *ret, size_t count,
                                   struct ppm_error *error)
{
    uint64_t state = source->spec->seed;
    for (const char *c = name; *c; c++) {
        state ^= (unsigned char)*c;
        state = next_random(&state);
    }
    for (size_t i = 0; i < count; i++) {
        if (i % VALUES_BETWEEN_LOOKS == 0 && load_check(source->progress, error) != PPM_OK)
            break;
        double unit = (double)(next_random(&state) >> 11) * 0x1p-53;
        ret[i] = (float)(range.low + (range.high - range.low) * unit);
    }
    return error->status;
}

/* "[512, 2048, 1, 1]" */
static void write_shape(const size_t *shape, size_t rank, char *text, size_t bytes)
{
    size_t at = (size_t)snprintf(text, bytes, "[");
    for (size_t i = 0; i < rank && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%zu", i ? ", " : "", shape[i]);
    if (at < bytes)
        snprintf(text + at, bytes - at, "]");
}

/* The shape in the file: [O, I, H, W], or in its other kernel layout [H, W, I, O] */
static void stored_shape(const struct weights_source *source, const size_t *shape, size_t rank,
                         size_t *ret_shape)
{
    memcpy(ret_shape, shape, rank * sizeof *shape);
    if (rank != 4 || !source->spec->kernels_are_hwio)
        return;
    ret_shape[0] = shape[2], ret_shape[1] = shape[3];
    ret_shape[2] = shape[1], ret_shape[3] = shape[0];
}

static enum ppm_status refuse_missing(const struct weights_source *source, const char *name,
                                      const char *expected_shape, struct ppm_error *error)
{
    const struct safetensors_entry *first = safetensors_entry(source->file, 0);
    return ppm_fail(error, PPM_BAD_CONFIG,
                    "%s: tensor %.120s: found none of that name, expected one of shape %s (the "
                    "file's first is %.80s)",
                    source->spec->file, name, expected_shape, first ? first->name : "missing too");
}

/* Finds the tensor and checks its shape. NULL on error. */
static const struct safetensors_entry *find_entry(const struct weights_source *source,
                                                  const char *name, const size_t *shape,
                                                  size_t rank, struct ppm_error *error)
{
    char expected_text[96], found_text[96];
    size_t expected[4];
    const struct safetensors_entry *entry = safetensors_find(source->file, name);
    stored_shape(source, shape, rank, expected);
    write_shape(expected, rank, expected_text, sizeof expected_text);
    if (!entry) {
        refuse_missing(source, name, expected_text, error);
        return NULL;
    }
    if (entry->rank == rank && memcmp(entry->shape, expected, rank * sizeof *expected) == 0)
        return entry;
    write_shape(entry->shape, entry->rank, found_text, sizeof found_text);
    ppm_fail(error, PPM_BAD_CONFIG, "%s: tensor %.120s: found shape %s, expected %s%s",
             source->spec->file, name, found_text, expected_text,
             rank != 4                        ? ""
             : source->spec->kernels_are_hwio ? " (kernel_layout HWIO)"
                                              : " (kernel_layout OIHW)");
    return NULL;
}

/* ret[o][i][y][x] = stored[y][x][i][o] */
static enum ppm_status permute_hwio(const struct weights_source *source, const float *stored,
                                    const size_t *shape, float *ret, struct ppm_error *error)
{
    const size_t out = shape[0], in = shape[1], taps = shape[2] * shape[3];
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t i = 0; i < in; i++) {
            if (load_check(source->progress, error) != PPM_OK)
                return error->status;
            for (size_t o = 0; o < out; o++)
                ret[(o * in + i) * taps + tap] = stored[(tap * in + i) * out + o];
        }
    return PPM_OK;
}

static enum ppm_status read_from_file(struct weights_source *source, const char *name,
                                      const size_t *shape, size_t rank, size_t count, float *ret,
                                      struct ppm_error *error)
{
    const struct safetensors_entry *entry = find_entry(source, name, shape, rank, error);
    if (!entry)
        return error->status;
    if (rank != 4 || !source->spec->kernels_are_hwio)
        return safetensors_read(source->file, entry, ret, error);
    float *stored = core_allocate(count * sizeof *stored, error);
    if (stored && safetensors_read(source->file, entry, stored, error) == PPM_OK)
        permute_hwio(source, stored, shape, ret, error);
    free(stored);
    return error->status;
}

enum ppm_status weights_read(struct weights_source *source, const char *name, const char *suffix,
                             const size_t *shape, size_t rank, struct weights_range range,
                             float *ret, struct ppm_error *error)
{
    char tensor_name[TENSOR_NAME_BYTES];
    size_t count = 1;
    for (size_t axis = 0; axis < rank; axis++)
        count *= shape[axis];
    full_name(source, name, suffix, tensor_name);
    if (!source->file)
        return read_random(source, tensor_name, range, ret, count, error);
    if (read_from_file(source, tensor_name, shape, rank, count, ret, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < count; i++) {
        if (i % VALUES_BETWEEN_LOOKS == 0 && load_check(source->progress, error) != PPM_OK)
            return error->status;
        if (!isfinite(ret[i]))
            return ppm_fail(error, PPM_BAD_CONFIG,
                            "%s: tensor %.120s: found %g at element %zu, expected finite values",
                            source->spec->file, tensor_name, (double)ret[i], i);
    }
    return PPM_OK;
}

bool weights_has(struct weights_source *source, const char *name, const char *suffix, size_t count)
{
    char tensor_name[TENSOR_NAME_BYTES];
    full_name(source, name, suffix, tensor_name);
    const struct safetensors_entry *entry =
        source->file ? safetensors_find(source->file, tensor_name) : NULL;
    return !source->file || (entry && entry->rank == 1 && entry->shape[0] == count);
}

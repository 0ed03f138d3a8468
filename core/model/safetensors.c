/* safetensors.c - see safetensors.h. */
#include "core/model/safetensors.h"
#include "core/base/cancel.h"
#include "core/base/kernels.h"
#include "core/base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The format allows 100 MB. A parsed header takes up to 75 times the memory of its text, and 16 MiB
 * describe over 100,000 tensors. */
enum { HEADER_BYTES_MAX = 16 << 20, LENGTH_BYTES = 8, BEGINNING_BYTES = 64 };

enum { PIECE_BYTES = 4 << 20 }; /* read between two questions whether to go on */

struct safetensors {
    char *path;
    int descriptor;
    const struct ppm_progress *progress;
    uint64_t data_offset; /* of the tensors' bytes in the file */
    uint64_t data_bytes;
    json_t *header;                    /* owns the names */
    struct safetensors_entry *entries; /* by offset */
    size_t count;
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
              {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
              {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};

static size_t dtype_bytes(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].bytes;
    return 0;
}

static enum ppm_status read_exactly(const struct safetensors *file, uint64_t offset, void *ret,
                                    size_t bytes, struct ppm_error *error)
{
    for (size_t done = 0; done < bytes;) {
        const size_t piece = size_min(bytes - done, PIECE_BYTES);
        if (load_check(file->progress, error) != PPM_OK)
            return error->status;
        ssize_t got = pread(file->descriptor, (char *)ret + done, piece, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ppm_fail(error, PPM_IO, "%s: cannot read it: %s", file->path, strerror(errno));
        if (got == 0)
            return ppm_fail(error, PPM_BAD_CONFIG, "%s: ends at byte %llu, inside a tensor",
                            file->path, (unsigned long long)(offset + done));
        done += (size_t)got;
    }
    return PPM_OK;
}

/* An integer of at least 0, or false. */
static bool read_whole(const json_t *value, uint64_t *ret)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static enum ppm_status refuse_entry(const struct safetensors *file, const char *name,
                                    const char *what, struct ppm_error *error)
{
    return ppm_fail(error, PPM_BAD_CONFIG, "%s: tensor %.80s: %s", file->path, name, what);
}

static enum ppm_status parse_entry(const struct safetensors *file, const char *name,
                                   const json_t *value, struct safetensors_entry *ret_entry,
                                   struct ppm_error *error)
{
    const json_t *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    struct safetensors_entry entry = {.name = name, .rank = json_array_size(shape)};
    entry.dtype = json_string_value(json_object_get(value, "dtype"));
    if (!entry.dtype || !json_is_array(shape) || json_array_size(offsets) != 2 ||
        !read_whole(json_array_get(offsets, 0), &entry.begin) ||
        !read_whole(json_array_get(offsets, 1), &entry.end))
        return refuse_entry(file, name, "expected a dtype, a shape and two data_offsets", error);
    if (entry.rank > SAFETENSORS_RANK_MAX)
        return refuse_entry(file, name, "expected at most 8 dimensions", error);

    uint64_t bytes = dtype_bytes(entry.dtype);
    bool is_known = bytes > 0, overflows = false;
    for (size_t axis = 0; axis < entry.rank; axis++) {
        uint64_t extent;
        if (!read_whole(json_array_get(shape, axis), &extent))
            return refuse_entry(file, name, "expected a shape of integers", error);
        entry.shape[axis] = extent;
        overflows = overflows || __builtin_mul_overflow(bytes, extent, &bytes);
    }
    if (entry.begin > entry.end || entry.end > file->data_bytes)
        return refuse_entry(file, name, "its data_offsets lie outside the file", error);
    if (is_known && (overflows || bytes != entry.end - entry.begin))
        return refuse_entry(file, name, "its data_offsets do not span what dtype and shape say",
                            error);
    *ret_entry = entry;
    return PPM_OK;
}

static int by_offset(const void *left, const void *right)
{
    const struct safetensors_entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

static enum ppm_status parse_entries(struct safetensors *file, struct ppm_error *error)
{
    const char *name;
    json_t *value;
    file->entries = calloc(json_object_size(file->header) + 1, sizeof *file->entries);
    if (!file->entries)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file->path);
    json_object_foreach(file->header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (parse_entry(file, name, value, &file->entries[file->count], error) != PPM_OK)
            return error->status;
        file->count++;
    }
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    uint64_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (file->entries[i].begin != end)
            return refuse_entry(file, file->entries[i].name,
                                "its bytes do not begin where those of the tensor before it end",
                                error);
        end = file->entries[i].end;
    }
    if (end != file->data_bytes)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found %llu bytes of tensors, expected the %llu of its header",
                        file->path, (unsigned long long)file->data_bytes, (unsigned long long)end);
    return PPM_OK;
}

/* Reads the header's JSON, after checking its length against the file's. */
static enum ppm_status read_header(struct safetensors *file, uint64_t file_bytes,
                                   struct ppm_error *error)
{
    unsigned char raw[BEGINNING_BYTES] = {0};
    uint64_t length = 0;
    json_error_t cause;
    const size_t raw_bytes = file_bytes < sizeof raw ? (size_t)file_bytes : sizeof raw;
    if (read_exactly(file, 0, raw, raw_bytes, error) != PPM_OK)
        return error->status;
    const char *kind = ppm_looks_like(raw, raw_bytes);
    if (kind && (raw[LENGTH_BYTES - 1] != 0 || raw[LENGTH_BYTES] != '{'))
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found %s, expected a safetensors file",
                        file->path, kind);
    if (file_bytes < LENGTH_BYTES)
        return ppm_fail(error, PPM_BAD_CONFIG, "%s: found %llu bytes, expected a safetensors file",
                        file->path, (unsigned long long)file_bytes);
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        length = length << 8 | raw[i];
    if (length > file_bytes - LENGTH_BYTES || length > HEADER_BYTES_MAX)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: found a header of %llu bytes in a file of %llu, expected a "
                        "safetensors file with a header of at most %d",
                        file->path, (unsigned long long)length, (unsigned long long)file_bytes,
                        HEADER_BYTES_MAX);
    file->data_offset = LENGTH_BYTES + length;
    file->data_bytes = file_bytes - file->data_offset;

    char *text = core_allocate(length + 1, error);
    if (text && read_exactly(file, LENGTH_BYTES, text, length, error) == PPM_OK) {
        file->header = ppm_json_load(text, length, &cause);
        if (!file->header && json_error_code(&cause) == json_error_out_of_memory)
            ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file->path);
        else if (!json_is_object(file->header))
            ppm_fail(error, PPM_BAD_CONFIG, "%s: the header is not a JSON object: %s", file->path,
                     file->header ? "found an array" : cause.text);
    }
    free(text);
    return error->status;
}

struct safetensors *safetensors_open(const char *path, const struct ppm_progress *progress,
                                     struct ppm_error *error)
{
    size_t bytes;
    struct safetensors *file = calloc(1, sizeof *file);
    if (!file || !(file->path = strdup(path))) {
        ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
        free(file);
        return NULL;
    }
    file->progress = progress;
    file->descriptor = ppm_open_file(path, &bytes, error);
    if (file->descriptor >= 0 && read_header(file, bytes, error) == PPM_OK)
        parse_entries(file, error);
    if (error->status == PPM_OK)
        return file;
    safetensors_close(file);
    return NULL;
}

void safetensors_close(struct safetensors *file)
{
    if (!file)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    json_decref(file->header);
    free(file->entries);
    free(file->path);
    free(file);
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return &file->entries[i];
    return NULL;
}

const struct safetensors_entry *safetensors_entry(const struct safetensors *file, size_t index)
{
    return index < file->count ? &file->entries[index] : NULL;
}

enum ppm_status safetensors_read(struct safetensors *file, const struct safetensors_entry *entry,
                                 float *ret, struct ppm_error *error)
{
    size_t bytes = (size_t)(entry->end - entry->begin);
    uint64_t offset = file->data_offset + entry->begin;
    if (strcmp(entry->dtype, "F32") == 0)
        return read_exactly(file, offset, ret, bytes, error);
    bool is_float16 = strcmp(entry->dtype, "F16") == 0;
    if (!is_float16 && strcmp(entry->dtype, "BF16") != 0)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: tensor %.80s: found dtype %.16s, expected F32, F16 or BF16",
                        file->path, entry->name, entry->dtype);
    uint16_t *half = core_allocate(bytes, error);
    if (half && read_exactly(file, offset, half, bytes, error) == PPM_OK)
        (is_float16 ? core_simd()->float16_to_float32
                    : core_simd()->bfloat16_to_float32)(half, ret, bytes / sizeof *half);
    free(half);
    return error->status;
}

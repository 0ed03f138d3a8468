/* fuzz_safetensors.c - weights files: their tensors are inside the file, in order and without gaps.
 */
#include "core/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The value that begins at these bytes. */
static float value_at(const uint8_t *at, const char *dtype)
{
    uint32_t bits;
    float value;
    if (strcmp(dtype, "F16") == 0)
        return fuzz_half_value((uint16_t)(at[0] | at[1] << 8));
    if (strcmp(dtype, "BF16") == 0)
        bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 24;
    else
        memcpy(&bits, at, sizeof bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void check_values(struct safetensors *file, const struct safetensors_entry *entry,
                         const uint8_t *bytes)
{
    const size_t element_bytes = strcmp(entry->dtype, "F32") == 0 ? 4 : 2;
    const size_t count = (size_t)(entry->end - entry->begin) / element_bytes;
    struct ppm_error error = {0};
    float *values = malloc(count * sizeof *values + 1);
    FUZZ_CHECK(values, "out of memory");
    const enum ppm_status status = safetensors_read(file, entry, values, &error);
    const bool is_float = strcmp(entry->dtype, "F32") == 0 || strcmp(entry->dtype, "F16") == 0 ||
                          strcmp(entry->dtype, "BF16") == 0;
    FUZZ_CHECK((status == PPM_OK) == is_float, "%s: %s", entry->dtype, error.text);
    size_t product = 1;
    for (size_t axis = 0; axis < entry->rank; axis++)
        product *= entry->shape[axis];
    FUZZ_CHECK(!is_float || product == count, "%zu elements in the space of %zu", product, count);
    for (size_t i = 0; i < count && is_float; i++) {
        const float expected = value_at(bytes + i * element_bytes, entry->dtype);
        FUZZ_CHECK(values[i] == expected || (isnan(values[i]) && isnan(expected)),
                   "element %zu: found %g, expected %g", i, (double)values[i], (double)expected);
    }
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ppm_error error = {0};
    struct safetensors *file = safetensors_open(fuzz_file(data, size), NULL, &error);
    if (!file) {
        fuzz_check_error(&error);
        return 0;
    }
    uint64_t header_bytes, end = 0;
    memcpy(&header_bytes, data, sizeof header_bytes);
    const uint8_t *tensors = data + sizeof header_bytes + header_bytes;
    const struct safetensors_entry *entry;
    for (size_t i = 0; (entry = safetensors_entry(file, i)); i++) {
        FUZZ_CHECK(entry->begin == end && entry->end >= end, "%s: begins at %llu, not %llu",
                   entry->name, (unsigned long long)entry->begin, (unsigned long long)end);
        FUZZ_CHECK(entry->end <= size - sizeof header_bytes - header_bytes, "beyond the file");
        FUZZ_CHECK(safetensors_find(file, entry->name) == entry, "%s: not found", entry->name);
        check_values(file, entry, tensors + entry->begin);
        end = entry->end;
    }
    FUZZ_CHECK(end == size - sizeof header_bytes - header_bytes, "bytes after the last tensor");
    safetensors_close(file);
    return 0;
}

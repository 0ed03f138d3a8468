/* support.c - see support.h. */
#include "tests/support.h"

#include "server/codec/npy/npy.h"
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------------
 */

enum { PATH_BYTES = 256, PATHS = 8 };

static char folder[PATH_BYTES / 2];

void support_open_folder(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.80s/ppm-tests-XXXXXX", parent && *parent ? parent : "/tmp");
    cr_assert(mkdtemp(folder) != NULL, "%s", folder);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void support_close_folder(void)
{
    if (*folder)
        nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    *folder = '\0';
}

const char *support_path(const char *name)
{
    static char paths[PATHS][PATH_BYTES];
    static size_t calls;
    char *path = paths[calls++ % PATHS];
    cr_assert(*folder != '\0', "the suite lacks support_open_folder");
    cr_assert(snprintf(path, PATH_BYTES, "%s/%s", folder, name) < PATH_BYTES, "%s", name);
    return path;
}

const char *support_write(const char *name, const void *bytes, size_t size)
{
    const char *path = support_path(name);
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL, "%s", path);
    cr_assert(fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "%s", path);
    return path;
}

/* A copy with " for '; the caller frees it. */
static char *quoted(const char *json)
{
    char *text = strdup(json);
    cr_assert(text != NULL);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return text;
}

const char *support_write_json(const char *name, const char *json)
{
    char *text = quoted(json);
    const char *path = support_write(name, text, strlen(text));
    free(text);
    return path;
}

char *support_read(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL, "%s", path);
    cr_assert(fseek(file, 0, SEEK_END) == 0, "%s", path);
    const long size = ftell(file);
    cr_assert(size >= 0, "%s", path);
    rewind(file);
    char *bytes = malloc((size_t)size + 1);
    cr_assert(bytes != NULL);
    cr_assert(fread(bytes, 1, (size_t)size, file) == (size_t)size, "%s", path);
    fclose(file);
    bytes[size] = '\0';
    *ret_size = (size_t)size;
    return bytes;
}

/* ---- weights and models -----------------------------------------------------------------------
 */

static size_t bytes_of(const struct support_weights *tensor)
{
    const char *bits = strpbrk(tensor->dtype, "123468");
    size_t bytes = (size_t)strtoul(bits ? bits : "8", NULL, 10) / 8;
    for (size_t axis = 0; tensor->shape[axis]; axis++)
        bytes *= tensor->shape[axis];
    return bytes;
}

/* length, header, data; data may be NULL: zeros */
static const char *write_parts(const char *name, const char *header, const void *data,
                               size_t data_bytes)
{
    const uint64_t length = strlen(header);
    const size_t size = sizeof length + length + data_bytes;
    char *bytes = calloc(1, size);
    cr_assert(bytes != NULL);
    for (size_t i = 0; i < sizeof length; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + sizeof length, header, length);
    if (data)
        memcpy(bytes + sizeof length + length, data, data_bytes);
    const char *path = support_write(name, bytes, size);
    free(bytes);
    return path;
}

const char *support_write_safetensors(const char *name, const struct support_weights *tensors,
                                      size_t count)
{
    size_t header_bytes, data_bytes = 0;
    char *header = NULL;
    FILE *text = open_memstream(&header, &header_bytes);
    cr_assert(text != NULL);
    fputc('{', text);
    for (size_t i = 0; i < count; i++) {
        const size_t end = data_bytes + bytes_of(&tensors[i]);
        fprintf(text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", tensors[i].name,
                tensors[i].dtype);
        for (size_t axis = 0; tensors[i].shape[axis]; axis++)
            fprintf(text, "%s%zu", axis ? "," : "", tensors[i].shape[axis]);
        fprintf(text, "],\"data_offsets\":[%zu,%zu]}", data_bytes, end);
        data_bytes = end;
    }
    fputc('}', text);
    fclose(text);

    char *data = calloc(1, data_bytes + 1), *at = data;
    cr_assert(data != NULL);
    for (size_t i = 0; i < count; at += bytes_of(&tensors[i++]))
        if (tensors[i].values)
            memcpy(at, tensors[i].values, bytes_of(&tensors[i]));
    const char *path = write_parts(name, header, data, data_bytes);
    free(data);
    free(header);
    return path;
}

const char *support_write_header(const char *name, const char *header, size_t data_bytes)
{
    char *text = quoted(header);
    const char *path = write_parts(name, text, NULL, data_bytes);
    free(text);
    return path;
}

struct ppm_model *support_load(const char *json, struct ppm_error *error)
{
    return ppm_model_load(support_write_json("model.json", json), NULL, error);
}

struct ppm_model *support_load_ok(const char *json)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load(json, &error);
    cr_assert(model != NULL, "%s: %s", json, error.text);
    cr_assert(error.status == PPM_OK, "%s: %s", json, error.text);
    return model;
}

/* ---- tensors ----------------------------------------------------------------------------------
 */

struct ppm_tensor support_tensor(struct ppm_shape shape, enum ppm_layout layout,
                                 const float *values)
{
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {.shape = shape, .layout = layout, .is_batch = true};
    cr_assert(ppm_tensor_allocate(&tensor, &error) == PPM_OK, "%s", error.text);
    if (values)
        memcpy(tensor.data, values, support_elements(&tensor) * sizeof *values);
    else
        support_random(tensor.data, support_elements(&tensor), 1);
    return tensor;
}

/* Writes the shape of a .npy header: "(1, 2, 5, 7)". Returns the channels. */
static size_t channels_of(const char *header, enum ppm_layout layout)
{
    size_t axes[4] = {0}, count = 0;
    const char *at = strchr(header, '(');
    for (char *end; at && count < 4 && *at != ')'; at = end + strspn(end, ", ")) {
        axes[count++] = strtoul(at + (*at == '('), &end, 10);
    }
    return count < 3 ? 0 : layout == PPM_NHWC ? axes[count - 1] : axes[count - 3];
}

/* The codec reads floats, so an int32 file is read as float32 with the same bits. */
struct ppm_tensor support_load_npy(const char *path, enum ppm_layout layout)
{
    size_t size;
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    char *bytes = support_read(path, &size);
    cr_assert(size > 10, "%s", path);
    char *header = bytes + 10, *descr = strstr(header, "<i4");
    if (descr)
        descr[1] = 'f';
    const struct codec_expectation expectation = {
        .layout = layout, .channels = channels_of(header, layout), .model = "test"};
    cr_assert(codec_decode(&codec_npy, bytes, size, &expectation, &tensor, &error) == PPM_OK,
              "%s: %s", path, error.text);
    if (descr)
        tensor.dtype = PPM_INT32;
    free(bytes);
    return tensor;
}

struct ppm_tensor support_other_layout(const struct ppm_tensor *tensor)
{
    const struct ppm_shape s = tensor->shape;
    const bool is_nchw = tensor->layout == PPM_NCHW;
    const size_t rows = is_nchw ? s.c : s.h * s.w, columns = is_nchw ? s.h * s.w : s.c;
    struct ppm_tensor other = support_tensor(s, is_nchw ? PPM_NHWC : PPM_NCHW, NULL);
    const uint32_t *from = tensor->data;
    uint32_t *to = other.data;
    for (size_t i = 0; i < s.n * rows * columns; i++) {
        const size_t n = i / (rows * columns), row = i / columns % rows, column = i % columns;
        to[(n * columns + column) * rows + row] = from[i];
    }
    other.dtype = tensor->dtype;
    other.is_batch = tensor->is_batch;
    return other;
}

size_t support_elements(const struct ppm_tensor *tensor)
{
    return tensor->shape.n * tensor->shape.c * tensor->shape.h * tensor->shape.w;
}

static bool is_alike(const struct ppm_tensor *a, const struct ppm_tensor *b)
{
    return a->data && b->data && a->dtype == b->dtype && a->layout == b->layout &&
           a->is_batch == b->is_batch && memcmp(&a->shape, &b->shape, sizeof a->shape) == 0;
}

bool support_is_same(const struct ppm_tensor *a, const struct ppm_tensor *b)
{
    return is_alike(a, b) && memcmp(a->data, b->data, support_elements(a) * sizeof(uint32_t)) == 0;
}

double support_difference(const struct ppm_tensor *found, const struct ppm_tensor *expected)
{
    double largest = 0, worst = 0;
    const size_t count = support_elements(expected);
    if (!is_alike(found, expected))
        return INFINITY;
    if (found->dtype == PPM_INT32) {
        const int32_t *a = found->data, *b = expected->data;
        for (size_t i = 0; i < count; i++)
            worst += a[i] != b[i];
        return worst / (double)count;
    }
    const float *a = found->data, *b = expected->data;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)a[i] - (double)b[i]);
        if (isnan(difference))
            return INFINITY;
        worst = fmax(worst, difference);
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst == 0 ? 0 : worst / largest;
}

void support_random(float *ret, size_t count, uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        ret[i] = (float)(state >> 40) * 0x1p-22F - 2;
    }
}

/* ---- halves ---- */

static double magnitude_of(int half, int fraction_bits)
{
    const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
    const int fraction = half & ((1 << fraction_bits) - 1);
    const int exponent = half >> fraction_bits & ((1 << exponent_bits) - 1);
    return exponent == 0 ? ldexp(fraction, 1 - bias - fraction_bits)
                         : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

float support_half_value(uint16_t half, int fraction_bits)
{
    const int infinity = 0x8000 - (1 << fraction_bits), magnitude = half & 0x7fff;
    double value = magnitude_of(magnitude, fraction_bits);
    if (magnitude >= infinity)
        value = magnitude > infinity ? (double)NAN : (double)INFINITY;
    return (float)(half & 0x8000 ? -value : value);
}

/* Infinity has the value of the next power of two here. */
uint16_t support_nearest_half(float value, int fraction_bits)
{
    const double wanted = fabs((double)value);
    int below = 0, above = 0x8000 - (1 << fraction_bits);
    while (above - below > 1) {
        const int middle = (below + above) / 2;
        if (magnitude_of(middle, fraction_bits) <= wanted)
            below = middle;
        else
            above = middle;
    }
    const double twice_too_large =
        2 * wanted - magnitude_of(below, fraction_bits) - magnitude_of(above, fraction_bits);
    const bool is_above = twice_too_large > 0 || (twice_too_large == 0 && below % 2 == 1);
    return (uint16_t)((is_above ? above : below) | (signbit(value) ? 0x8000 : 0));
}

/* ---- leaks ---- */

#if defined(__SANITIZE_ADDRESS__)

/* Criterion's main process leaks a timer if two tests with a .timeout run at once. Tests run in
 * separate processes, in which leaks are checked. */
static bool is_criterion;

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    is_criterion = true;
}

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_criterion;
}

#endif

/* fuzz_v2.c - requests of the Open Inference Protocol v2: reading one, a request rewritten from
 * it, and jansson's tree of it give the same; the pieces do not matter. */
#include "server/codec/json/json_reader.h"
#include "server/codec/v2/v2.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1 << 14 };

static const char *const datatypes[] = {"FP32", "FP16", "BF16"};

/* Reads json completely, including x's numbers, fed in pieces of the given size; 0: at once. */
static enum ppm_status read_whole(const char *json, size_t bytes, size_t piece, size_t binary_bytes,
                                  struct v2_request *ret_request, struct ppm_tensor *ret_x,
                                  struct ppm_error *error)
{
    const struct codec_reader_options options = {.list = "inputs", .body_bytes_max = bytes};
    struct codec_reader *reader = codec_json_create(&options);
    json_t *around = NULL;
    for (size_t at = piece; piece > 0 && at <= bytes; at += piece)
        codec_json_feed(reader, json, at);
    if (codec_json_around(reader, json, bytes, &around, error) == PPM_OK)
        v2_read_request(around, binary_bytes, ret_request, error);
    if (error->status == PPM_OK && ret_request->x.place == V2_IN_JSON)
        codec_json_tensor(reader, json, ret_request->axes, ret_request->axis_count, PPM_NCHW, ret_x,
                          error);
    if (error->status == PPM_OK && ret_request->x.place == V2_IN_JSON)
        FUZZ_CHECK(ret_x->data != NULL, "%.*s: no numbers", (int)bytes, json);
    json_decref(around);
    codec_json_free(reader);
    return error->status;
}

static void add_region(json_t *parameters, const struct v2_tensor *tensor)
{
    json_object_set_new(parameters, "shared_memory_region", json_string(tensor->region));
    json_object_set_new(parameters, "shared_memory_offset",
                        json_integer((json_int_t)tensor->offset));
    json_object_set_new(parameters, "shared_memory_byte_size",
                        json_integer((json_int_t)tensor->bytes));
}

/* A request that says the same, but for numbers. */
static char *write_again(const struct v2_request *said)
{
    json_t *shape = json_array(), *x = json_object(), *y = json_object();
    for (size_t i = 0; i < said->axis_count; i++)
        json_array_append_new(shape, json_integer((json_int_t)said->axes[i]));
    if (said->x.place == V2_IN_BODY)
        json_object_set_new(x, "binary_data_size", json_integer((json_int_t)said->x.bytes));
    if (said->x.place == V2_IN_REGION)
        add_region(x, &said->x);
    json_object_set_new(y, "binary_data", json_boolean(said->y.place == V2_IN_BODY));
    if (said->y.place == V2_IN_REGION)
        add_region(y, &said->y);
    json_t *root =
        json_pack("{s:[{s:s, s:o, s:s, s:o, s:o*}], s:[{s:s, s:o}], s:{s:I}, s:s*}", "inputs",
                  "name", "x", "parameters", x, "datatype", datatypes[said->dtype], "shape", shape,
                  "data", said->x.place == V2_IN_JSON ? json_null() : NULL, "outputs", "name", "y",
                  "parameters", y, "parameters", "timeout", (json_int_t)said->timeout_us, "id",
                  said->has_id ? said->id : NULL);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool is_same_place(const struct v2_tensor *a, const struct v2_tensor *b, bool is_input)
{
    return a->place == b->place && (a->place != V2_IN_BODY || !is_input || a->bytes == b->bytes) &&
           (a->place != V2_IN_REGION ||
            (a->bytes == b->bytes && a->offset == b->offset && strcmp(a->region, b->region) == 0));
}

static bool is_same(const struct v2_request *a, const struct v2_request *b)
{
    return a->has_id == b->has_id && strcmp(a->id, b->id) == 0 && a->axis_count == b->axis_count &&
           memcmp(a->axes, b->axes, a->axis_count * sizeof *a->axes) == 0 && a->dtype == b->dtype &&
           a->timeout_us == b->timeout_us && is_same_place(&a->x, &b->x, true) &&
           is_same_place(&a->y, &b->y, false);
}

static void check_written_again(const struct v2_request *said, size_t binary_bytes)
{
    struct ppm_error error = {0};
    struct v2_request again = {0};
    char *text = write_again(said);
    json_t *root = json_loads(text, 0, NULL);
    v2_read_request(root, binary_bytes, &again, &error);
    FUZZ_CHECK(error.status == PPM_OK, "%s: %s", text, error.text);
    FUZZ_CHECK(is_same(said, &again), "%s says something else", text);
    json_decref(root);
    free(text);
}

static void check_answer(const struct v2_request *said)
{
    char head[V2_HEAD_BYTES_MAX];
    size_t bytes = 0;
    struct ppm_error error = {0};
    const struct ppm_tensor y = {.shape = {1, 2, 3, 4}, .is_batch = said->axis_count == 4};
    FUZZ_CHECK(v2_write_head(said, "model", &y, 96, head, &bytes, &error) == PPM_OK, "%s",
               error.text);
    char text[V2_HEAD_BYTES_MAX + 16];
    memcpy(text, head, bytes);
    memcpy(text + bytes, V2_NUMBERS_END, sizeof V2_NUMBERS_END);
    if (said->y.place != V2_IN_JSON)
        text[bytes] = '\0';
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *id = json_object_get(root, "id");
    FUZZ_CHECK(root != NULL, "%s", text);
    FUZZ_CHECK((id != NULL) == said->has_id &&
                   (!id || strcmp(json_string_value(id), said->id) == 0),
               "%s", text);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BODY_BYTES_MAX)
        return 0;
    const size_t binary_bytes = data[0], piece = 1 + data[1] % 16;
    const char *json = (const char *)data + 2;
    struct v2_request said = {0}, in_pieces = {0};
    struct ppm_tensor x = {0}, x_in_pieces = {0};
    struct ppm_error error = {0}, error_in_pieces = {0};
    read_whole(json, size - 2, 0, binary_bytes, &said, &x, &error);
    read_whole(json, size - 2, piece, binary_bytes, &in_pieces, &x_in_pieces, &error_in_pieces);
    FUZZ_CHECK(error.status == error_in_pieces.status &&
                   strcmp(error.text, error_in_pieces.text) == 0,
               "\"%s\", in pieces \"%s\"", error.text, error_in_pieces.text);
    if (error.status == PPM_OK) {
        const size_t bytes = 4 * x.shape.n * x.shape.c * x.shape.h * x.shape.w;
        FUZZ_CHECK(is_same(&said, &in_pieces), "in pieces it says something else");
        FUZZ_CHECK(bytes == 0 || memcmp(x.data, x_in_pieces.data, bytes) == 0,
                   "in pieces it has other numbers");
        check_written_again(&said, binary_bytes);
        check_answer(&said);
    } else {
        fuzz_check_error(&error);
    }
    ppm_tensor_free(&x);
    ppm_tensor_free(&x_in_pieces);
    return 0;
}

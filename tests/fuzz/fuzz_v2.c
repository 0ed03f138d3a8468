/* fuzz_v2.c - requests of the Open Inference Protocol v2, of one input or two: reading one, a
 * request rewritten from it, and jansson's tree of it give the same; the pieces do not matter. */
#include "server/codec/json/json_reader.h"
#include "server/codec/v2/v2.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1 << 14, INPUTS_MAX = 2 };

static const struct ppm_input_info inputs[INPUTS_MAX] = {{"x", 1}, {"c5", 1}};
static size_t input_count;

static const char *const datatypes[] = {"FP32", "FP16", "BF16"};

/* Reads json completely, including the numbers, fed in pieces of the given size; 0: at once. */
static enum ppm_status read_whole(const char *json, size_t bytes, size_t piece, size_t binary_bytes,
                                  struct v2_request *ret_request,
                                  struct ppm_tensor ret_tensors[INPUTS_MAX],
                                  struct ppm_error *error)
{
    const struct codec_reader_options options = {.list = "inputs",
                                                 .data_max = input_count,
                                                 .takes_text = input_count == 1,
                                                 .body_bytes_max = bytes};
    struct codec_reader *reader = codec_json_create(&options);
    json_t *around = NULL;
    for (size_t at = piece; piece > 0 && at <= bytes; at += piece)
        codec_json_feed(reader, json, at);
    if (codec_json_around(reader, json, bytes, &around, error) == PPM_OK)
        v2_read_request(around, inputs, input_count, codec_json_data_count(reader), binary_bytes,
                        ret_request, error);
    for (size_t i = 0; i < input_count && error->status == PPM_OK; i++) {
        const struct v2_input *input = &ret_request->inputs[i];
        if (input->tensor.place != V2_IN_JSON || input->is_image)
            continue;
        FUZZ_CHECK(input->data < codec_json_data_count(reader), "%.*s: no numbers", (int)bytes,
                   json);
        codec_json_tensor(reader, input->data, json, input->axes, input->axis_count, PPM_NCHW,
                          &ret_tensors[i], error);
    }
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

static json_t *input_again(const struct v2_input *input, const char *name)
{
    json_t *shape = json_array(), *parameters = json_object();
    for (size_t i = 0; i < input->axis_count; i++)
        json_array_append_new(shape, json_integer((json_int_t)input->axes[i]));
    if (input->tensor.place == V2_IN_BODY)
        json_object_set_new(parameters, "binary_data_size",
                            json_integer((json_int_t)input->tensor.bytes));
    if (input->tensor.place == V2_IN_REGION)
        add_region(parameters, &input->tensor);
    return json_pack("{s:s, s:o, s:s, s:o, s:o*}", "name", name, "parameters", parameters,
                     "datatype", input->is_image ? "BYTES" : datatypes[input->dtype], "shape",
                     shape, "data", input->tensor.place == V2_IN_JSON ? json_null() : NULL);
}

/* A request that says the same, but for numbers. */
static char *write_again(const struct v2_request *said)
{
    json_t *list = json_array(), *y = json_object();
    for (size_t index = 0; index < input_count; index++)
        for (size_t i = 0; i < input_count; i++)
            if (said->inputs[i].index == index)
                json_array_append_new(list, input_again(&said->inputs[i], inputs[i].name));
    json_object_set_new(y, "binary_data", json_boolean(said->y.place == V2_IN_BODY));
    if (said->y.place == V2_IN_REGION)
        add_region(y, &said->y);
    json_t *root =
        json_pack("{s:o, s:[{s:s, s:o}], s:{s:I, s:I}, s:s*}", "inputs", list, "outputs", "name",
                  "y", "parameters", y, "parameters", "timeout", (json_int_t)said->timeout_us,
                  "priority", (json_int_t)said->priority, "id", said->has_id ? said->id : NULL);
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
    bool are = a->has_id == b->has_id && strcmp(a->id, b->id) == 0 &&
               a->timeout_us == b->timeout_us && a->priority == b->priority &&
               is_same_place(&a->y, &b->y, false);
    for (size_t i = 0; i < input_count; i++) {
        const struct v2_input *x = &a->inputs[i], *z = &b->inputs[i];
        are = are && x->index == z->index && x->axis_count == z->axis_count &&
              memcmp(x->axes, z->axes, x->axis_count * sizeof *x->axes) == 0 &&
              x->dtype == z->dtype && x->is_image == z->is_image && x->data == z->data &&
              is_same_place(&x->tensor, &z->tensor, true);
    }
    return are;
}

static size_t arrays_of(const struct v2_request *said)
{
    size_t count = 0;
    for (size_t i = 0; i < input_count; i++)
        count += said->inputs[i].tensor.place == V2_IN_JSON ? 1 : 0;
    return count;
}

static void check_written_again(const struct v2_request *said, size_t binary_bytes)
{
    struct ppm_error error = {0};
    struct v2_request again = {0};
    char *text = write_again(said);
    json_t *root = json_loads(text, 0, NULL);
    v2_read_request(root, inputs, input_count, arrays_of(said), binary_bytes, &again, &error);
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
    const struct ppm_tensor y = {.shape = {1, 2, 3, 4},
                                 .is_batch = said->inputs[0].axis_count == 4};
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

static void check_same_numbers(const struct ppm_tensor *a, const struct ppm_tensor *b)
{
    const size_t bytes = 4 * a->shape.n * a->shape.c * a->shape.h * a->shape.w;
    FUZZ_CHECK(bytes == 0 || memcmp(a->data, b->data, bytes) == 0,
               "in pieces it has other numbers");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > BODY_BYTES_MAX)
        return 0;
    const size_t binary_bytes = data[0], piece = 1 + data[1] % 16;
    const char *json = (const char *)data + 2;
    struct v2_request said = {0}, in_pieces = {0};
    struct ppm_tensor tensors[INPUTS_MAX] = {0}, of_pieces[INPUTS_MAX] = {0};
    struct ppm_error error = {0}, error_in_pieces = {0};
    input_count = data[1] & 16 ? 2 : 1;
    read_whole(json, size - 2, 0, binary_bytes, &said, tensors, &error);
    read_whole(json, size - 2, piece, binary_bytes, &in_pieces, of_pieces, &error_in_pieces);
    FUZZ_CHECK(error.status == error_in_pieces.status &&
                   strcmp(error.text, error_in_pieces.text) == 0,
               "\"%s\", in pieces \"%s\"", error.text, error_in_pieces.text);
    if (error.status == PPM_OK) {
        FUZZ_CHECK(is_same(&said, &in_pieces), "in pieces it says something else");
        for (size_t i = 0; i < input_count; i++)
            check_same_numbers(&tensors[i], &of_pieces[i]);
        check_written_again(&said, binary_bytes);
        check_answer(&said);
    } else {
        fuzz_check_error(&error);
    }
    for (size_t i = 0; i < INPUTS_MAX; i++) {
        ppm_tensor_free(&tensors[i]);
        ppm_tensor_free(&of_pieces[i]);
    }
    return 0;
}

/* v2_request.c - the JSON of a request of the Open Inference Protocol v2. */
#include "server/codec/v2/v2.h"

#include "server/codec/axes.h"
#include "server/codec/input_names.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct reader {
    struct v2_request *request;
    const struct ppm_input_info *inputs; /* the model's */
    size_t input_count;
    size_t data_count; /* arrays of numbers that were read */
    struct ppm_error *error;
};

static enum ppm_status refuse(const struct reader *reader, const char *where, const json_t *found,
                              const char *expected)
{
    return ppm_json_refuse(where, found, PPM_MALFORMED, reader->error, "%s", expected);
}

/* A string of less than bytes bytes. */
static enum ppm_status read_text(const struct reader *reader, const json_t *value,
                                 const char *where, char *ret_text, size_t bytes)
{
    char expected[64];
    const size_t length = json_string_length(value);
    snprintf(expected, sizeof expected, "a string of at most %zu bytes", bytes - 1);
    if (!json_is_string(value) || length >= bytes)
        return refuse(reader, where, value, expected);
    memcpy(ret_text, json_string_value(value), length + 1);
    return PPM_OK;
}

static enum ppm_status read_count(const struct reader *reader, const json_t *value,
                                  const char *where, size_t *ret_count)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return refuse(reader, where, value, "an integer of at least 0");
    *ret_count = (size_t)json_integer_value(value);
    return PPM_OK;
}

static enum ppm_status read_flag(const struct reader *reader, const json_t *value,
                                 const char *where, bool *ret_flag)
{
    if (!json_is_boolean(value))
        return refuse(reader, where, value, "true or false");
    *ret_flag = json_is_true(value);
    return PPM_OK;
}

/* They are optional. */
static enum ppm_status check_parameters(const struct reader *reader, const json_t *parameters,
                                        const char *where)
{
    if (!parameters || json_is_object(parameters))
        return PPM_OK;
    return refuse(reader, where, parameters, "an object");
}

/* shared_memory_region, _offset and _byte_size, of an input or y. */
static enum ppm_status read_region(const struct reader *reader, const json_t *parameters,
                                   struct v2_tensor *tensor)
{
    const json_t *region = json_object_get(parameters, "shared_memory_region"),
                 *offset = json_object_get(parameters, "shared_memory_offset");
    if (!region)
        return PPM_OK;
    tensor->place = V2_IN_REGION;
    tensor->offset = 0;
    if (read_text(reader, region, "shared_memory_region", tensor->region, V2_REGION_BYTES) !=
            PPM_OK ||
        read_count(reader, json_object_get(parameters, "shared_memory_byte_size"),
                   "shared_memory_byte_size", &tensor->bytes) != PPM_OK)
        return reader->error->status;
    return offset ? read_count(reader, offset, "shared_memory_offset", &tensor->offset) : PPM_OK;
}

/* ---- the inputs ---- */

enum { WHERE_BYTES = 48 };

/* "inputs[1].shape" */
static const char *where_of(const struct v2_input *input, const char *member,
                            char ret_text[WHERE_BYTES])
{
    snprintf(ret_text, WHERE_BYTES, "inputs[%zu]%s", input->index, member);
    return ret_text;
}

static enum ppm_status read_datatype(const struct reader *reader, const json_t *value,
                                     struct v2_input *input)
{
    static const char *const names[] = {
        [CODEC_FLOAT32] = "FP32", [CODEC_FLOAT16] = "FP16", [CODEC_BFLOAT16] = "BF16"};
    const char *text = json_string_value(value);
    char where[WHERE_BYTES];
    for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            input->dtype = (enum codec_dtype)i;
            return PPM_OK;
        }
    input->is_image = text && strcmp(text, "BYTES") == 0 && reader->input_count == 1;
    return input->is_image ? PPM_OK
                           : refuse(reader, where_of(input, ".datatype", where), value,
                                    "\"FP32\", \"FP16\", \"BF16\" or, for an image, \"BYTES\"");
}

/* One image, with or without a batch of one around it. */
static enum ppm_status read_image_shape(const struct reader *reader, const json_t *value,
                                        struct v2_input *input)
{
    char where[WHERE_BYTES];
    const size_t count = json_array_size(value);
    bool is_one = count == 1 || count == 2;
    for (size_t i = 0; is_one && i < count; i++) {
        input->axes[i] = 1;
        is_one = json_integer_value(json_array_get(value, i)) == 1;
    }
    if (!is_one)
        return refuse(reader, where_of(input, ".shape", where), value,
                      "[1] for BYTES, which are one image");
    input->axis_count = count;
    return PPM_OK;
}

static enum ppm_status read_shape(const struct reader *reader, const json_t *value,
                                  struct v2_input *input)
{
    char where[WHERE_BYTES];
    if (input->is_image)
        return read_image_shape(reader, value, input);
    where_of(input, ".shape", where);
    input->axis_count = json_array_size(value);
    if (input->axis_count < 3 || input->axis_count > 4)
        return refuse(reader, where, value, "an array of 3 or 4 positive integers");
    for (size_t i = 0; i < input->axis_count; i++) {
        const json_t *extent = json_array_get(value, i);
        if (!json_is_integer(extent) || json_integer_value(extent) <= 0)
            return refuse(reader, where, value, "positive integers");
        input->axes[i] = (size_t)json_integer_value(extent);
    }
    return PPM_OK;
}

/* One of data, binary_data_size and shared_memory_region says where the values are. */
static enum ppm_status read_place(const struct reader *reader, const json_t *object,
                                  const char *name, struct v2_input *input)
{
    struct v2_tensor *tensor = &input->tensor;
    const json_t *parameters = json_object_get(object, "parameters"),
                 *binary = json_object_get(parameters, "binary_data_size"),
                 *data = json_object_get(object, "data"),
                 *region = json_object_get(parameters, "shared_memory_region");
    const int places = (data != NULL) + (binary != NULL) + (region != NULL);
    char where[WHERE_BYTES];
    if (check_parameters(reader, parameters, where_of(input, ".parameters", where)) != PPM_OK)
        return reader->error->status;
    where_of(input, "", where);
    if (places != 1)
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "%s: found %svalues of %.64s%s, expected one of data, "
                        "parameters.binary_data_size and parameters.shared_memory_region",
                        where, places == 0 ? "no " : "", name,
                        places == 0 ? "" : " in several places");
    if (data && !json_is_null(data)) /* which stands for numbers that were read */
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "%s: the key \"inputs\" or \"data\" is written with escapes, expected them "
                        "without",
                        where);
    if (region && input->is_image)
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "%s: found an image in shared memory, expected data or "
                        "parameters.binary_data_size",
                        where);
    tensor->place = data ? V2_IN_JSON : V2_IN_BODY;
    if (binary && read_count(reader, binary, "binary_data_size", &tensor->bytes) != PPM_OK)
        return reader->error->status;
    return region ? read_region(reader, parameters, tensor) : PPM_OK;
}

/* The place of the name in the model's order. */
static enum ppm_status find_name(const struct reader *reader, const json_t *name, size_t index,
                                 size_t *ret_place)
{
    char names[CODEC_NAMES_BYTES], where[WHERE_BYTES];
    const char *text = json_string_value(name);
    snprintf(where, sizeof where, "inputs[%zu].name", index);
    const size_t place =
        text ? codec_input_index(reader->inputs, reader->input_count, text, strlen(text))
             : reader->input_count;
    if (place < reader->input_count) {
        *ret_place = place;
        return PPM_OK;
    }
    return refuse(reader, where, name,
                  codec_input_names(reader->inputs, reader->input_count, "\"", " or ", names));
}

static enum ppm_status read_input(const struct reader *reader, const json_t *object, size_t index)
{
    const json_t *name = json_object_get(object, "name");
    char where[WHERE_BYTES];
    size_t place = 0;
    if (find_name(reader, name, index, &place) != PPM_OK)
        return reader->error->status;
    struct v2_input *input = &reader->request->inputs[place];
    if (input->axis_count > 0)
        return refuse(reader, where_of(&(struct v2_input){.index = index}, ".name", where), name,
                      "each input once");
    input->index = index;
    if (read_datatype(reader, json_object_get(object, "datatype"), input) != PPM_OK ||
        read_shape(reader, json_object_get(object, "shape"), input) != PPM_OK)
        return reader->error->status;
    return read_place(reader, object, reader->inputs[place].name, input);
}

/* The bytes after the JSON are those of the inputs that are there, in the request's order; so are
 * the JSON's arrays of numbers. */
static enum ppm_status place_values(const struct reader *reader, size_t binary_bytes)
{
    struct v2_input *ordered[PPM_INPUTS_MAX];
    size_t bytes = 0, data = 0;
    for (size_t i = 0; i < reader->input_count; i++)
        ordered[reader->request->inputs[i].index] = &reader->request->inputs[i];
    for (size_t i = 0; i < reader->input_count; i++) {
        struct v2_tensor *tensor = &ordered[i]->tensor;
        if (tensor->place == V2_IN_JSON)
            ordered[i]->data = data++;
        if (tensor->place != V2_IN_BODY)
            continue;
        tensor->offset = bytes;
        bytes = size_plus(bytes, tensor->bytes);
    }
    if (data != reader->data_count) /* a null of the client's own, which was not read as data */
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "inputs: the key \"inputs\" or \"data\" is written with escapes, expected "
                        "them without");
    if (bytes != binary_bytes)
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "found %zu byte%s after the JSON, expected %zu (binary_data_size)",
                        binary_bytes, ppm_plural(binary_bytes), bytes);
    for (size_t i = 0; i < reader->input_count; i++)
        if (ordered[i]->tensor.place == V2_IN_JSON && ordered[i]->dtype != CODEC_FLOAT32)
            return ppm_fail(reader->error, PPM_MALFORMED,
                            "inputs[%zu].data: found numbers of a datatype that is only sent as "
                            "raw bytes, expected FP32 or binary_data_size",
                            i);
    return PPM_OK;
}

static enum ppm_status read_inputs(const struct reader *reader, const json_t *inputs,
                                   size_t binary_bytes)
{
    const size_t count = reader->input_count;
    char names[CODEC_NAMES_BYTES], expected[CODEC_NAMES_BYTES + 48];
    bool are_objects = json_is_array(inputs) && json_array_size(inputs) == count;
    for (size_t i = 0; are_objects && i < count; i++)
        are_objects = json_is_object(json_array_get(inputs, i));
    if (!are_objects && count == 1)
        snprintf(expected, sizeof expected, "an array of one object, the input %.64s",
                 reader->inputs[0].name);
    else if (!are_objects)
        snprintf(expected, sizeof expected, "an array of %zu objects, the inputs %s", count,
                 codec_input_names(reader->inputs, count, "", " and ", names));
    if (!are_objects)
        return refuse(reader, "inputs", inputs, expected);
    for (size_t i = 0; i < count; i++)
        if (read_input(reader, json_array_get(inputs, i), i) != PPM_OK)
            return reader->error->status;
    return place_values(reader, binary_bytes);
}

/* ---- y ---- */

static enum ppm_status read_output_parameters(const struct reader *reader, const json_t *parameters)
{
    struct v2_tensor *y = &reader->request->y;
    const json_t *binary = json_object_get(parameters, "binary_data");
    bool is_binary = y->place == V2_IN_BODY;
    if (check_parameters(reader, parameters, "outputs[0].parameters") != PPM_OK ||
        (binary && read_flag(reader, binary, "binary_data", &is_binary) != PPM_OK))
        return reader->error->status;
    if (json_object_get(parameters, "classification"))
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "outputs[0].parameters: classification is not supported, expected a "
                        "request for the values of y");
    y->place = is_binary ? V2_IN_BODY : V2_IN_JSON;
    return read_region(reader, parameters, y);
}

static enum ppm_status read_outputs(const struct reader *reader, const json_t *outputs)
{
    const json_t *output = json_array_get(outputs, 0), *name = json_object_get(output, "name");
    if (!outputs || (json_is_array(outputs) && json_array_size(outputs) == 0))
        return PPM_OK;
    if (!json_is_array(outputs) || json_array_size(outputs) != 1 || !json_is_object(output))
        return refuse(reader, "outputs", outputs, "an array of one object, the output y");
    if (!json_is_string(name) || strcmp(json_string_value(name), "y") != 0)
        return refuse(reader, "outputs[0].name", name, "\"y\"");
    return read_output_parameters(reader, json_object_get(output, "parameters"));
}

/* ---- the request ---- */

/* Protocol parameters are strings, integers or booleans: "480,640". */
static enum ppm_status read_size(const struct reader *reader, const json_t *size)
{
    struct v2_request *request = reader->request;
    if (!size)
        return PPM_OK;
    if (!json_is_string(size))
        return refuse(reader, "parameters.size", size,
                      "H,W in pixels as a string, such as \"480,640\"");
    return codec_parse_size(json_string_value(size), &request->output_h, &request->output_w,
                            reader->error);
}

static enum ppm_status read_parameters(const struct reader *reader, const json_t *parameters)
{
    const json_t *timeout = json_object_get(parameters, "timeout"),
                 *priority = json_object_get(parameters, "priority"),
                 *binary = json_object_get(parameters, "binary_data_output");
    bool is_binary = false;
    if (check_parameters(reader, parameters, "parameters") != PPM_OK ||
        read_size(reader, json_object_get(parameters, "size")) != PPM_OK ||
        (timeout && read_count(reader, timeout, "parameters.timeout",
                               &reader->request->timeout_us) != PPM_OK) ||
        (priority && read_count(reader, priority, "parameters.priority",
                                &reader->request->priority) != PPM_OK) ||
        (binary &&
         read_flag(reader, binary, "parameters.binary_data_output", &is_binary) != PPM_OK))
        return reader->error->status;
    reader->request->y.place = is_binary ? V2_IN_BODY : V2_IN_JSON;
    return PPM_OK;
}

enum ppm_status v2_read_request(const json_t *around, const struct ppm_input_info *inputs,
                                size_t input_count, size_t data_count, size_t binary_bytes,
                                struct v2_request *ret_request, struct ppm_error *error)
{
    struct v2_request request = {0};
    const struct reader reader = {&request, inputs, input_count, data_count, error};
    const json_t *id = json_object_get(around, "id");
    request.has_id = id != NULL;
    if ((id && read_text(&reader, id, "id", request.id, V2_ID_BYTES) != PPM_OK) ||
        read_parameters(&reader, json_object_get(around, "parameters")) != PPM_OK ||
        read_inputs(&reader, json_object_get(around, "inputs"), binary_bytes) != PPM_OK ||
        read_outputs(&reader, json_object_get(around, "outputs")) != PPM_OK)
        return error->status;
    *ret_request = request;
    return PPM_OK;
}

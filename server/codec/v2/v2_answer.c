/* v2_answer.c - the JSON of an answer of the Open Inference Protocol v2. */
#include "server/codec/v2/v2.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *datatype_of(const struct ppm_tensor *y)
{
    return y->dtype == PPM_INT32 ? "INT32" : "FP32";
}

/* object[key] = value, which is wanted, so that NULL means no memory; then *object becomes NULL.
 * Not json_pack's "s*": it leaves out what there was no memory for. */
static void set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

static json_t *output_json(const struct v2_request *request, const struct ppm_tensor *y,
                           size_t y_bytes)
{
    size_t axes[4];
    const size_t count = ppm_tensor_axes(y, axes);
    json_t *output = json_pack("{s:s, s:s}", "name", "y", "datatype", datatype_of(y));
    json_t *shape =
        json_pack("[I, I, I]", (json_int_t)axes[0], (json_int_t)axes[1], (json_int_t)axes[2]);
    if (count == 4 && json_array_append_new(shape, json_integer((json_int_t)axes[3])) != 0) {
        json_decref(shape);
        shape = NULL;
    }
    set(&output, "shape", shape);
    if (request->y.place == V2_IN_BODY)
        set(&output, "parameters", json_pack("{s:I}", "binary_data_size", (json_int_t)y_bytes));
    return output;
}

/* Without y's values; a tensor in a region needs nothing more. NULL: no memory. */
static json_t *head_json(const struct v2_request *request, const char *model,
                         const struct ppm_tensor *y, size_t y_bytes)
{
    json_t *head = json_pack("{s:s, s:s}", "model_name", model, "model_version", V2_VERSION);
    if (request->has_id)
        set(&head, "id", json_string(request->id));
    set(&head, "outputs", json_pack("[o]", output_json(request, y, y_bytes)));
    return head;
}

enum ppm_status v2_write_head(const struct v2_request *request, const char *model,
                              const struct ppm_tensor *y, size_t y_bytes,
                              char ret_head[V2_HEAD_BYTES_MAX], size_t *ret_bytes,
                              struct ppm_error *error)
{
    static const char open_end[] = "}]}", numbers[] = ",\"data\":[";
    json_t *head = head_json(request, model, y, y_bytes);
    char *text = head ? ppm_json_text(head, JSON_COMPACT) : NULL;
    json_decref(head);
    if (!text)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for the JSON of an answer");
    size_t bytes = strlen(text);
    if (bytes + sizeof numbers > V2_HEAD_BYTES_MAX) {
        free(text);
        return ppm_fail(error, PPM_TOO_LARGE, "model and id take %zu bytes of JSON", bytes);
    }
    memcpy(ret_head, text, bytes);
    free(text);
    if (request->y.place == V2_IN_JSON) {
        bytes -= sizeof open_end - 1;
        memcpy(ret_head + bytes, numbers, sizeof numbers - 1);
        bytes += sizeof numbers - 1;
    }
    *ret_bytes = bytes;
    return PPM_OK;
}

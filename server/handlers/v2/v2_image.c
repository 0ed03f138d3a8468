/* v2_image.c - see v2_image.h. */
#include "server/handlers/v2/v2_image.h"
#include "server/codec/json/json_reader.h"
#include "server/handlers/inference/image_within.h"
#include "server/image/image.h"

#include <inttypes.h>

enum { LENGTH_BYTES = 4 }; /* of an element of BYTES, before it */

static uint32_t read_length(const char *bytes)
{
    const uint8_t *at = (const uint8_t *)bytes;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The bytes after the JSON. Some clients of OpenVINO Model Server leave out the length. */
static enum http_next look_at_bytes(struct v2_inference *v2)
{
    struct http_request *request = v2->inference.request;
    const struct v2_tensor *tensor = &v2->request.inputs[0].tensor;
    char *bytes = request->body + v2->header_bytes + tensor->offset;
    if (image_format_of_bytes(bytes, tensor->bytes))
        return image_within_bytes(&v2->inference, bytes, tensor->bytes);
    if (tensor->bytes < LENGTH_BYTES)
        return http_problem(request, 400,
                            "inputs[0], binary_data_size: found %zu, expected an image after the "
                            "4 bytes of its length",
                            tensor->bytes);
    const size_t count = tensor->bytes - LENGTH_BYTES;
    if (read_length(bytes) != count)
        return http_problem(request, 400,
                            "inputs[0]: found an element of %" PRIu32
                            " bytes, expected one of %zu, the rest of binary_data_size",
                            read_length(bytes), count);
    return image_within_bytes(&v2->inference, bytes + LENGTH_BYTES, count);
}

enum http_next v2_look_at_image(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    const struct v2_input *said = &v2->request.inputs[0];
    if (said->tensor.place == V2_IN_BODY)
        return look_at_bytes(v2);
    const struct codec_json_text text = codec_json_text(inference->reader, said->data);
    if (text.bytes > 0)
        return image_within_text(inference, "inputs[0].data", text);
    return http_problem(inference->request, 400,
                        "inputs[0].data: found numbers of the datatype BYTES, expected an image as "
                        "[\"...\"], in base64");
}

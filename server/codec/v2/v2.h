/*
 * v2.h - messages of the Open Inference Protocol v2 over HTTP, as KServe and Triton have it, with
 * the binary tensor data and system shared memory extensions.
 *
 * A request is JSON, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4, 30, 30],
 * "data": [..]}]}, whose tensors may also follow it as raw bytes, or be in regions of shared
 * memory. The inputs are the model's; there is one output, y. Members that the protocol does not
 * know are passed over, as its other servers do.
 */
#ifndef PPM_SERVER_CODEC_V2_V2_H
#define PPM_SERVER_CODEC_V2_V2_H

#include "core/ppm.h"
#include "server/codec/dtype.h"

#define V2_VERSION "1" /* of every model */

enum {
    V2_ID_BYTES = 257,     /* an id of at most 256 bytes */
    V2_REGION_BYTES = 256, /* the name of a region, of at most 255 */
    V2_HEAD_BYTES_MAX = 4096,
};

/* Where a tensor is. */
enum v2_place {
    V2_IN_JSON,   /* as numbers */
    V2_IN_BODY,   /* after the JSON */
    V2_IN_REGION, /* of shared memory */
};

struct v2_tensor {
    enum v2_place place;
    size_t bytes;  /* in the body or the region; of y: the room there is in the region */
    size_t offset; /* in the region, or after the JSON */
    char region[V2_REGION_BYTES];
};

struct v2_input {
    size_t index; /* in the request's list */
    size_t axes[4];
    size_t axis_count; /* 3 or 4; of an image 1 or 2 */
    enum codec_dtype dtype;
    bool is_image; /* BYTES: a file, as its bytes after their number, or as base64 in the JSON */
    struct v2_tensor tensor;
    size_t data; /* if it is in the JSON: for codec_json_tensor */
};

struct v2_request {
    bool has_id;
    char id[V2_ID_BYTES];
    struct v2_input inputs[PPM_INPUTS_MAX]; /* in the model's order */
    struct v2_tensor y;
    size_t timeout_us;         /* 0: none */
    size_t priority;           /* 1: the highest; 0: not told */
    size_t output_h, output_w; /* wanted; 0: not told */
};

/* Reads a request's JSON, from codec_json_around with null for each of data_count arrays of
 * numbers, to a model of these inputs. The body has binary_bytes after it. PPM_MALFORMED names the
 * member, the value found and the one expected. */
enum ppm_status v2_read_request(const struct json_t *around, const struct ppm_input_info *inputs,
                                size_t input_count, size_t data_count, size_t binary_bytes,
                                struct v2_request *ret_request, struct ppm_error *error);

/* The JSON of an answer whose y has y->shape; y_bytes: its size, if it follows the JSON. If y is
 * IN_JSON, the text ends before the first number: V2_NUMBERS_END follows the last. PPM_TOO_LARGE
 * for more than V2_HEAD_BYTES_MAX bytes. */
enum ppm_status v2_write_head(const struct v2_request *request, const char *model,
                              const struct ppm_tensor *y, size_t y_bytes,
                              char ret_head[V2_HEAD_BYTES_MAX], size_t *ret_bytes,
                              struct ppm_error *error);
#define V2_NUMBERS_END "]}]}"

#endif

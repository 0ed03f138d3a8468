/* tensor_fields.c - see tensor_fields.h. */
#include "server/handlers/tensor_fields.h"
#include "server/codec/axes.h"

#include <string.h>

/* Reads the query parameter or the header; refuses the request if they disagree. */
static enum http_next read_either(struct http_request *request, const char *parameter,
                                  const char *header, const char **ret_value, const char **ret_name)
{
    const char *asked = http_query(request, parameter);
    const char *sent = header ? http_header(request, header) : NULL;
    sent = sent && *sent ? sent : NULL; /* empty in a copy of a JSON answer's headers */
    *ret_value = asked ? asked : sent;
    *ret_name = asked ? parameter : header;
    if (!asked || !sent || strcmp(asked, sent) == 0)
        return HTTP_PROCEED;
    return http_problem(
        request, 400,
        "%s: found \"%.40s\" in the query and \"%.40s\" in the header %s, expected the "
        "same or one of them",
        parameter, asked, sent, header);
}

enum http_next handlers_read_shape(struct http_request *request, const char **ret_text)
{
    const char *name;
    return read_either(request, "shape", "X-Tensor-Shape", ret_text, &name);
}

enum http_next handlers_read_layout(struct http_request *request, enum ppm_layout standard,
                                    enum ppm_layout *ret_layout, bool *ret_is_explicit)
{
    const char *value, *name;
    if (read_either(request, "layout", "X-Tensor-Layout", &value, &name) != HTTP_PROCEED)
        return HTTP_RESPOND;
    *ret_layout = standard;
    *ret_is_explicit = value != NULL;
    if (!value || ppm_layout_from_name(value, ret_layout))
        return HTTP_PROCEED;
    return http_problem(request, 400, "%s: found \"%.40s\", expected NCHW or NHWC", name, value);
}

enum http_next handlers_read_dtype(struct http_request *request, const char *parameter,
                                   const char *header, enum codec_dtype *ret_dtype,
                                   bool *ret_is_explicit)
{
    const char *value, *name;
    if (read_either(request, parameter, header, &value, &name) != HTTP_PROCEED)
        return HTTP_RESPOND;
    *ret_dtype = CODEC_FLOAT32;
    *ret_is_explicit = value != NULL;
    if (!value || codec_dtype_from_name(value, ret_dtype))
        return HTTP_PROCEED;
    return http_problem(request, 400, "%s: found \"%.40s\", expected float32, float16 or bfloat16",
                        name, value);
}

enum http_next handlers_read_size(struct http_request *request, size_t *ret_h, size_t *ret_w)
{
    struct ppm_error error = {0};
    const char *text = http_query(request, "size");
    *ret_h = *ret_w = 0;
    if (!text || codec_parse_size(text, ret_h, ret_w, &error) == PPM_OK)
        return HTTP_PROCEED;
    return http_problem_of(request, &error);
}

void handlers_describe_tensor(struct http_request *request, const struct ppm_tensor *y,
                              enum codec_dtype dtype)
{
    size_t axes[4];
    size_t count = ppm_tensor_axes(y, axes);
    if (count == 4)
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu,%zu", axes[0], axes[1], axes[2],
                        axes[3]);
    else
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu", axes[0], axes[1], axes[2]);
    http_add_header(request, "X-Tensor-Dtype", "%s",
                    y->dtype == PPM_FLOAT32 ? codec_dtype_name(dtype) : ppm_dtype_name(y->dtype));
    http_add_header(request, "X-Tensor-Layout", "%s", ppm_layout_name(y->layout));
}

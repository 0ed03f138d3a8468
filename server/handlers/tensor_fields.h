/* tensor_fields.h - a tensor's shape, layout and type in queries and headers. */
#ifndef PPM_SERVER_HANDLERS_TENSOR_FIELDS_H
#define PPM_SERVER_HANDLERS_TENSOR_FIELDS_H

#include "server/codec/dtype.h"
#include "server/http/http.h"

/* Each reads a query parameter or the header with the same meaning, and answers 400 if the two
 * disagree or the value is invalid. */

/* shape or X-Tensor-Shape. NULL: neither is there. */
enum http_next handlers_read_shape(struct http_request *request, const char **ret_text);

/* layout or X-Tensor-Layout; standard if neither is there. */
enum http_next handlers_read_layout(struct http_request *request, enum ppm_layout standard,
                                    enum ppm_layout *ret_layout, bool *ret_is_explicit);

/* The parameter or header of that name; float32 if neither is there. header may be NULL. */
enum http_next handlers_read_dtype(struct http_request *request, const char *parameter,
                                   const char *header, enum codec_dtype *ret_dtype,
                                   bool *ret_is_explicit);

/* Adds X-Tensor-Shape, X-Tensor-Dtype and X-Tensor-Layout to the response. dtype is that of floats;
 * integers are int32. */
void handlers_describe_tensor(struct http_request *request, const struct ppm_tensor *y,
                              enum codec_dtype dtype);

#endif

/* tensor_fields.h - a tensor's shape, layout and type in queries and headers. */
#ifndef PPM_SERVER_HANDLERS_TENSOR_FIELDS_H
#define PPM_SERVER_HANDLERS_TENSOR_FIELDS_H

#include "server/codec/dtype.h"
#include "server/http/http.h"

/* Each reads a query parameter or the header with the same meaning, if there is one, and answers
 * 400 if the two disagree or the value is invalid. */

/* shape or X-Tensor-Shape. NULL: neither is there. */
enum http_next handlers_read_shape(struct http_request *request, const char **ret_text);

/* layout or X-Tensor-Layout; standard if neither is there. */
enum http_next handlers_read_layout(struct http_request *request, enum ppm_layout standard,
                                    enum ppm_layout *ret_layout, bool *ret_is_explicit);

/* The parameter or header of that name; float32 if neither is there. header may be NULL. */
enum http_next handlers_read_dtype(struct http_request *request, const char *parameter,
                                   const char *header, enum codec_dtype *ret_dtype,
                                   bool *ret_is_explicit);

/* size, the wanted H and W of the output; 0 and 0 if it is not there. */
enum http_next handlers_read_size(struct http_request *request, size_t *ret_h, size_t *ret_w);

/* Adds X-Tensor-Shape, X-Tensor-Dtype and X-Tensor-Layout to the response. dtype is that of floats;
 * integers are int32. */
void handlers_describe_tensor(struct http_request *request, const struct ppm_tensor *y,
                              enum codec_dtype dtype);

#endif

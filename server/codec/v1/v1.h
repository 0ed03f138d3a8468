/*
 * v1.h - messages of the prediction protocol v1, as TensorFlow Serving and KServe have it.
 *
 * A request is JSON, {"instances": [[[[..]]], ..]}: tensors of one shape, which are a batch. An
 * answer is {"predictions": [..]}, an item for each instance: rows of labels, or the maps of y.
 */
#ifndef PPM_SERVER_CODEC_V1_V1_H
#define PPM_SERVER_CODEC_V1_V1_H

#include "server/codec/form.h"

#define V1_INSTANCES "instances" /* codec_reader_options.key */

/* Answers. A tensor without N is one instance. */
extern const struct codec_form codec_v1;

/* Checks a request's JSON, from codec_json_around with null for each of data_count instances.
 * PPM_MALFORMED names the member, the value found and the one expected. */
enum ppm_status v1_check_members(const struct json_t *around, size_t data_count,
                                 struct ppm_error *error);

#endif

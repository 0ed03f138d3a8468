/*
 * json.h - tensors as JSON: {"model": name, "shape": [1, 4, 30, 30], "dtype": "float32", "layout":
 * "NCHW", "data": [..]}, the data flat or nested.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_H
#define PPM_SERVER_CODEC_JSON_JSON_H

#include "server/codec/form.h"
#include "server/codec/json/json_reader.h"

/* A body needs its data alone, and a shape unless that is nested 3 or 4 deep; null reads as NaN.
 * "model" and "dtype" may be there, so that an answer may be posted back. Answers have the shortest
 * numbers that read back to the same float32; values that are not finite are null. */
extern const struct codec_form codec_json;

/* members and finish of its stream. */
enum ppm_status codec_json_members(struct codec_reader *reader, const char *body, size_t body_bytes,
                                   struct codec_members *ret_members, struct ppm_error *error);
enum ppm_status codec_json_finish(struct codec_reader *reader, const char *body,
                                  const struct codec_members *members,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error);

#endif

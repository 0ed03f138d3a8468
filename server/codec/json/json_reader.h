/*
 * json_reader.h - a JSON body that is read while it arrives, or whole.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_READER_H
#define PPM_SERVER_CODEC_JSON_JSON_READER_H

#include "server/codec/form.h"
#include "server/codec/json/json_text.h"

struct json_t;

/* As in struct codec_stream. */
struct codec_reader *codec_json_create(const struct codec_reader_options *options);
void codec_json_free(struct codec_reader *reader);
void codec_json_feed(struct codec_reader *reader, const char *body, size_t body_bytes);
size_t codec_json_left(const struct codec_reader *reader, size_t body_bytes);

/* The body is whole. First the text around the data, as jansson's tree with null in place of the
 * data; the caller releases it. PPM_MALFORMED when it is not JSON, is no object, has the data
 * twice, as no array or as one without an end, or has more than 64 KiB around it. */
enum ppm_status codec_json_around(struct codec_reader *reader, const char *body, size_t body_bytes,
                                  struct json_t **ret_around, struct ppm_error *error);
/* Then how much data the body has: as many nulls in the tree stand for it, in this order. */
size_t codec_json_data_count(const struct codec_reader *reader);

/* And the tensor of the index-th: float32 of these axes, 3 or 4 in the order of layout;
 * 0: as nested as the data. The caller frees it. PPM_MALFORMED when the data is no regular array of
 * numbers, or differs from axes, flat or nested. Call it once for each. */
enum ppm_status codec_json_tensor(struct codec_reader *reader, size_t index, const char *body,
                                  const size_t *axes, size_t axis_count, enum ppm_layout layout,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error);

/* How deep the index-th is nested: 1 is flat; 0: it is text, or will be refused. */
size_t codec_json_depth(const struct codec_reader *reader, size_t index);

/* Its text. {0}: it is numbers. */
struct codec_json_text codec_json_text(const struct codec_reader *reader, size_t index);

#endif

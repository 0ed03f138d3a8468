/* json_body.h - the JSON of a body, read as it arrives. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_JSON_BODY_H
#define PPM_SERVER_HANDLERS_INFERENCE_JSON_BODY_H

#include "server/handlers/inference/inference.h"

/* The reader of the body's JSON, created by the first call. The tensor is in the body, or one for
 * each input is in the objects of that list (codec_reader_options.list). NULL: no memory. */
struct codec_reader *inference_reader(struct inference *inference, const char *list);

/* The same for a body whose data is where options say it is: list, key and takes_text. */
struct codec_reader *inference_reader_of(struct inference *inference,
                                         const struct codec_reader_options *options);

/* Frees it, if there is one. */
void inference_free_reader(struct inference *inference);

/* Continues to read the JSON, of which bytes have come, but only a little at a time. The next call,
 * or the thread that computes, reads on. */
void inference_read_ahead(struct inference *inference, size_t bytes);

/* Whether reading the rest of bytes of JSON takes less time than waking another thread. */
bool inference_is_read_at_once(const struct inference *inference, size_t bytes);

/* The response to an error of the reader. Returns HTTP_RESPOND. */
enum http_next inference_refuse_json(struct inference *inference, const struct ppm_error *error);

#endif

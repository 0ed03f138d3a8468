/*
 * image_within.h - an image within a body of another protocol: bytes, or base64 in JSON.
 *
 * Its answer is y in inference->answer_form, of one image: N is 1.
 */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_IMAGE_WITHIN_H
#define PPM_SERVER_HANDLERS_INFERENCE_IMAGE_WITHIN_H

#include "server/codec/json/json_text.h"
#include "server/handlers/inference/inference.h"

/* Creates inference->image from a part of the body, and reads the image's head. */
enum http_next image_within_bytes(struct inference *inference, char *bytes, size_t count);

/* The same from text in the body, which is dropped; not for large texts on a thread that must not
 * compute. name: of the text, in sentences. */
enum http_next image_within_text(struct inference *inference, const char *name,
                                 struct codec_json_text text);

/* Decodes the image, on a thread that may compute, and drops its file. */
enum http_next image_within_decode(struct inference *inference);

#endif

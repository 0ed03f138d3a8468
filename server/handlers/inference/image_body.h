/*
 * image_body.h - images as inputs: POST /ppm with a JPEG or a PNG, and what other protocols need
 * for those within their bodies.
 */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_IMAGE_BODY_H
#define PPM_SERVER_HANDLERS_INFERENCE_IMAGE_BODY_H

#include "server/handlers/inference/inference.h"

/* The body is an image: checks all that the head says, and sets the protocol. */
enum http_next image_begin(struct inference *inference);

/* Refuses an image by its first bytes; for route->arrived. */
enum http_next image_arrived(struct inference *inference);

/* ---- for any protocol, with inference->image in place ---- */

/* Reads the head of an image, in microseconds, and checks its size against the model and the
 * limits; sets image->head, image->costs, sizes, costs, and needed_bytes to what computing takes.
 * answer_bytes: what the protocol takes besides. */
enum http_next image_look_at(struct inference *inference, const char *file, size_t bytes,
                             size_t (*answer_bytes)(const struct inference *inference));

/* Decodes the image that image_look_at has seen, on a thread that may compute. */
enum http_next image_decode_at(struct inference *inference, const char *file, size_t bytes);

/* About how long that takes; 0 for a tensor. */
double image_decode_us(const struct inference *inference);

#endif

/* stages_answer.h - POST /ppm?stages=1: the answer together with all intermediate results. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_STAGES_ANSWER_H
#define PPM_SERVER_HANDLERS_INFERENCE_STAGES_ANSWER_H

#include "server/handlers/inference/inference.h"

/* Reads ?stages= and, if it asks for them, negotiates the form of the answer. */
enum http_next stages_refuse(struct inference *inference);

/* Adds what they take to needed_bytes, and makes room before y. False: overflow, or what *error
 * says. */
bool stages_add_needs(struct inference *inference, const struct ppm_sizes *sizes, size_t y_bytes,
                      struct ppm_error *error);

/* Bytes that they take after y; 0 if none were asked for. */
size_t stages_bytes(const struct inference *inference);

/* Places them after y's data. */
enum ppm_status stages_place(struct inference *inference, const struct ppm_tensor *y,
                             struct ppm_error *error);

/* Responds with y and all of them; see inference_protocol.respond. */
void stages_respond(struct inference *inference, const struct ppm_tensor *y, char *memory,
                    int threads);

#endif

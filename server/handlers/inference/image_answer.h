/* image_answer.h - answers to an image: labels, the image under them, classes, tensors. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_IMAGE_ANSWER_H
#define PPM_SERVER_HANDLERS_INFERENCE_IMAGE_ANSWER_H

#include "server/handlers/inference/inference.h"

/* What the answer takes besides y, its head and intermediate results, once the costs are known.
 * Saturating. The run lengths of labels are not counted: only the labels tell how many there are.
 */
size_t image_answer_bytes(const struct inference *inference);

/* inference_protocol.respond */
void image_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);

#endif

/* v2_respond.h - the response with y. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_RESPOND_H
#define PPM_SERVER_HANDLERS_V2_V2_RESPOND_H

#include "server/handlers/v2/v2_inference.h"

/* inference_protocol.respond. */
void v2_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);

#endif

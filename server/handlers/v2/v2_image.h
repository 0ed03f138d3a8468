/* v2_image.h - an image instead of x: an input of the datatype BYTES. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_IMAGE_H
#define PPM_SERVER_HANDLERS_V2_V2_IMAGE_H

#include "server/handlers/v2/v2_inference.h"

/* Finds the image in a body whose JSON has been read, and reads its head. */
enum http_next v2_look_at_image(struct v2_inference *v2);

#endif

/* v2_places.h - where inputs and y are: in the JSON, after it in the body, or in shared memory. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_PLACES_H
#define PPM_SERVER_HANDLERS_V2_V2_PLACES_H

#include "server/handlers/v2/v2_inference.h"

/* Finds the inputs, and room for y in shared memory. */
enum http_next v2_find_places(struct v2_inference *v2);

/* Copies an input out of its region, slice by slice, without allocating the holes of the object. */
enum ppm_status v2_copy_input(struct v2_inference *v2, size_t index, size_t count,
                              struct ppm_error *error);

/* Releases the regions. */
void v2_leave_places(struct v2_inference *v2);

#endif

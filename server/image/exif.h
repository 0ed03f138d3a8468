/*
 * exif.h - which way up a picture is, by libexif.
 */
#ifndef PPM_SERVER_IMAGE_EXIF_H
#define PPM_SERVER_IMAGE_EXIF_H

#include "server/image/format.h"

/* The orientation, 1 to 8, in the first directory of EXIF, a TIFF file; 1 where there is none or it
 * cannot be read. Reads each entry once, whatever they point at. PPM_NO_MEMORY. Any thread. */
enum ppm_status exif_orientation(struct image_bytes tiff, int *ret_orientation,
                                 struct ppm_error *error);

#endif

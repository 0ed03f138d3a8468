/* probe.h - whether the library does what framing.c and guard.c rely on. */
#ifndef PPM_SERVER_HTTP_PROBE_H
#define PPM_SERVER_HTTP_PROBE_H

#include "core/ppm.h"

/* PPM_IO: it does not. */
enum ppm_status http_probe_library(struct ppm_error *error);

#endif

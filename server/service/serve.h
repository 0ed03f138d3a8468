/* serve.h - the command that serves. */
#ifndef PPM_SERVER_SERVICE_SERVE_H
#define PPM_SERVER_SERVICE_SERVE_H

#include "core/ppm.h"

/* `ppm-server serve`: serves until a signal, then drains. */
enum ppm_status serve(int count, char *const *arguments, struct ppm_error *error);

#endif

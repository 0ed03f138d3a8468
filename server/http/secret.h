/* secret.h - files with secrets. */
#ifndef PPM_SERVER_HTTP_SECRET_H
#define PPM_SERVER_HTTP_SECRET_H

#include "core/ppm.h"

#include <gnutls/gnutls.h>

/* A whole file of at most 1 MiB with a '\0' after it; secret_forget wipes and frees it. */
enum ppm_status secret_read(const char *setting, const char *path, gnutls_datum_t *ret_bytes,
                            struct ppm_error *error);
void secret_forget(gnutls_datum_t *bytes);

#endif

/* tls.h - the server's certificate and key. */
#ifndef PPM_SERVER_HTTP_TLS_H
#define PPM_SERVER_HTTP_TLS_H

#include "core/ppm.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/* A certificate, the certificates that sign it, and its key, as PEM. */
struct tls_identity {
    gnutls_datum_t certificate, key;
};

enum ppm_status tls_read(const char *certificate_path, const char *key_path,
                         struct tls_identity *ret_identity, struct ppm_error *error);
void tls_forget(struct tls_identity *identity);

/* The identity as GnuTLS wants it, to be freed by the caller, or by GnuTLS. 0 or GnuTLS' error. */
int tls_import_certificates(const gnutls_datum_t *pem, gnutls_pcert_st **ret_certificates,
                            unsigned *ret_count);
int tls_import_key(const gnutls_datum_t *pem, gnutls_privkey_t *ret_key);

#endif

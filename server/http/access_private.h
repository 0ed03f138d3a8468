/* access_private.h - what access.c, keys.c and tls.c share. */
#ifndef PPM_SERVER_HTTP_ACCESS_PRIVATE_H
#define PPM_SERVER_HTTP_ACCESS_PRIVATE_H

#include "server/http/http.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/* A whole file of at most 1 MiB, '\0' behind it, to be wiped and freed by access_forget. */
enum ppm_status access_read_file(const char *setting, const char *path, gnutls_datum_t *ret_bytes,
                                 struct ppm_error *error);
void access_forget(gnutls_datum_t *bytes);

/* GnuTLS' callback for each handshake. */
int http_choose_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *wish,
                            gnutls_pcert_st **ret_certificates, unsigned *ret_count,
                            gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                            gnutls_privkey_t *ret_key, unsigned *ret_flags);

/* ---- keys.c ---- */

struct keys; /* digests of them */

/* Reads a file of one key a line. NULL on error. */
struct keys *keys_read(const char *path, struct ppm_error *error);
void keys_free(struct keys *keys); /* NULL is fine */

/* In a time that does not depend on which key it is nearly. */
bool keys_hold(const struct keys *keys, const char *key, size_t bytes);

/* ---- tls.c ---- */

/* A certificate, those that vouch for it, and its key, as PEM. */
struct tls_identity {
    gnutls_datum_t certificate, key;
};

enum ppm_status tls_read(const char *certificate_path, const char *key_path,
                         struct tls_identity *ret_identity, struct ppm_error *error);
void tls_forget(struct tls_identity *identity);

/* The identity as GnuTLS wants it, to be freed by the caller, or by GnuTLS. 0 or its error. */
int tls_import_certificates(const gnutls_datum_t *pem, gnutls_pcert_st **ret_certificates,
                            unsigned *ret_count);
int tls_import_key(const gnutls_datum_t *pem, gnutls_privkey_t *ret_key);

#endif

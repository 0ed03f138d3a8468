/* access.h - the keys and the certificate in use. */
#ifndef PPM_SERVER_HTTP_ACCESS_H
#define PPM_SERVER_HTTP_ACCESS_H

#include "server/http/http.h"

#include <gnutls/abstract.h>

/* Refuses a client without a key, where keys are required. */
enum http_next http_check_key(struct http_request *request);

/* GnuTLS' callback for each handshake. */
int http_choose_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *wish,
                            gnutls_pcert_st **ret_certificates, unsigned *ret_count,
                            gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                            gnutls_privkey_t *ret_key, unsigned *ret_flags);

#endif

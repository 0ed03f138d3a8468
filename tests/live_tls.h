/* live_tls.h - certificates made for a test, and a client that speaks TLS. */
#ifndef PPM_TESTS_LIVE_TLS_H
#define PPM_TESTS_LIVE_TLS_H

#include "tests/live_support.h"

#include <gnutls/gnutls.h>

/* Writes a new key and a certificate that it signed itself, for localhost, as PEM. */
void live_make_identity(const char *certificate_path, const char *key_path);

struct live_tls {
    int connection;
    gnutls_session_t session;
    gnutls_certificate_credentials_t trust;
};

/* Connects and shakes hands; trusted is the path of the certificate that the server must show.
 * False if it does not, or supports none of the versions in priorities (NULL: GnuTLS's default). */
bool live_tls_open(struct live_tls *ret, const struct live *live, const char *trusted,
                   const char *priorities);
void live_tls_send(struct live_tls *tls, const void *bytes, size_t count);

/* Sends close_notify and closes. */
void live_tls_close(struct live_tls *tls);

/* live_ask over TLS. */
struct live_answer live_tls_ask(const struct live *live, const char *trusted, const char *method,
                                const char *target, const char *headers, const void *body,
                                size_t body_bytes);

#endif

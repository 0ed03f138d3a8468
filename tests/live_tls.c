/* live_tls.c - see live_tls.h. */
#include "tests/live_tls.h"

#include <criterion/criterion.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- certificates ---- */

static void write_datum(const char *path, gnutls_datum_t pem)
{
    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(pem.data, 1, pem.size, file) == pem.size && fclose(file) == 0, "%s",
              path);
    gnutls_free(pem.data);
}

void live_make_identity(const char *certificate_path, const char *key_path)
{
    static const char host[] = "localhost";
    const time_t now = time(NULL);
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&certificate);
    cr_assert(gnutls_x509_privkey_generate(
                  key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "\x01", 1);
    gnutls_x509_crt_set_activation_time(certificate, now - 3600);
    gnutls_x509_crt_set_expiration_time(certificate, now + 3600);
    gnutls_x509_crt_set_dn(certificate, "CN=localhost", NULL);
    gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host, sizeof host - 1, 0);
    gnutls_x509_crt_set_key(certificate, key);
    cr_assert(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0) == 0);
    cr_assert(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem) == 0);
    write_datum(certificate_path, pem);
    cr_assert(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0);
    write_datum(key_path, pem);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

/* ---- the client ---- */

static void release(struct live_tls *tls)
{
    gnutls_deinit(tls->session);
    gnutls_certificate_free_credentials(tls->trust);
    close(tls->connection);
}

bool live_tls_open(struct live_tls *ret, const struct live *live, const char *trusted,
                   const char *priorities)
{
    struct live_tls tls = {.connection = live_connect(live)};
    int result;
    cr_assert(tls.connection >= 0);
    cr_assert(gnutls_certificate_allocate_credentials(&tls.trust) == 0 &&
              gnutls_certificate_set_x509_trust_file(tls.trust, trusted, GNUTLS_X509_FMT_PEM) == 1);
    cr_assert(gnutls_init(&tls.session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) == 0 &&
              gnutls_priority_set_direct(tls.session, priorities ? priorities : "NORMAL", NULL) ==
                  0);
    gnutls_credentials_set(tls.session, GNUTLS_CRD_CERTIFICATE, tls.trust);
    gnutls_session_set_verify_cert(tls.session, "localhost", 0);
    gnutls_transport_set_int(tls.session, tls.connection);
    gnutls_handshake_set_timeout(tls.session, LIVE_WAIT_MS);
    gnutls_record_set_timeout(tls.session, LIVE_WAIT_MS);
    do
        result = gnutls_handshake(tls.session);
    while (result != 0 && !gnutls_error_is_fatal(result));
    if (result == 0)
        *ret = tls;
    else
        release(&tls);
    return result == 0;
}

void live_tls_send(struct live_tls *tls, const void *bytes, size_t count)
{
    for (size_t sent = 0; sent < count;) {
        const ssize_t put =
            gnutls_record_send(tls->session, (const char *)bytes + sent, count - sent);
        cr_assert(put > 0, "%s", gnutls_strerror((int)put));
        sent += (size_t)put;
    }
}

void live_tls_close(struct live_tls *tls)
{
    gnutls_bye(tls->session, GNUTLS_SHUT_WR);
    release(tls);
}

/* Everything until the server closes, NUL-terminated. */
static char *receive_all(struct live_tls *tls, size_t *ret_bytes)
{
    size_t bytes = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    for (ssize_t got;
         (got = gnutls_record_recv(tls->session, text + bytes, capacity - bytes - 1));) {
        if (got < 0 && !gnutls_error_is_fatal((int)got))
            continue; /* such as a ticket for the next session */
        cr_assert(got > 0, "%s", gnutls_strerror((int)got));
        bytes += (size_t)got;
        if (capacity - bytes < 1 << 15)
            text = realloc(text, capacity *= 2);
    }
    text[bytes] = '\0';
    *ret_bytes = bytes;
    return text;
}

struct live_answer live_tls_ask(const struct live *live, const char *trusted, const char *method,
                                const char *target, const char *headers, const void *body,
                                size_t body_bytes)
{
    char head[1024];
    struct live_tls tls;
    struct live_answer answer = {0};
    cr_assert(live_tls_open(&tls, live, trusted, NULL), "%s: no handshake", target);
    const int length = snprintf(head, sizeof head,
                                "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                "Content-Length: %zu\r\n%s\r\n",
                                method, target, body_bytes, headers);
    live_tls_send(&tls, head, (size_t)length);
    live_tls_send(&tls, body, body_bytes);
    answer.head = receive_all(&tls, &answer.body_bytes);
    live_tls_close(&tls);
    char *end = strstr(answer.head, "\r\n\r\n");
    cr_assert(end != NULL && sscanf(answer.head, "HTTP/1.1 %3d ", &answer.status) == 1,
              "%s: \"%s\"", target, answer.head);
    answer.body_bytes -= (size_t)(end + 4 - answer.head);
    answer.body = malloc(answer.body_bytes + 1);
    memcpy(answer.body, end + 4, answer.body_bytes + 1);
    end[4] = '\0';
    return answer;
}

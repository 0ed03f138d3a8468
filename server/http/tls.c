/* tls.c - see tls.h. */
#include "server/http/tls.h"
#include "server/http/secret.h"

enum { CERTIFICATES_MAX = 16 };

int tls_import_certificates(const gnutls_datum_t *pem, gnutls_pcert_st **ret_certificates,
                            unsigned *ret_count)
{
    unsigned count = CERTIFICATES_MAX;
    gnutls_pcert_st *list = gnutls_calloc(count, sizeof *list);
    if (!list)
        return GNUTLS_E_MEMORY_ERROR;
    const int result = gnutls_pcert_list_import_x509_raw(list, &count, pem, GNUTLS_X509_FMT_PEM, 0);
    if (result != 0) {
        gnutls_free(list);
        return result;
    }
    *ret_certificates = list;
    *ret_count = count;
    return 0;
}

int tls_import_key(const gnutls_datum_t *pem, gnutls_privkey_t *ret_key)
{
    gnutls_privkey_t key;
    int result = gnutls_privkey_init(&key);
    if (result != 0)
        return result;
    result = gnutls_privkey_import_x509_raw(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result != 0)
        gnutls_privkey_deinit(key);
    else
        *ret_key = key;
    return result;
}

/* GnuTLS compares certificate and key when it gets both as credentials. */
static int match(const struct tls_identity *identity)
{
    gnutls_certificate_credentials_t credentials;
    int result = gnutls_certificate_allocate_credentials(&credentials);
    if (result != 0)
        return result;
    result = gnutls_certificate_set_x509_key_mem2(credentials, &identity->certificate,
                                                  &identity->key, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_certificate_free_credentials(credentials);
    return result < 0 ? result : 0;
}

static enum ppm_status check(const struct tls_identity *identity, const char *certificate_path,
                             const char *key_path, struct ppm_error *error)
{
    gnutls_pcert_st *certificates = NULL;
    gnutls_privkey_t key = NULL;
    unsigned count = 0;
    int result = tls_import_certificates(&identity->certificate, &certificates, &count);
    for (unsigned i = 0; i < count; i++)
        gnutls_pcert_deinit(&certificates[i]);
    gnutls_free(certificates);
    if (result != 0)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "tls_certificate: %s: expected 1 to %d certificates as PEM: %s",
                        certificate_path, CERTIFICATES_MAX, gnutls_strerror(result));
    result = tls_import_key(&identity->key, &key);
    if (result != 0)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "tls_key: %s: expected a private key as PEM, without a password: %s",
                        key_path, gnutls_strerror(result));
    gnutls_privkey_deinit(key);
    result = match(identity);
    if (result != 0)
        return ppm_fail(error, PPM_BAD_CONFIG, "tls_key: %s: not the key of %s: %s", key_path,
                        certificate_path, gnutls_strerror(result));
    return PPM_OK;
}

enum ppm_status tls_read(const char *certificate_path, const char *key_path,
                         struct tls_identity *ret_identity, struct ppm_error *error)
{
    struct tls_identity identity = {0};
    if (secret_read("tls_certificate", certificate_path, &identity.certificate, error) == PPM_OK &&
        secret_read("tls_key", key_path, &identity.key, error) == PPM_OK)
        check(&identity, certificate_path, key_path, error);
    if (error->status == PPM_OK)
        *ret_identity = identity;
    else
        tls_forget(&identity);
    return error->status;
}

void tls_forget(struct tls_identity *identity)
{
    secret_forget(&identity->certificate);
    secret_forget(&identity->key);
}

/* access.c - the keys and the certificate in use.
 *
 * Each handshake copies the certificate and the key, so that a reload can free the old ones at
 * once. */
#include "server/http/access.h"
#include "server/http/counts.h"
#include "server/http/keys.h"
#include "server/http/tls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct http_access {
    struct keys *keys; /* NULL: none are required */
    struct tls_identity identity;
};

/* GnuTLS' callback has no context, so there is one for the process. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct http_access *current;

/* ---- files ---- */

static void warn_of_mode(const char *setting, const char *path,
                         void (*on_warning)(const char *text))
{
    char warning[1200];
    struct stat status;
    if (!*path || stat(path, &status) != 0 || !(status.st_mode & S_IROTH))
        return;
    snprintf(warning, sizeof warning, "%s: %s: anyone can read it; mode 0600 is enough", setting,
             path);
    on_warning(warning);
}

struct http_access *http_access_read(const struct http_access_files *files,
                                     void (*on_warning)(const char *text), struct ppm_error *error)
{
    struct http_access *access = calloc(1, sizeof *access);
    if (!access)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (access && *files->keys)
        access->keys = keys_read(files->keys, error);
    if (error->status == PPM_OK && *files->tls_certificate)
        tls_read(files->tls_certificate, files->tls_key, &access->identity, error);
    if (error->status == PPM_OK) {
        warn_of_mode("keys_file", files->keys, on_warning);
        warn_of_mode("tls_key", files->tls_key, on_warning);
        return access;
    }
    http_access_free(access);
    return NULL;
}

void http_access_free(struct http_access *access)
{
    if (!access)
        return;
    keys_free(access->keys);
    tls_forget(&access->identity);
    free(access);
}

void http_access_use(struct http_access *access)
{
    pthread_rwlock_wrlock(&lock);
    struct http_access *old = current;
    current = access;
    pthread_rwlock_unlock(&lock);
    http_access_free(old);
}

/* ---- keys ---- */

/* "Bearer KEY" -> "KEY"; NULL for anything else. */
static const char *skip_scheme(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return NULL;
    authorization += strlen(scheme);
    return authorization + strspn(authorization, " ");
}

/* Whether a header's value, without trailing space, is one of the keys. */
static bool is_key(const struct keys *keys, const char *value)
{
    size_t bytes = value ? strlen(value) : 0;
    while (bytes > 0 && strchr(" \t", value[bytes - 1]))
        bytes--;
    return bytes > 0 && keys_hold(keys, value, bytes);
}

enum http_next http_check_key(struct http_request *request)
{
    const char *bearer = skip_scheme(http_header(request, "Authorization"));
    const char *api_key = http_header(request, "X-Api-Key");
    pthread_rwlock_rdlock(&lock);
    const struct keys *keys = current ? current->keys : NULL;
    const bool may_pass = !keys || is_key(keys, bearer) || is_key(keys, api_key);
    pthread_rwlock_unlock(&lock);
    if (may_pass)
        return HTTP_PROCEED;
    http_count_refusal(request->server, HTTP_UNAUTHORIZED);
    http_add_header(request, "WWW-Authenticate", "Bearer");
    return http_problem(request, 401,
                        "found %s, expected \"Authorization: Bearer KEY\" or \"X-Api-Key: KEY\"",
                        bearer || api_key ? "an unknown key" : "no key");
}

/* ---- TLS ---- */

int http_choose_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *wish,
                            gnutls_pcert_st **ret_certificates, unsigned *ret_count,
                            gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                            gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    (void)session;
    (void)wish;
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL; /* GnuTLS frees the copies */
    pthread_rwlock_rdlock(&lock);
    int result = tls_import_key(&current->identity.key, ret_key);
    if (result == 0) {
        result =
            tls_import_certificates(&current->identity.certificate, ret_certificates, ret_count);
        if (result != 0)
            gnutls_privkey_deinit(*ret_key);
    }
    pthread_rwlock_unlock(&lock);
    return result;
}

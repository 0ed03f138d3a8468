/* settings_check.c - see settings_check.h. */
#include "server/config/settings_check.h"

#include <string.h>

/* "https://maps.example.org:8443", as browsers write it: in lower case, without a path. */
static bool is_origin(const char *text, size_t bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]+";
    const size_t scheme = strcspn(text, ":");
    const char *host = text + scheme + strlen("://");
    return scheme > 0 && scheme < bytes && strncmp(text + scheme, "://", 3) == 0 &&
           strspn(text, letters) >= scheme && host < text + bytes &&
           host + strspn(host, letters) >= text + bytes;
}

static enum ppm_status check_origins(const char *origins, struct ppm_error *error)
{
    if (!*origins || strcmp(origins, "*") == 0)
        return PPM_OK;
    for (size_t bytes;; origins += bytes + 1) {
        bytes = strcspn(origins, ",");
        if (!is_origin(origins, bytes))
            return ppm_fail(error, PPM_BAD_CONFIG,
                            "cors_origins: found \"%.*s\", expected \"*\" alone or origins such as "
                            "https://example.org, without a path, in lower case",
                            (int)size_min(bytes, 60), origins);
        if (!origins[bytes])
            return PPM_OK;
    }
}

/* "example.org", "*.example.org", "192.0.2.1" or "[2001:db8::1]". */
static bool is_host(const char *text, size_t bytes)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const size_t star = bytes > 2 && strncmp(text, "*.", 2) == 0 ? 2 : 0;
    if (bytes > 2 && text[0] == '[')
        return strspn(text + 1, "0123456789abcdefABCDEF:.") == bytes - 2 && text[bytes - 1] == ']';
    return bytes > star && strspn(text + star, letters) >= bytes - star;
}

static enum ppm_status check_hosts(const char *hosts, struct ppm_error *error)
{
    if (!*hosts || strcmp(hosts, "*") == 0)
        return PPM_OK;
    for (size_t bytes;; hosts += bytes + 1) {
        bytes = strcspn(hosts, ",");
        if (!is_host(hosts, bytes))
            return ppm_fail(error, PPM_BAD_CONFIG,
                            "allowed_hosts: found \"%.*s\", expected \"*\" alone or names such as "
                            "example.org or *.example.org, without a scheme or a port",
                            (int)size_min(bytes, 60), hosts);
        if (!hosts[bytes])
            return PPM_OK;
    }
}

enum ppm_status settings_check(const struct settings *settings, struct ppm_error *error)
{
    const bool has_certificate = *settings->http.tls_certificate, has_key = *settings->http.tls_key;
    if (has_certificate != has_key)
        return ppm_fail(
            error, PPM_BAD_CONFIG, "%s: found nothing although %s is set, expected both or neither",
            has_key ? "tls_certificate" : "tls_key", has_key ? "tls_key" : "tls_certificate");
    if (check_origins(settings->http.cors_origins, error) != PPM_OK)
        return error->status;
    return check_hosts(settings->http.allowed_hosts, error);
}

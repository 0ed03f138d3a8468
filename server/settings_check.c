/* settings_check.c - what each setting alone cannot tell. */
#include "server/settings.h"

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
                            (int)(bytes < 60 ? bytes : 60), origins);
        if (!origins[bytes])
            return PPM_OK;
    }
}

enum ppm_status settings_check(const struct settings *settings, struct ppm_error *error)
{
    const bool has_certificate = *settings->tls_certificate, has_key = *settings->tls_key;
    if (has_certificate != has_key)
        return ppm_fail(
            error, PPM_BAD_CONFIG, "%s: found none beside %s, expected both of them or neither",
            has_key ? "tls_certificate" : "tls_key", has_key ? "tls_key" : "tls_certificate");
    return check_origins(settings->cors_origins, error);
}

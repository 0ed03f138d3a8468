/* secret.c - see secret.h. */
#include "server/http/secret.h"

#include <stdlib.h>

enum ppm_status secret_read(const char *setting, const char *path, gnutls_datum_t *ret_bytes,
                            struct ppm_error *error)
{
    enum { FILE_BYTES_MAX = 1 << 20 };
    size_t bytes;
    struct ppm_error unread = {0};
    char *data = ppm_read_file(path, FILE_BYTES_MAX, &bytes, &unread);
    if (!data)
        return ppm_fail(error, unread.status, "%s: %s", setting, unread.text);
    *ret_bytes = (gnutls_datum_t){.data = (unsigned char *)data, .size = (unsigned)bytes};
    return PPM_OK;
}

void secret_forget(gnutls_datum_t *bytes)
{
    if (bytes->data)
        gnutls_memset(bytes->data, 0, bytes->size);
    free(bytes->data);
    *bytes = (gnutls_datum_t){0};
}

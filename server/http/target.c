/* target.c - see target.h. RFC 9112 3.2, RFC 3986 6.2.2.2. */
#include "server/http/target.h"
#include "server/base/field_value.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            *text = '?';
}

char *http_copy_target(const char *target)
{
    char *copy = malloc(3 * strlen(target) + 1), *at = copy;
    if (!copy)
        return NULL;
    for (; *target; target++) {
        if ((unsigned char)*target > 0x20 && (unsigned char)*target < 0x7f)
            *at++ = *target;
        else
            at += sprintf(at, "%%%02X", (unsigned char)*target);
    }
    *at = '\0';
    return copy;
}

/* "http://example.org/a" -> "example.org/a"; NULL: it has no scheme. */
static const char *skip_scheme(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
            return target + strlen(schemes[i]);
    return NULL;
}

const char *http_path_in(const char *target)
{
    const char *authority = skip_scheme(target);
    return authority ? authority + strcspn(authority, "/?") : target;
}

/* Decodes %XX where it is a letter, a digit, "-", ".", "_" or "~". */
static void decode_unreserved(char *path)
{
    char *to = path;
    for (; *path && *path != '?'; path++) {
        const int high = *path == '%' ? field_hex_digit(path[1]) : -1;
        const int low = high >= 0 ? field_hex_digit(path[2]) : -1;
        const char byte = low >= 0 ? (char)(16 * high + low) : '\0';
        const bool is_unreserved =
            byte > 0 && (isalnum((unsigned char)byte) || strchr("-._~", byte));
        *to++ = is_unreserved ? byte : *path;
        path += is_unreserved ? 2 : 0;
    }
    memmove(to, path, strlen(path) + 1);
}

bool http_read_target(struct http_request *request)
{
    const char *authority = skip_scheme(request->target), *path = http_path_in(request->target);
    const size_t bytes = strlen(path), host_bytes = authority ? (size_t)(path - authority) : 0;
    char *copy = malloc(1 + bytes + 1 + host_bytes + 1);
    if (!copy)
        return false;
    request->path = copy;
    if (authority && *path != '/') /* "http://example.org" */
        *copy++ = '/';
    memcpy(copy, path, bytes + 1);
    decode_unreserved(copy);
    if (!authority)
        return true;
    request->host = memcpy(copy + bytes + 1, authority, host_bytes);
    copy[bytes + 1 + host_bytes] = '\0';
    return true;
}

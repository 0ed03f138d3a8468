/* coding.h - content codings by name, and the one that an answer may have. */
#ifndef PPM_SERVER_HTTP_CODING_H
#define PPM_SERVER_HTTP_CODING_H

#include "server/base/field_value.h"
#include "server/http/http.h"

enum http_coding { HTTP_IDENTITY, HTTP_GZIP, HTTP_DEFLATE, HTTP_CODING_COUNT };

bool http_find_coding(struct span name, enum http_coding *ret_coding); /* false: unknown */
const char *http_coding_name(enum http_coding coding);                 /* of the last two */

/* What Accept-Encoding says of each, in thousandths. */
enum { HTTP_NOT_NAMED = -1 };
struct http_codings {
    int of[HTTP_CODING_COUNT], any; /* any: of "*" */
};
#define HTTP_NO_CODINGS                                                                            \
    {                                                                                              \
        {HTTP_NOT_NAMED, HTTP_NOT_NAMED, HTTP_NOT_NAMED}, HTTP_NOT_NAMED                           \
    }
void http_weigh_codings(const char *list, struct http_codings *qualities);

/* The best coding that compresses, gzip before deflate. HTTP_IDENTITY: the client asks for none, or
 * prefers a body without one. */
enum http_coding http_best_coding(const struct http_codings *qualities);
enum http_coding http_wanted_coding(const struct http_request *request);

#endif

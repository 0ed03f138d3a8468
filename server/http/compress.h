/* compress.h - an answer's body, compressed. */
#ifndef PPM_SERVER_HTTP_COMPRESS_H
#define PPM_SERVER_HTTP_COMPRESS_H

#include "server/http/coding.h"

/* http_compress into that coding. */
bool http_compress_as(struct http_request *request, enum http_coding coding);

#endif

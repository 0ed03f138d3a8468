/* ids.h - identifiers of requests and spans. */
#ifndef PPM_SERVER_HTTP_IDS_H
#define PPM_SERVER_HTTP_IDS_H

#include "server/http/http.h"

/* 16 hexadecimal digits, different each time, not secret. */
void http_random_hex(char ret_digits[HTTP_SPAN_ID_BYTES]);

/* The client's own id where it is safe in logs and headers, or random digits. sent may be NULL. */
void http_choose_id(const char *sent, char ret_id[HTTP_ID_BYTES]);

#endif

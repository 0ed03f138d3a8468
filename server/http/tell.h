/* tell.h - a refusal in the middle of a head or a body, past the library. */
#ifndef PPM_SERVER_HTTP_TELL_H
#define PPM_SERVER_HTTP_TELL_H

#include "server/http/connection.h"

/* Sends a refusal where nothing of an answer was sent yet. Not over TLS: there http_write_told
 * returns the text, to be freed; NULL: no memory. The connection's request must neither begin nor
 * end meanwhile. */
void http_tell(const struct http_connection *connection, unsigned status, const char *detail);
char *http_write_told(const struct http_connection *connection, unsigned status,
                      const char *detail);

#endif

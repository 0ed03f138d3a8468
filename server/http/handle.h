/* handle.h - the library's callbacks for a request. */
#ifndef PPM_SERVER_HTTP_HANDLE_H
#define PPM_SERVER_HTTP_HANDLE_H

#include <microhttpd.h>

/* Its request line has come; its head, and each piece of its body; it has ended. */
void *http_on_target(void *context, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *piece,
                                size_t *piece_bytes, void **state);
void http_on_completed(void *context, struct MHD_Connection *mhd, void **state,
                       enum MHD_RequestTerminationCode why);

#endif

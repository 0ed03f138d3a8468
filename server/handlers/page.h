/* page.h - GET / and GET /page/{file}: the page in server/page/. */
#ifndef PPM_SERVER_HANDLERS_PAGE_H
#define PPM_SERVER_HANDLERS_PAGE_H

#include "server/http/http.h"

/* Needs no key, as a browser's address bar sends none. Requests made by the page need one. */
enum http_next page_finish(struct http_request *request);

#endif

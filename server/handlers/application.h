/* application.h - what server/http/ has to know of this application. */
#ifndef PPM_SERVER_HANDLERS_APPLICATION_H
#define PPM_SERVER_HANDLERS_APPLICATION_H

#include "server/http/http.h"

/* The context of its handlers is a struct app. */
extern const struct http_application handlers_application;

#endif

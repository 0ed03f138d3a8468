/* observe.h - metrics and the log line of each answer. */
#ifndef PPM_SERVER_SERVICE_OBSERVE_H
#define PPM_SERVER_SERVICE_OBSERVE_H

#include "server/config/settings.h"
#include "server/http/http.h"

/* Takes up the settings of the log. */
void observe_configure(const struct settings *settings);

/* http_options.on_answer: counts it, and writes its line to the log. */
void observe_answer(const struct http_request *request);

/* http_options.on_refusal and on_abort: counted. */
void observe_refusal(enum http_refusal why);
void observe_abort(enum http_abort why, enum http_stage stage);

/* http_options.on_message: the HTTP library's messages, at log level debug. */
void observe_message(const char *text);

#endif

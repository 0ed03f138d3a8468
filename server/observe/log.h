/* log.h - one line a record, to stderr, as text or as JSON. A stderr that cannot be written to
 * stops nothing: the line is lost. Any thread may log; a line is written at once, so that lines of
 * several threads do not mix. */
#ifndef PPM_SERVER_OBSERVE_LOG_H
#define PPM_SERVER_OBSERVE_LOG_H

#include "server/base/log_level.h"

#include <stddef.h>

/* What is logged from now on: this level and those more severe. Info and text at start. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* "2026-01-31T12:00:00.123Z info  text" or {"time": "...", "level": "info", "message": "text"}.
 * Bytes that are not printable ASCII are written as \x1b; long texts are cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text alone, or as a record of JSON: for what is said whatever the level. */
void log_announce(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An answered request; printable ASCII all of it. */
struct log_request {
    const char *id, *client, *method, *target;
    const char *route, *model;                  /* NULL: none */
    const char *trace_id, *parent_id, *span_id; /* NULL: the client traces nothing */
    unsigned status;
    size_t bytes_in, bytes_out; /* of the bodies */
    double total_ms, queue_ms, decode_ms, compute_ms, encode_ms;
};

/* A record of level info. */
void log_request(const struct log_request *request);

#endif

/* log.h - records, each a line on stderr, as text or JSON. If stderr cannot be written to, the line
 * is lost. Any thread may log; a line is written in one piece, so lines of several threads do not
 * mix. */
#ifndef PPM_SERVER_OBSERVE_LOG_H
#define PPM_SERVER_OBSERVE_LOG_H

#include "server/base/log_level.h"

#include <stddef.h>

/* Logs this level and more severe ones from now on. Info and text at the start. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* "2026-01-31T12:00:00.123Z info  text" or {"time": "...", "level": "info", "message": "text"}.
 * Bytes that are not printable ASCII become \x1b; a long text is cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text alone, or a JSON record, whatever the level. */
void log_announce(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An answered request. All text is printable ASCII. */
struct log_request {
    const char *id, *client, *method, *target;
    const char *route, *model;                  /* NULL: none */
    const char *trace_id, *parent_id, *span_id; /* NULL: the client sent no trace */
    unsigned status;
    size_t bytes_in, bytes_out; /* of the bodies */
    double total_ms, queue_ms, decode_ms, compute_ms, encode_ms;
    size_t image_width, image_height; /* 0: no image came */
};

/* A record of level error if it failed (5xx), warn if it was refused (4xx) or slow, else info.
 * Those of info are left out by a higher log level; the others are not, but then of those refused,
 * and of those turned away (503), at most LOG_REFUSED_PER_S each are written in a second. log_tick
 * says how many more there were. */
enum { LOG_REFUSED_PER_S = 10 };
void log_request(const struct log_request *request);

/* A request is slow if its total_ms is more than this; 0, as at the start: none is. */
void log_set_slow_ms(size_t ms);

/* Call it a few times in a second, and log_flush before the process ends: writes how many requests
 * log_request left out, if any. */
void log_tick(void);
void log_flush(void);

#endif

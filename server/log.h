/* log.h - one line a record, to stderr, with the time; untrusted bytes are made printable. */
#ifndef PPM_SERVER_LOG_H
#define PPM_SERVER_LOG_H

#include "server/settings.h"

/* What is logged from now on: this level and those more severe. Info at start. */
void log_set_level(enum log_level level);

/* "2026-01-31T12:00:00.123Z info  text". A stderr that cannot be written to stops nothing. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

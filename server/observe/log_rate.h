/* log_rate.h - a bound on lines per second that counts what it leaves out. The caller locks. */
#ifndef PPM_SERVER_OBSERVE_LOG_RATE_H
#define PPM_SERVER_OBSERVE_LOG_RATE_H

#include <stdbool.h>
#include <stddef.h>

/* Of the second that began with a line. */
struct log_rate {
    size_t lines_max;
    double began_s; /* monotonic */
    size_t lines, left_out;
};

/* Whether one more line may be written now; if not, it is counted as left out. */
bool log_rate_take(struct log_rate *rate, double now_s);

/* The number of lines left out, once their second is over, and forgets them. Call it before
 * log_rate_take, which may begin the next second. */
size_t log_rate_left_out(struct log_rate *rate, double now_s);

#endif

/* metrics_text.h - the metrics in Prometheus' text format. */
#ifndef PPM_SERVER_OBSERVE_METRICS_TEXT_H
#define PPM_SERVER_OBSERVE_METRICS_TEXT_H

#include <stddef.h>

/* What is measured when the text is written. */
struct metrics_gauges {
    size_t in_flight, queued, bytes_in_flight, bytes_kept, connections, models, threads;
    size_t queue_max, memory_max_bytes, connections_max; /* their limits */
    double started_s;                                    /* seconds since 1970 */
    const char *isa;
    int is_ready;
};

/* Prometheus text format 0.0.4; the caller frees it. NULL: no memory. */
char *metrics_text(const struct metrics_gauges *gauges, size_t *ret_bytes);

#endif

/* metrics.h - what the server counts, as Prometheus text. Any thread may count. */
#ifndef PPM_SERVER_METRICS_H
#define PPM_SERVER_METRICS_H

#include <stddef.h>

struct metrics; /* counters of the process; all label values are bounded */

struct metrics *metrics_create(void); /* NULL: no memory */
void metrics_free(struct metrics *metrics);

/* One answered request: route is a pattern of the route table, "" for what matched none. */
void metrics_count(struct metrics *metrics, const char *route, unsigned status, double total_s,
                   double queue_s, double compute_s);

/* What is read when the text is made. */
struct metrics_gauges {
    size_t in_flight, queued, bytes_in_flight, models, threads;
    const char *isa;
    int is_ready;
};

/* Prometheus text format 0.0.4; the caller frees it. NULL: no memory. */
char *metrics_text(struct metrics *metrics, const struct metrics_gauges *gauges, size_t *ret_bytes);

#endif

/* metrics_process.h - metrics of the process. */
#ifndef PPM_SERVER_OBSERVE_METRICS_PROCESS_H
#define PPM_SERVER_OBSERVE_METRICS_PROCESS_H

#include "server/observe/metrics_page.h"

/* What Prometheus' own client libraries report of every process, except its start. */
void metrics_print_process(struct metrics_page *page);

#endif

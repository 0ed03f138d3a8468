/* metrics_page.h - the page of metrics while it is printed. */
#ifndef PPM_SERVER_OBSERVE_METRICS_PAGE_H
#define PPM_SERVER_OBSERVE_METRICS_PAGE_H

#include <stdbool.h>
#include <stdio.h>

/* Neither ferror nor fclose reports that a stream into memory could not grow. */
struct metrics_page {
    FILE *file;
    bool is_short; /* something is missing for lack of memory */
};

void metrics_print(struct metrics_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "# HELP" and "# TYPE"; and then one sample. kind: "gauge" or "counter". */
void metrics_print_head(struct metrics_page *page, const char *name, const char *kind,
                        const char *help);
void metrics_print_value(struct metrics_page *page, const char *name, const char *kind,
                         const char *help, double value);

#endif

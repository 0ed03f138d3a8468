/* metrics_counts.h - what metrics.c counts, for metrics_text.c to print. */
#ifndef PPM_SERVER_OBSERVE_METRICS_COUNTS_H
#define PPM_SERVER_OBSERVE_METRICS_COUNTS_H

#include "server/observe/metrics.h"

enum metrics_histogram {
    HISTOGRAM_REQUEST,
    HISTOGRAM_QUEUE,
    HISTOGRAM_DECODE,
    HISTOGRAM_COMPUTE,
    HISTOGRAM_ENCODE,
    HISTOGRAM_BATCH,
    HISTOGRAM_IMAGE_DECODE,
    HISTOGRAM_IMAGE_PIXELS,
    HISTOGRAM_COUNT
};

enum { BOUNDS_MAX = 17, MODELS_MAX = 256, MODEL_BYTES = 128, SERIES_MAX = 512 };

/* bounds are the buckets' inclusive upper bounds; one more bucket is for values above the last. */
struct histogram_kind {
    const char *name, *help;
    const double *bounds;
    size_t bound_count;
};
extern const struct histogram_kind metrics_histograms[HISTOGRAM_COUNT];

struct histogram {
    unsigned long long buckets[BOUNDS_MAX + 1];
    double sum;
};

struct series {
    const char *route;
    unsigned status;
    unsigned long long count;
};

struct model_counts {
    char model[MODEL_BYTES];
    struct histogram histograms[HISTOGRAM_COUNT];
    struct series series[SERIES_MAX];
    size_t series_count;
    struct metrics_model totals;
};

struct metrics_counts {
    unsigned long long rejected[METRICS_REJECTION_COUNT];
    unsigned long long cancelled[METRICS_CANCELLATION_COUNT][METRICS_STAGE_COUNT];
    size_t model_count;                     /* after the first */
    struct model_counts models[MODELS_MAX]; /* the first is "none", the last "other" */
};

/* A copy of all counts, which the caller frees. NULL: no memory. */
struct metrics_counts *metrics_snapshot(void);

#endif

/* metrics.c - see metrics.h. */
#include "server/observe/metrics.h"
#include "server/observe/metrics_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Requests take from 0.1 ms, for a small model, to 30 s, for large batches. */
static const double seconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
static const double sizes[] = {1, 2, 4, 8, 16, 32, 64};
/* From a thumbnail to more than the default of image_pixels_max. */
static const double pixels[] = {1e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7, 5e7};
enum {
    SECONDS = sizeof seconds / sizeof *seconds,
    SIZES = sizeof sizes / sizeof *sizes,
    PIXELS = sizeof pixels / sizeof *pixels
};
_Static_assert((int)SECONDS <= BOUNDS_MAX && (int)SIZES <= BOUNDS_MAX && (int)PIXELS <= BOUNDS_MAX,
               "BOUNDS_MAX is too small");

const struct histogram_kind metrics_histograms[HISTOGRAM_COUNT] = {
    [HISTOGRAM_REQUEST] = {"ppm_request_seconds", "From a request's head to its answer.", seconds,
                           SECONDS},
    [HISTOGRAM_QUEUE] = {"ppm_queue_seconds", "Time in the queue.", seconds, SECONDS},
    [HISTOGRAM_DECODE] = {"ppm_decode_seconds", "From body to tensor.", seconds, SECONDS},
    [HISTOGRAM_COMPUTE] = {"ppm_compute_seconds", "From tensor to tensor.", seconds, SECONDS},
    [HISTOGRAM_ENCODE] = {"ppm_encode_seconds", "From tensor to answer.", seconds, SECONDS},
    [HISTOGRAM_BATCH] = {"ppm_batch_size", "Requests computed together.", sizes, SIZES},
    [HISTOGRAM_IMAGE_DECODE] = {"ppm_image_decode_seconds", "From a JPEG or PNG to pixels.",
                                seconds, SECONDS},
    [HISTOGRAM_IMAGE_PIXELS] = {"ppm_image_pixels", "Pixels of an image.", pixels, PIXELS},
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct metrics_counts counts;

/* Under the lock. */
static struct model_counts *find_model(const char *name)
{
    if (!name)
        return &counts.models[0];
    for (size_t i = 1; i <= counts.model_count; i++)
        if (strcmp(counts.models[i].model, name) == 0)
            return &counts.models[i];
    if (counts.model_count == MODELS_MAX - 1)
        return &counts.models[MODELS_MAX - 1];
    struct model_counts *model = &counts.models[++counts.model_count];
    snprintf(model->model, sizeof model->model, "%s",
             counts.model_count < MODELS_MAX - 1 ? name : "other");
    return model;
}

static void observe(struct model_counts *model, enum metrics_histogram which, double value)
{
    const struct histogram_kind *kind = &metrics_histograms[which];
    size_t bucket = 0;
    while (bucket < kind->bound_count && value > kind->bounds[bucket])
        bucket++;
    model->histograms[which].buckets[bucket]++;
    model->histograms[which].sum += value;
}

static void observe_stage(struct model_counts *model, enum metrics_histogram which, double value_s)
{
    if (value_s > 0)
        observe(model, which, value_s);
}

/* There is room for all routes with all statuses in use; any more would share the last one. */
static void count_status(struct model_counts *model, const char *route, unsigned status)
{
    struct series *series = model->series;
    const struct series *end = series + model->series_count;
    while (series < end && (series->status != status || strcmp(series->route, route) != 0))
        series++;
    if (series == end && model->series_count == SERIES_MAX)
        series--;
    else if (series == end)
        model->series[model->series_count++] = (struct series){.route = route, .status = status};
    series->count++;
}

static void add(struct metrics_sum *sum, const struct metrics_request *request)
{
    sum->count++;
    sum->request_s += request->request_s;
    sum->queue_s += request->queue_s;
    sum->decode_s += request->decode_s;
    sum->compute_s += request->compute_s;
    sum->encode_s += request->encode_s;
}

static void add_to_totals(struct metrics_model *totals, const struct metrics_request *request)
{
    const size_t together = request->together;
    if (request->status != 200) {
        add(&totals->failed, request);
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    totals->last_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    add(&totals->succeeded, request);
    add(&totals->together[together < METRICS_TOGETHER_MAX ? together : METRICS_TOGETHER_MAX],
        request);
}

void metrics_answered(const struct metrics_request *request)
{
    pthread_mutex_lock(&mutex);
    struct model_counts *model = find_model(request->model);
    count_status(model, request->route ? request->route : "none", request->status);
    if (request->model)
        add_to_totals(&model->totals, request);
    observe(model, HISTOGRAM_REQUEST, request->request_s);
    observe_stage(model, HISTOGRAM_QUEUE, request->queue_s);
    observe_stage(model, HISTOGRAM_DECODE, request->decode_s);
    observe_stage(model, HISTOGRAM_COMPUTE, request->compute_s);
    observe_stage(model, HISTOGRAM_ENCODE, request->encode_s);
    observe_stage(model, HISTOGRAM_IMAGE_DECODE, request->image_decode_s);
    if (request->image_decode_s > 0)
        observe(model, HISTOGRAM_IMAGE_PIXELS, (double)request->image_pixels);
    pthread_mutex_unlock(&mutex);
}

void metrics_rejected(enum metrics_rejection reason)
{
    pthread_mutex_lock(&mutex);
    counts.rejected[reason]++;
    pthread_mutex_unlock(&mutex);
}

void metrics_cancelled(enum metrics_cancellation reason, enum metrics_stage stage)
{
    pthread_mutex_lock(&mutex);
    counts.cancelled[reason][stage]++;
    pthread_mutex_unlock(&mutex);
}

void metrics_batch(const char *model, size_t size)
{
    pthread_mutex_lock(&mutex);
    observe(find_model(model), HISTOGRAM_BATCH, (double)size);
    pthread_mutex_unlock(&mutex);
}

void metrics_add_model(const char *model)
{
    pthread_mutex_lock(&mutex);
    find_model(model);
    pthread_mutex_unlock(&mutex);
}

void metrics_of_model(const char *name, struct metrics_model *ret_model)
{
    memset(ret_model, 0, sizeof *ret_model);
    pthread_mutex_lock(&mutex);
    for (size_t i = 1; i <= counts.model_count; i++)
        if (strcmp(counts.models[i].model, name) == 0)
            *ret_model = counts.models[i].totals;
    pthread_mutex_unlock(&mutex);
}

struct metrics_counts *metrics_snapshot(void)
{
    struct metrics_counts *copy = malloc(sizeof *copy); /* never touched beyond the models in use */
    if (!copy)
        return NULL;
    pthread_mutex_lock(&mutex);
    memcpy(copy, &counts,
           offsetof(struct metrics_counts, models) +
               (1 + counts.model_count) * sizeof *counts.models);
    pthread_mutex_unlock(&mutex);
    snprintf(copy->models[0].model, sizeof copy->models[0].model, "none");
    return copy;
}

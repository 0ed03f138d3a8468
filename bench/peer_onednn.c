/*
 * peer_onednn.c - the contender oneDNN: the bottleneck's convolution alone, over the concatenated
 * channels, in float32 and in whatever layouts the library likes best. bench/peers starts it and
 * talks to it in lines:
 *
 *     load N C H W OUT KERNEL    -> {"implementation": "..."}
 *     run SECONDS                -> {"median_ms": ..., "runs": ...}
 *     threads COUNT, version     -> {...}
 */
#include <dnnl.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PARTS = 3, RUNS_MAX = 100000 };

/* Source, weights, destination, in this order everywhere. */
struct convolution {
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    dnnl_memory_t memories[PARTS];
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "peer_onednn: %s: status %d\n", what, (int)status);
    exit(EXIT_FAILURE);
}

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void release(struct convolution *conv)
{
    if (!conv->primitive)
        return;
    for (int i = 0; i < PARTS; i++)
        dnnl_memory_destroy(conv->memories[i]);
    dnnl_primitive_destroy(conv->primitive);
    dnnl_primitive_desc_destroy(conv->descriptor);
    *conv = (struct convolution){0};
}

/* Values in [-1, 1), none of them denormal. */
static void fill(dnnl_memory_t memory, size_t bytes)
{
    void *data;
    check(dnnl_memory_get_data_handle(memory, &data), "memory");
    float *values = data;
    unsigned state = 1;
    for (size_t i = 0; i < bytes / sizeof(float); i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-23f - 1;
    }
}

static dnnl_memory_t allocate(dnnl_primitive_desc_t descriptor, dnnl_query_t part)
{
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(descriptor, part, 0);
    dnnl_memory_t memory;
    check(dnnl_memory_create(&memory, layout, engine, DNNL_MEMORY_ALLOCATE), "memory");
    fill(memory, dnnl_memory_desc_get_size(layout));
    return memory;
}

/* shape: N, C, H, W, OUT, KERNEL; the convolution keeps the size. */
static void load(struct convolution *conv, const long *shape)
{
    const dnnl_dims_t source = {shape[0], shape[1], shape[2], shape[3]};
    const dnnl_dims_t weights = {shape[4], shape[1], shape[5], shape[5]};
    const dnnl_dims_t destination = {shape[0], shape[4], shape[2], shape[3]};
    const dnnl_dims_t strides = {1, 1}, padding = {shape[5] / 2, shape[5] / 2};
    const dnnl_dim_t *dims[PARTS] = {source, weights, destination};
    static const dnnl_query_t parts[PARTS] = {dnnl_query_src_md, dnnl_query_weights_md,
                                              dnnl_query_dst_md};
    dnnl_memory_desc_t any[PARTS];
    dnnl_convolution_desc_t operation;
    release(conv);
    for (int i = 0; i < PARTS; i++)
        check(dnnl_memory_desc_init_by_tag(&any[i], 4, dims[i], dnnl_f32, dnnl_format_tag_any),
              "shape");
    check(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference,
                                             dnnl_convolution_auto, &any[0], &any[1], NULL, &any[2],
                                             strides, padding, padding),
          "convolution");
    check(dnnl_primitive_desc_create(&conv->descriptor, &operation, NULL, engine, NULL), "layouts");
    check(dnnl_primitive_create(&conv->primitive, conv->descriptor), "primitive");
    for (int i = 0; i < PARTS; i++)
        conv->memories[i] = allocate(conv->descriptor, parts[i]);
    const char *name = "";
    dnnl_primitive_desc_query(conv->descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
    printf("{\"implementation\": \"%s\"}\n", name);
}

static double run_once(const struct convolution *conv)
{
    const dnnl_exec_arg_t arguments[PARTS] = {{DNNL_ARG_SRC, conv->memories[0]},
                                              {DNNL_ARG_WEIGHTS, conv->memories[1]},
                                              {DNNL_ARG_DST, conv->memories[2]}};
    const double start_s = now_s();
    check(dnnl_primitive_execute(conv->primitive, stream, PARTS, arguments), "execution");
    check(dnnl_stream_wait(stream), "execution");
    return 1e3 * (now_s() - start_s);
}

static void measure(const struct convolution *conv, double seconds)
{
    static double times_ms[RUNS_MAX];
    size_t runs = 0;
    if (!conv->primitive)
        check(dnnl_invalid_arguments, "nothing is loaded");
    run_once(conv);
    const double end_s = now_s() + seconds;
    do
        times_ms[runs++] = run_once(conv);
    while (runs < RUNS_MAX && now_s() < end_s);
    qsort(times_ms, runs, sizeof *times_ms, by_value);
    printf("{\"median_ms\": %.6g, \"runs\": %zu}\n", times_ms[runs / 2], runs);
}

static bool answer(struct convolution *conv, const char *line)
{
    long shape[6];
    double seconds;
    int threads;
    if (sscanf(line, "load %ld %ld %ld %ld %ld %ld", &shape[0], &shape[1], &shape[2], &shape[3],
               &shape[4], &shape[5]) == 6) {
        load(conv, shape);
    } else if (sscanf(line, "run %lf", &seconds) == 1) {
        measure(conv, seconds);
    } else if (sscanf(line, "threads %d", &threads) == 1 && threads > 0) {
        omp_set_num_threads(threads);
        printf("{\"threads\": %d}\n", threads);
    } else {
        const dnnl_version_t *version = dnnl_version();
        printf("{\"version\": \"%d.%d.%d\"}\n", version->major, version->minor, version->patch);
    }
    return fflush(stdout) == 0;
}

int main(void)
{
    char line[256];
    struct convolution conv = {0};
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    while (fgets(line, sizeof line, stdin) && answer(&conv, line))
        continue;
    release(&conv);
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return EXIT_SUCCESS;
}

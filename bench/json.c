/*
 * json.c - what a JSON number costs: ours compared with jansson, on one core.
 *
 *     json [ROUNDS]    medians of ROUNDS (9) rounds, in which both run
 *
 * Reading compares codec_decode with json_loadb and a walk through its array; writing compares
 * codec_encode with json_dumps of an existing array.
 */
#include "server/codec/json/json.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHANNELS = 64, PIXELS = 60 * 60, COUNT = CHANNELS * PIXELS, ROUNDS_MAX = 99 };

static const struct kind {
    const char *name, *format; /* NULL: as the server prints it */
    int step;                  /* integers: how far apart; 0: floats */
} kinds[] = {{"float32, shortest", NULL, 0},
             {"float32 as doubles (Python)", "%.17g", 0},
             {"\"%.6f\"", "%.6f", 0},
             {"integers 0 to 255", "%.0f", 256}};

struct sample {
    float *values;
    char *body, *text; /* with its shape; the array alone */
    size_t body_bytes, text_bytes, written_bytes;
    char *written; /* our output, and its size */
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "json: %s\n", what);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        fail("no memory");
    return memory;
}

/* A normal distribution after a ReLU, without the zeros; or integers. */
static float draw(const struct kind *kind, unsigned *state)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 1664525 + 1013904223;
        sum += (double)(*state >> 8) / (1 << 24) - 0.5;
    }
    return kind->step ? (float)((*state >> 8) % (unsigned)kind->step) : (float)(1.7 * sum);
}

static struct ppm_tensor tensor_of(float *values)
{
    return (struct ppm_tensor){.shape = {1, CHANNELS, 60, 60},
                               .layout = PPM_NCHW,
                               .dtype = PPM_FLOAT32,
                               .is_batch = true,
                               .data = values};
}

static struct codec_bytes encode(float *values)
{
    struct ppm_tensor tensor = tensor_of(values);
    struct codec_bytes bytes = {0};
    struct ppm_error error = {0};
    if (codec_encode(&codec_json,
                     &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1}, &bytes,
                     &error) != PPM_OK)
        fail(error.text);
    return bytes;
}

static void write_numbers(const struct kind *kind, struct sample *sample)
{
    char *to = sample->body;
    to += sprintf(to, "{\"shape\": [1, %d, 60, 60], \"data\": [", CHANNELS);
    for (size_t i = 0; i < COUNT; i++) {
        to += sprintf(to, kind->format, (double)sample->values[i]);
        *to++ = ',';
    }
    memcpy(to - 1, "]}", 3);
    sample->body_bytes = (size_t)(to + 1 - sample->body);
}

static struct sample make_sample(const struct kind *kind)
{
    struct sample sample = {.values = allocate(COUNT * sizeof(float))};
    unsigned state = 1;
    for (size_t i = 0; i < COUNT; i++)
        sample.values[i] = draw(kind, &state);
    if (kind->format) {
        sample.body = allocate(32 * COUNT + 1024);
        write_numbers(kind, &sample);
    } else {
        const struct codec_bytes bytes = encode(sample.values);
        sample.body = bytes.data;
        sample.body_bytes = bytes.size;
    }
    const char *data = strstr(sample.body, "\"data\": ");
    sample.text = allocate(sample.body_bytes);
    sample.text_bytes = sample.body_bytes - (size_t)(data + 8 - sample.body) - 1;
    memcpy(sample.text, data + 8, sample.text_bytes);
    const struct codec_bytes written = encode(sample.values);
    sample.written = written.data;
    sample.written_bytes = written.size;
    return sample;
}

static json_t *make_tree(const float *values)
{
    json_t *array = json_array();
    for (size_t i = 0; i < COUNT; i++)
        if (json_array_append_new(array, json_real((double)values[i])) != 0)
            fail("no memory");
    return array;
}

/* ---- the four timed functions ---- */

static double read_ours(const struct sample *sample, const json_t *tree)
{
    const struct codec_expectation expectation = {.channels = CHANNELS, .model = "m"};
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    (void)tree;
    const double begun_s = now_s();
    if (codec_decode(&codec_json, sample->body, sample->body_bytes, &expectation, &tensor,
                     &error) != PPM_OK)
        fail(error.text);
    const double took_s = now_s() - begun_s;
    ppm_tensor_free(&tensor);
    return took_s;
}

static double read_jansson(const struct sample *sample, const json_t *tree)
{
    static float values[COUNT];
    json_t *value;
    size_t i;
    (void)tree;
    const double begun_s = now_s();
    json_t *array = json_loadb(sample->text, sample->text_bytes, 0, NULL);
    json_array_foreach(array, i, value) values[i] = (float)json_number_value(value);
    json_decref(array);
    const double took_s = now_s() - begun_s;
    if (memcmp(values, sample->values, sizeof values) != 0 &&
        fabsf(values[7] - sample->values[7]) > 1e-5f)
        fail("jansson has read other values");
    return took_s;
}

static double write_ours(const struct sample *sample, const json_t *tree)
{
    struct ppm_tensor tensor = tensor_of(sample->values);
    struct ppm_error error = {0};
    size_t bytes = 0;
    (void)tree;
    const double begun_s = now_s();
    /* like the server, into memory that was used before */
    if (codec_json.encode(
            &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1, .cancel = NULL},
            sample->written, &bytes, &error) != PPM_OK)
        fail(error.text);
    return now_s() - begun_s;
}

static double write_jansson(const struct sample *sample, const json_t *tree)
{
    (void)sample;
    const double begun_s = now_s();
    char *text = json_dumps(tree, JSON_COMPACT);
    const double took_s = now_s() - begun_s;
    if (!text)
        fail("no memory");
    free(text);
    return took_s;
}

/* ---- rounds ---- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, compare);
    return times[count / 2];
}

typedef double timed(const struct sample *sample, const json_t *tree);

static void report(const char *what, const struct kind *kind, const struct sample *sample,
                   size_t bytes, timed *ours, timed *theirs, const json_t *tree, int rounds)
{
    double our_s[ROUNDS_MAX], their_s[ROUNDS_MAX];
    for (int i = -1; i < rounds; i++) {
        const double a_s = ours(sample, tree), b_s = theirs(sample, tree);
        if (i >= 0)
            our_s[i] = a_s, their_s[i] = b_s;
    }
    const double our_ns = 1e9 * median(our_s, rounds) / COUNT,
                 their_ns = 1e9 * median(their_s, rounds) / COUNT;
    printf("%-8s%-29s%8.1f%10.1f%8.1fx%9.0f\n", what, kind->name, our_ns, their_ns,
           their_ns / our_ns, 1e3 * (double)bytes / COUNT / our_ns);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const int asked = argc > 1 ? atoi(argv[1]) : 9;
    const int rounds = asked < 1 ? 1 : asked > ROUNDS_MAX ? ROUNDS_MAX : asked;
    printf("%d values, CPU time of one thread, medians of %d rounds\n", COUNT, rounds);
    printf("%-37s%8s%10s%9s%9s\n", "", "ours ns", "jansson ns", "ratio", "our MB/s");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sample sample = make_sample(&kinds[i]);
        report("read", &kinds[i], &sample, sample.text_bytes, read_ours, read_jansson, NULL,
               rounds);
        json_t *tree = make_tree(sample.values);
        if (!kinds[i].format || kinds[i].step)
            report("write", &kinds[i], &sample, sample.written_bytes, write_ours, write_jansson,
                   tree, rounds);
        json_decref(tree);
        free(sample.text);
        free(sample.written);
        free(sample.body);
        free(sample.values);
    }
    return 0;
}

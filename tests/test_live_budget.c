/* test_live_budget.c - a request is charged what the process grows by, and what requests leave is
 * freed. */
#include "core/ppm.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* With sanitizers or emulators, resident memory means something else. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)

/* A connection takes memory as well, and the kernel counts pages in batches. */
enum { IDLE_MS = 6000, HEAD_BYTES = 192, SLACK_BYTES = 256 << 10 };

/* A huge page is resident as a whole, however little of it is used, so disable them. The server
 * inherits this. */
static void use_small_pages(void)
{
    cr_assert_eq(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

TestSuite(live_budget, .init = use_small_pages, .timeout = 300);

static size_t status_bytes(const struct live *live, const char *key)
{
    char path[64];
    size_t bytes = 0, kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)live->pid);
    char *text = live_read_file(path, &bytes);
    const char *found = strstr(text, key);
    cr_assert(found && sscanf(found + strlen(key), ": %zu", &kib) == 1, "%s", key);
    free(text);
    return kib << 10;
}

/* Resets VmHWM, the peak of resident memory. */
static void forget_peak(const struct live *live)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)live->pid);
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(file >= 0 && write(file, "5", 1) == 1, "%s", path);
    close(file);
}

struct subject {
    const char *name, *model, *threads;
    size_t channels, h, w;
    struct live live;
    size_t x_bytes, charge;
    char target[64];
};

/* What a request is charged. */
static size_t count_charge(const struct subject *subject)
{
    const struct ppm_sizes sizes = {.inputs = {{1, subject->channels, subject->h, subject->w}},
                                    .count = 1};
    struct ppm_error error = {0};
    struct ppm_costs costs;
    struct ppm_model *model = ppm_model_load(subject->model, NULL, &error);
    cr_assert(model && ppm_model_costs(model, &sizes, PPM_NCHW, atoi(subject->threads), &costs,
                                       &error) == PPM_OK,
              "%s", error.text);
    ppm_model_free(model);
    return costs.input_bytes + costs.working_bytes + HEAD_BYTES;
}

static void start(struct subject *subject, size_t memory_max_bytes)
{
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%zu", memory_max_bytes);
    snprintf(subject->target, sizeof subject->target, "/ppm?shape=1,%zu,%zu,%zu", subject->channels,
             subject->h, subject->w);
    live_start(&subject->live,
               LIST("--model", subject->model, "--threads", subject->threads, "--http-threads", "1",
                    "--memory-max-bytes", bytes, "--pool-on-arrival-bytes", "0"),
               NULL);
    subject->x_bytes = subject->channels * subject->h * subject->w * sizeof(float);
}

static int post(const struct subject *subject)
{
    char *x = malloc(subject->x_bytes);
    memset(x, 0x3f, subject->x_bytes);
    struct live_answer answer =
        live_ask(&subject->live, "POST", subject->target,
                 "Content-Type: application/octet-stream\r\n", x, subject->x_bytes);
    const int status = answer.status;
    live_answer_free(&answer);
    free(x);
    return status;
}

/* The cases of bench/README.md, each with a server whose budget is exactly what one request is
 * charged: it is answered, and the process grows by that, not by more and hardly by less. With a
 * byte less the request is refused. Small cases use one thread, as the second of two may idle. */
Test(live_budget, a_request_is_charged_what_it_takes)
{
    static struct subject subjects[] = {
        {.name = "A",
         .threads = "2",
         .model = "bench/models/pspnet-1x1.json",
         .channels = 2048,
         .h = 60,
         .w = 60},
        {.name = "B",
         .threads = "2",
         .model = "bench/models/psp-2048.json",
         .channels = 2048,
         .h = 60,
         .w = 60},
        {.name = "D",
         .threads = "1",
         .model = "configs/models/fast-scnn.json",
         .channels = 128,
         .h = 32,
         .w = 64},
        {.name = "E",
         .threads = "1",
         .model = "configs/models/mobilenet-pspnet.json",
         .channels = 320,
         .h = 30,
         .w = 30},
        {.name = "F",
         .threads = "1",
         .model = "configs/models/listing2-pytorch-psp.json",
         .channels = 3,
         .h = 30,
         .w = 30},
        {.name = "G",
         .threads = "2",
         .model = "bench/models/pspnet-3x3.json",
         .channels = 2048,
         .h = 60,
         .w = 60},
    };
    for (size_t i = 0; i < COUNT(subjects); i++) {
        struct subject *subject = &subjects[i];
        subject->charge = count_charge(subject);
        if (subject->channels < 1000) { /* the other models take long to load */
            start(subject, subject->charge - 1);
            cr_expect_eq(post(subject), 413, "%s: with a byte less", subject->name);
            live_stop(&subject->live);
        }
        start(subject, subject->charge);
        cr_expect_eq(post(subject), 200, "%s: the first one", subject->name);
    }
    live_sleep_ms(IDLE_MS); /* what they left is freed */
    for (size_t i = 0; i < COUNT(subjects); i++) {
        const struct subject *subject = &subjects[i];
        forget_peak(&subject->live);
        const size_t before = status_bytes(&subject->live, "VmRSS");
        cr_expect_eq(post(subject), 200, "%s", subject->name);
        const size_t grown = status_bytes(&subject->live, "VmHWM") - before;
        cr_expect(grown <= subject->charge + SLACK_BYTES && grown >= 0.9 * subject->charge,
                  "%s: charged %zu, grown by %zu", subject->name, subject->charge, grown);
    }
    for (size_t i = 0; i < COUNT(subjects); i++)
        live_stop(&subjects[i].live);
}

/* As many requests at once as fit into the budget: each is answered. If no memory is left for a
 * batch, they are computed one by one. */
Test(live_budget, as_many_as_are_charged_are_served)
{
    enum { CONNECTIONS = 8 };
    struct subject subject = {.name = "D",
                              .threads = "2",
                              .model = "configs/models/fast-scnn.json",
                              .channels = 128,
                              .h = 32,
                              .w = 64};
    int connections[CONNECTIONS];
    start(&subject, CONNECTIONS * count_charge(&subject));
    char *x = calloc(1, subject.x_bytes);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        connections[i] = live_connect(&subject.live);
        cr_assert(live_print(connections[i],
                             "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                             "application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                             subject.target, subject.x_bytes) &&
                  live_send(connections[i], x, subject.x_bytes));
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct live_answer answer;
        cr_assert(live_receive(connections[i], false, &answer));
        cr_expect_eq(answer.status, 200, "%zu: %s", i, answer.body);
        live_answer_free(&answer);
        close(connections[i]);
    }
    live_wait_metric(&subject.live, "ppm_bytes_in_flight", 0);
    live_stop(&subject.live);
    free(x);
}

/* Plans for many shapes count in the budget, are cheap, and are freed. */
Test(live_budget, many_shapes_leave_nothing)
{
    enum { SHAPES = 16, MAX_BYTES = 8 << 20 };
    char directory[LIVE_PATH_BYTES], path[64];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/model.json", directory);
    live_write_file(path, "{\"input\": {\"channels\": 4}, \"bins\": [1, 2, 3, 6], \"branch\": "
                          "[{\"conv\": {\"channels\": 64}}], \"head\": [{\"conv\": {\"channels\": "
                          "4, \"kernel\": 3}}], \"weights\": {\"random\": 1}}");
    struct subject subject = {
        .name = "3x3", .threads = "2", .model = path, .channels = 4, .h = 8, .w = 8};
    start(&subject, MAX_BYTES);
    cr_assert_eq(post(&subject), 200);
    const size_t before = status_bytes(&subject.live, "VmRSS");
    for (size_t i = 0; i < SHAPES; i++) {
        subject.h = 256;
        subject.w = 256 - i;
        subject.x_bytes = subject.channels * subject.h * subject.w * sizeof(float);
        snprintf(subject.target, sizeof subject.target, "/ppm?shape=1,4,%zu,%zu", subject.h,
                 subject.w);
        cr_expect_eq(post(&subject), 200);
        const size_t kept = (size_t)live_metric(&subject.live, "ppm_bytes_kept");
        cr_expect(kept > 0 && kept <= MAX_BYTES, "%zu bytes are kept", kept);
    }
    const size_t grown = status_bytes(&subject.live, "VmHWM") - before;
    cr_expect(grown <= MAX_BYTES + SLACK_BYTES, "grown by %zu", grown);
    live_sleep_ms(IDLE_MS);
    live_wait_metric(&subject.live, "ppm_bytes_kept", 0);
    const size_t after = status_bytes(&subject.live, "VmRSS");
    cr_expect(after < before + (2 << 20), "from %zu to %zu", before, after);
    live_stop(&subject.live);
    live_directory_remove(directory);
}

#endif

/* test_live_bits.c - one request, many times: alone on the whole team, and among requests to
 * several models, side by side or in a batch. All responses equal the first one, bit for bit. */
#include "simd/simd.h"
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(live_bits, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define MEMBERS(head)                                                                              \
    "'input': {'channels': 32}, 'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 32}}, "     \
    "'relu'], 'weights': {'random': 7}, 'head': [" head "]"

static const char *const members[] = {
    MEMBERS("{'conv': {'channels': 32, 'kernel': 3}}, 'relu', {'conv': {'channels': "
            "21}}") ", 'output': {'as': 'argmax'}, 'compute': 'bfloat16'",
    MEMBERS("{'conv': {'channels': 32, 'kernel': 3}}, 'relu', {'conv': {'channels': 5}}"),
    MEMBERS("{'conv': {'channels': 64}}, 'relu'") ", 'compute': 'bfloat16'",
};
static const struct {
    size_t h, w;
} sizes[] = {{17, 23}, {20, 20}, {60, 61}};
enum { MODELS = COUNT(members), SIZES = COUNT(sizes), CASES = MODELS * SIZES, ROUNDS = 4 };

static const char *write_model(size_t index)
{
    const bool has_bfloat16 = simd_select_bfloat16(simd_select(NULL)) != NULL;
    char name[16], text[1024], *compute;
    snprintf(text, sizeof text, "{'name': 'm%zu', %s}", index, members[index]);
    if (!has_bfloat16 && (compute = strstr(text, ", 'compute'")))
        strcpy(compute, "}");
    snprintf(name, sizeof name, "m%zu.json", index);
    return support_write_json(name, text);
}

static int send_case(const struct live *live, size_t index, const float *x)
{
    const size_t h = sizes[index / MODELS].h, w = sizes[index / MODELS].w;
    const int connection = live_connect(live);
    live_print(
        connection,
        "POST /ppm/m%zu?shape=1,32,%zu,%zu HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
        index % MODELS, h, w, 32 * h * w * sizeof *x);
    live_send(connection, x, 32 * h * w * sizeof *x);
    return connection;
}

static struct live_answer receive(int connection)
{
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer));
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    close(connection);
    return answer;
}

/* All cases at once, several times each. */
static void check_crowd(const struct live *live, const float *x, const struct live_answer *first)
{
    int connections[ROUNDS * CASES];
    for (size_t i = 0; i < ROUNDS * CASES; i++)
        connections[i] = send_case(live, i % CASES, x);
    for (size_t i = 0; i < ROUNDS * CASES; i++) {
        struct live_answer answer = receive(connections[i]);
        const struct live_answer *expected = &first[i % CASES];
        cr_expect(answer.body_bytes == expected->body_bytes &&
                      memcmp(answer.body, expected->body, answer.body_bytes) == 0,
                  "model %zu, %zu x %zu", i % MODELS, sizes[i % CASES / MODELS].h,
                  sizes[i % CASES / MODELS].w);
        live_answer_free(&answer);
    }
}

Test(live_bits, do_not_depend_on_company)
{
    static float x[32 * 60 * 61];
    struct live live;
    struct live_answer first[CASES];
    support_random(x, COUNT(x), 3);
    live_start(&live,
               LIST("--model", write_model(0), "--model", write_model(1), "--model", write_model(2),
                    "--threads", "3", "--max-batch", "4", "--queue-max", "100"),
               NULL);
    for (size_t i = 0; i < CASES; i++)
        first[i] = receive(send_case(&live, i, x));
    for (size_t round = 0; round < 3; round++)
        check_crowd(&live, x, first);
    for (size_t i = 0; i < CASES; i++)
        live_answer_free(&first[i]);
    live_stop(&live);
}

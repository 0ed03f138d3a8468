/* test_live_framing.c - where a body ends: what a proxy in front could read differently is
 * refused, what RFC 9112 allows is not, whatever the pieces. */
#include "tests/live_support.h"
#include "tests/live_tls.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD    "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
#define BODY    "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4]}" /* 36 bytes, 24 in hexadecimal */
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define END     "\r\n0\r\n\r\n"

/* Follows each request: whether it is answered shows where the server sees the end of the first. */
static const char next[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: next\r\n\r\n";

TestSuite(live_framing, .timeout = 300);

struct framing_case {
    const char *bytes;
    int status;
    const char *detail; /* NULL: it is served, and so is what follows */
};

static const struct framing_case cases[] = {
    {HEAD "Content-Length: 36\r\n\r\n" BODY, 200, NULL},
    {HEAD "Content-Length: 36 \r\n\r\n" BODY, 200, NULL},
    {HEAD "Content-Length: 36\t\r\n\r\n" BODY, 200, NULL},
    {HEAD "content-length:36 \t \r\n\r\n" BODY, 200, NULL},
    {HEAD "Content-Length:\t 0000000000000000000000036\r\n\r\n" BODY, 200, NULL},
    {CHUNKED "24\r\n" BODY END, 200, NULL},
    {CHUNKED "0024\r\n" BODY "\r\n00\r\nTrailer: x\r\n\r\n", 200, NULL},
    {CHUNKED "1\r\n{\r\n23;a=\"b\";c\r\n\"shape\":[1,4,1,1],\"data\":[1,2,3,4]}" END, 200, NULL},
    {CHUNKED "24 \t;a\r\n" BODY END, 200, NULL},
    {HEAD "Transfer-Encoding: Chunked \r\n\r\n24\r\n" BODY END, 200, NULL},
    {HEAD "Content-Length: +36\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: -1\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 36,36\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 36, 36\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 3 6\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 3\r6\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 36\r\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Transfer-Encoding: chunked\r\r\n\r\n24\r\n" BODY END, 501, "chunked"},
    {HEAD "Content-Length: 0x24\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 36.0\r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: \r\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length:\n\r\n" BODY, 400, "Content-Length"},
    {HEAD "Content-Length: 36\r\nContent-Length: 36\r\n\r\n" BODY, 400, "several"},
    {HEAD "Content-Length: 99999999999999999999999999\r\n\r\n" BODY, 413, "body_max_bytes"},
    {HEAD "Transfer-Encoding: chun ked\r\n\r\n24\r\n" BODY END, 501, "chunked"},
    {HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n24\r\n" BODY END, 501, "chunked"},
    {HEAD "Transfer-Encoding: chunkedx\r\n\r\n24\r\n" BODY END, 501, "chunked"},
    {CHUNKED "24\n" BODY END, 400, "LF alone"},
    {CHUNKED "24;\n" BODY END, 400, "LF alone"},
    {CHUNKED "24;a=b\n" BODY END, 400, "LF alone"},
    {CHUNKED "2;\nxx\r\n24\r\n" BODY END, 400, "LF alone"},
    {CHUNKED "24\r\n" BODY "\n0\r\n\r\n", 400, "no CR LF"},
    {CHUNKED "24\r\n" BODY "\r0\r\n\r\n", 400, "no CR LF"},
    {CHUNKED "23\r\n" BODY END, 400, "longer than its size"},
    {CHUNKED "24\r\n" BODY "\r\n0\n\r\n", 400, "LF alone"},
    {CHUNKED "24\r\n" BODY "\r\n0\r\n\n", 400, "after the chunks"},
    {CHUNKED "24\r\n" BODY "\r\n0\r\nTrailer: x\n\r\n", 400, "after the chunks"},
    {CHUNKED "24\rx\n" BODY END, 400, "CR without"},
    {CHUNKED "24 24\r\n" BODY END, 400, "not a size"},
    {CHUNKED "0x24\r\n" BODY END, 400, "not a size"},
    {CHUNKED "+24\r\n" BODY END, 400, "hexadecimal"},
    {CHUNKED "\r\n" BODY END, 400, "hexadecimal"},
    {CHUNKED ";a\r\n" BODY END, 400, "hexadecimal"},
    {CHUNKED "24;\x01\r\n" BODY END, 400, "not a size"},
    {CHUNKED "10000000000000024\r\n" BODY END, 400, "counted"},
};

/* One response, then that to the next request or the end. */
static void check_answers(int connection, const struct framing_case *c)
{
    struct live_answer answer;
    char id[LIVE_HEADER_BYTES];
    cr_assert(live_receive(connection, false, &answer), "%s: no answer", c->bytes);
    if (c->detail)
        live_check_problem(&answer, c->status, c->detail, c->bytes);
    cr_assert(answer.status == c->status, "%s: %d %s", c->bytes, answer.status, answer.body);
    live_answer_free(&answer);
    if (c->detail) {
        cr_assert(live_is_closed(connection), "%s: something follows", c->bytes);
        return;
    }
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200, "%s", c->bytes);
    cr_assert_str_eq(live_header(&answer, "X-Request-Id", id), "next");
    live_answer_free(&answer);
}

Test(live_framing, a_body_ends_where_every_reader_takes_it_to_end)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        int connection = live_connect(&live);
        live_print(connection, "%s%s", cases[i].bytes, next);
        check_answers(connection, &cases[i]);
        close(connection);
    }
    live_check_serving(&live, "all of them");
    live_wait_metric(&live, "ppm_requests_in_flight", 1);
    live_stop(&live);
}

/* What is corrected or refused must not depend on how the network splits it. */
Test(live_framing, whatever_the_pieces_that_it_comes_in)
{
    static const size_t some[] = {3, 8, 9, 17, 19, 29, 30, 31, 35};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(some); i++) {
        const struct framing_case *c = &cases[some[i]];
        int connection = live_connect(&live);
        const char *from = strstr(c->bytes, "json\r\n") + 6; /* nothing before it matters */
        live_send(connection, c->bytes, (size_t)(from - c->bytes));
        for (; *from; from++) {
            live_send(connection, from, 1);
            usleep(300);
        }
        live_send(connection, next, sizeof next - 1);
        check_answers(connection, c);
        close(connection);
    }
    live_stop(&live);
}

/* The request before it is answered, though it is still being computed when the end is found. */
Test(live_framing, what_came_before_is_answered)
{
    enum { IMAGES = 4, BYTES = IMAGES * 4 * 8 * 8 * sizeof(float) };
    static const char zeros[BYTES];
    struct live live;
    struct live_answer answer;
    live_slow_start(&live, LIST("--threads", "1"));
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm/slow?shape=%d,4,8,8 HTTP/1.1\r\nHost: localhost\r\n"
               "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
               IMAGES, BYTES);
    live_send(connection, zeros, BYTES);
    live_print(connection, CHUNKED "24\n" BODY END);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200, "%d",
              answer.status);
    live_answer_free(&answer);
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 400, "LF alone", "the second");
    live_answer_free(&answer);
    close(connection);
    live_slow_stop(&live);
}

/* Everything received over TLS until the connection ends in any way. */
static size_t receive_by_tls(struct live_tls *tls, char *ret, size_t bytes)
{
    size_t at = 0;
    for (ssize_t got = 1; at < bytes - 1 && got != 0; at += got > 0 ? (size_t)got : 0) {
        got = gnutls_record_recv(tls->session, ret + at, bytes - 1 - at);
        if (got < 0 && gnutls_error_is_fatal((int)got))
            break;
    }
    ret[at] = '\0';
    return at;
}

Test(live_framing, by_tls_as_well)
{
    static const struct {
        const char *bytes, *first;
        bool goes_on;
    } secret[] = {
        {HEAD "Content-Length: 36 \r\n\r\n" BODY, "HTTP/1.1 200 ", true},
        {CHUNKED "24;a\r\n" BODY END, "HTTP/1.1 200 ", true},
        {CHUNKED "24;\n" BODY END, "HTTP/1.1 400 ", false},
        {HEAD "Content-Length: +36\r\n\r\n" BODY, "HTTP/1.1 400 ", false},
    };
    static const char last[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: "
                               "next\r\nConnection: close\r\n\r\n";
    char directory[LIVE_PATH_BYTES], certificate[64], key[64], all[4096];
    struct live live;
    live_directory_make(directory);
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", directory);
    snprintf(key, sizeof key, "%s/key.pem", directory);
    live_make_identity(certificate, key);
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--tls-certificate", certificate, "--tls-key", key),
               NULL);
    for (size_t i = 0; i < COUNT(secret); i++) {
        struct live_tls tls;
        cr_assert(live_tls_open(&tls, &live, certificate, NULL));
        live_tls_send(&tls, secret[i].bytes, strlen(secret[i].bytes));
        live_tls_send(&tls, last, sizeof last - 1);
        receive_by_tls(&tls, all, sizeof all);
        cr_assert(strncmp(all, secret[i].first, strlen(secret[i].first)) == 0, "%s: %s",
                  secret[i].bytes, all);
        cr_assert((strstr(all, "X-Request-Id: next") != NULL) == secret[i].goes_on, "%s: %s",
                  secret[i].bytes, all);
        live_tls_close(&tls);
    }
    live_stop(&live);
    live_directory_remove(directory);
}

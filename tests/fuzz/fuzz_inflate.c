/* fuzz_inflate.c - compressed bodies in pieces: the server's result is compared with zlib's on
 * the whole; and responses, which zlib has to read back. */
#include "server/base/buffers.h"
#include "server/base/memory.h"
#include "server/http/coding.h"
#include "server/http/compress.h"
#include "server/http/http.h"
#include "server/http/http_body.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "server/http/inflate.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { INPUT_BYTES_MAX = 1 << 12, LIMIT_BYTES = 1 << 18, BUDGET_BYTES = 1 << 20 };
enum { COPIES_MAX = UINT8_MAX >> 1 }; /* of an answer */

/* Inflates all streams in data, which may be several, into ret; false: they are incomplete, or
 * larger than capacity. */
static bool inflate_simply(const uint8_t *data, size_t size, bool is_gzip, char *ret,
                           size_t capacity, size_t *ret_bytes)
{
    size_t at = 0, bytes = 0;
    do {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)(data + at), .avail_in = (uInt)(size - at)};
        FUZZ_CHECK(inflateInit2(&z, is_gzip ? 31 : 15) == Z_OK, "no memory");
        z.next_out = (Bytef *)ret + bytes;
        z.avail_out = (uInt)(capacity - bytes);
        const bool is_whole = inflate(&z, Z_FINISH) == Z_STREAM_END;
        at += z.total_in;
        bytes += z.total_out;
        inflateEnd(&z);
        if (!is_whole)
            return false;
    } while (at < size && is_gzip);
    *ret_bytes = bytes;
    return at == size;
}

static bool is_to_pause(void *calls)
{
    return ++*(int *)calls % 2 == 0;
}

static void check_body(struct http_request *request, const uint8_t *data, size_t size,
                       size_t piece_bytes, bool is_gzip)
{
    static char expected[LIMIT_BYTES];
    size_t bytes = 0;
    struct ppm_error error = {0};
    int calls = 0;
    FUZZ_CHECK(http_expect_compressed(request, is_gzip ? HTTP_GZIP : HTTP_DEFLATE), "no memory");
    for (size_t at = 0; at < size; at += piece_bytes) {
        const size_t piece = size - at < piece_bytes ? size - at : piece_bytes;
        http_take_body(request, (const char *)data + at, piece);
    }
    FUZZ_CHECK(request->body_refusal == 0 && request->body_bytes == size, "found %u",
               request->body_refusal);
    while (http_inflate_body(request, is_to_pause, &calls, &error) == PPM_CANCELLED)
        error = (struct ppm_error){0};
    const bool is_good = inflate_simply(data, size, is_gzip, expected, LIMIT_BYTES, &bytes);
    FUZZ_CHECK(is_good == (error.status == PPM_OK), "found \"%s\", expected it %s", error.text,
               is_good ? "taken" : "refused");
    if (is_good)
        FUZZ_CHECK(request->body_bytes == bytes && memcmp(request->body, expected, bytes) == 0,
                   "%zu other bytes, expected %zu", request->body_bytes, bytes);
    else
        FUZZ_CHECK(error.status == PPM_MALFORMED || error.status == PPM_TOO_LARGE, "found %d",
                   error.status);
    if (error.status == PPM_MALFORMED)
        FUZZ_CHECK(http_refuse_inflation(request, &error) && request->response.status == 400,
                   "found %u", request->response.status);
    FUZZ_CHECK(request->body_capacity <= LIMIT_BYTES, "took %zu bytes", request->body_capacity);
    http_drop_response(request);
}

/* The same bytes as a response, repeated to some length. */
static void check_answer(struct http_request *request, const uint8_t *data, size_t size,
                         size_t copies, bool is_gzip)
{
    static char back[COPIES_MAX * INPUT_BYTES_MAX];
    const size_t answer_bytes = size * copies;
    size_t bytes = 0;
    char *answer = malloc(answer_bytes), *copy = malloc(answer_bytes);
    FUZZ_CHECK(answer && copy, "no memory");
    for (size_t i = 0; i < copies; i++)
        memcpy(answer + i * size, data, size);
    memcpy(copy, answer, answer_bytes);
    http_respond(request, 200, NULL, answer, answer_bytes);
    if (http_compress_as(request, is_gzip ? HTTP_GZIP : HTTP_DEFLATE)) {
        const struct http_response *response = &request->response;
        FUZZ_CHECK(response->body_bytes < answer_bytes, "not smaller");
        FUZZ_CHECK(inflate_simply((const uint8_t *)response->body, response->body_bytes, is_gzip,
                                  back, sizeof back, &bytes) &&
                       bytes == answer_bytes && memcmp(back, copy, bytes) == 0,
                   "another answer");
    }
    free(copy);
    http_drop_response(request);
}

/* The first byte says which format it is in; the second the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_server server = {.options = {.settings = {.body_max_bytes = LIMIT_BYTES}}};
    static const struct http_route route = {.body_bytes_max = HTTP_BODY_ANY};
    static char path[] = "/";
    struct http_request request = {.server = &server,
                                   .route = &route,
                                   .target = "/",
                                   .path = path,
                                   .deadline = {.at_s = 1e300}};
    if (size < 3 || size > INPUT_BYTES_MAX)
        return 0;
    memory_set_max(BUDGET_BYTES);
    const bool is_gzip = data[0] & 1;
    const size_t piece_bytes = data[1] ? data[1] : INPUT_BYTES_MAX;
    check_body(&request, data + 2, size - 2, piece_bytes, is_gzip);
    check_answer(&request, data + 2, size - 2, data[0] >> 1 ? data[0] >> 1 : 1, is_gzip);
    http_keep(&request, 0);
    http_free_inflater(&request);
    buffer_give(request.body);
    FUZZ_CHECK(memory_taken() == 0, "a budget not given back");
    return 0;
}

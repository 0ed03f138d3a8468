/*
 * fuzz_framing.c - bytes of a connection: the output does not depend on the pieces, and is correct:
 * filtering it again changes nothing.
 */
#include "server/http/framing.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 12 };

/* In pieces of the given size. Returns the number of bytes passed on. */
static size_t pass_on(struct http_framing *f, const char *bytes, size_t count, size_t piece_bytes,
                      char *ret)
{
    size_t passed = 0;
    for (size_t at = 0, piece; at < count; at += piece) {
        piece = count - at < piece_bytes ? count - at : piece_bytes;
        char *copy = malloc(piece); /* exactly as large, for the sanitizer */
        FUZZ_CHECK(copy, "out of memory");
        memcpy(copy, bytes + at, piece);
        const size_t kept = http_pass_on(f, copy, piece);
        FUZZ_CHECK(kept <= piece, "%zu of %zu bytes", kept, piece);
        memcpy(ret + passed, copy, kept);
        passed += kept;
        free(copy);
    }
    return passed;
}

/* A chunk line that was passed on is exactly a size and CR LF. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[BYTES_MAX], other[BYTES_MAX];
    if (size < 2 || size > BYTES_MAX)
        return 0;
    const size_t piece_bytes = 1 + data[0] % 16;
    const char *bytes = (const char *)data + 1;
    struct http_framing at_once = {0}, in_pieces = {0}, again = {0};
    const size_t count = pass_on(&at_once, bytes, size - 1, size, whole);
    const size_t pieces = pass_on(&in_pieces, bytes, size - 1, piece_bytes, other);
    FUZZ_CHECK(count == pieces && memcmp(whole, other, count) == 0, "pieces of %zu bytes differ",
               piece_bytes);
    FUZZ_CHECK(at_once.heads == in_pieces.heads && at_once.flaw == in_pieces.flaw &&
                   at_once.flawed_head == in_pieces.flawed_head && at_once.end == in_pieces.end,
               "found otherwise in pieces of %zu bytes", piece_bytes);
    if (at_once.flaw)
        return 0;
    const size_t same = pass_on(&again, whole, count, size, other);
    FUZZ_CHECK(same == count && memcmp(whole, other, count) == 0, "mended twice");
    FUZZ_CHECK(!again.flaw && !again.end && again.heads == at_once.heads, "%s",
               again.end ? again.end : "a flaw was passed on");
    return 0;
}

/*
 * png_head.c - see png_head.h.
 */
#include "server/image/png_head.h"

#include <string.h>

enum {
    SIGNATURE_BYTES = 8,
    CHUNK_HEAD_BYTES = 8, /* length and type */
    CHUNK_BYTES = CHUNK_HEAD_BYTES + 4,
    IHDR_BYTES = 13,
    CHUNKS_MAX = 100000, /* 800 MB of pixels in chunks of 8 KB, as libpng writes them */
    /* libpng's structures, zlib's window, buffers */
    TABLES_BYTES = 96 << 10,
    /* libpng keeps two rows of up to 8 bytes a pixel, read_rows one of 4 */
    ROW_PIXEL_BYTES = 8 + 8 + 4,
    ROW_BYTES = 256, /* and rounds them up */
};

/* Of each type of color: how many samples a pixel has, and the set of bits that one may have. */
static const struct {
    size_t channels;
    int depths;
} COLORS[] = {{1, 1 | 2 | 4 | 8 | 16},
              {0, 0},
              {3, 8 | 16},
              {1, 1 | 2 | 4 | 8},
              {2, 8 | 16},
              {0, 0},
              {4, 8 | 16}};
enum { COLOR_TYPES = sizeof COLORS / sizeof *COLORS };

/* Deflate makes at most 1032 bytes of one. */
static const size_t INFLATED_MAX = 1032;

struct chunk {
    const char *type; /* 4 letters */
    struct image_bytes data;
};

static size_t read_u32(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

enum ppm_status png_fail_at_end(struct image_bytes body, struct ppm_error *error)
{
    return ppm_fail(error, PPM_MALFORMED,
                    "PNG: the data end after %zu byte%s, expected more up to the chunk IEND",
                    body.count, ppm_plural(body.count));
}

/* False: the data end before it is whole. */
static bool next_chunk(struct image_bytes body, size_t *at, struct chunk *ret_chunk)
{
    const size_t left = body.count - *at;
    const uint8_t *start = body.at + *at;
    const size_t bytes = left < CHUNK_BYTES ? 0 : read_u32(start);
    if (left < CHUNK_BYTES || bytes > left - CHUNK_BYTES)
        return false;
    *ret_chunk = (struct chunk){(const char *)start + 4, {start + CHUNK_HEAD_BYTES, bytes}};
    *at += CHUNK_BYTES + bytes;
    return true;
}

static bool is(const struct chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* Some writers put JPEG's prefix before it. */
static struct image_bytes exif_in(const struct chunk *chunk)
{
    static const uint8_t PREFIX[6] = "Exif\0";
    const struct image_bytes data = chunk->data;
    if (data.count < sizeof PREFIX || memcmp(data.at, PREFIX, sizeof PREFIX) != 0)
        return data;
    return (struct image_bytes){data.at + sizeof PREFIX, data.count - sizeof PREFIX};
}

static enum ppm_status read_ihdr(const struct chunk *chunk, struct image_promise *ret_promise,
                                 struct ppm_error *error)
{
    const uint8_t *data = chunk->data.at;
    if (!is(chunk, "IHDR") || chunk->data.count != IHDR_BYTES)
        return ppm_fail(error, PPM_MALFORMED,
                        "PNG: found a first chunk of %zu bytes, expected IHDR of %d",
                        chunk->data.count, IHDR_BYTES);
    const size_t width = read_u32(data), height = read_u32(data + 4);
    const int bits = data[8], type = data[9];
    if (type >= COLOR_TYPES || bits == 0 || (bits & (bits - 1)) != 0 ||
        (COLORS[type].depths & bits) == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "PNG: found %d bits a sample of color type %d, expected one of the "
                        "standard's combinations",
                        bits, type);
    *ret_promise = (struct image_promise){
        .width = width,
        .height = height,
        .bytes_min = width * COLORS[type].channels * (size_t)bits / 8 * height / INFLATED_MAX,
        .working_bytes = TABLES_BYTES + width * ROW_PIXEL_BYTES + ROW_BYTES,
    };
    return PPM_OK;
}

bool png_find_size(struct image_bytes beginning, size_t *ret_width, size_t *ret_height)
{
    struct image_promise promise = {0};
    struct chunk chunk = {0};
    struct ppm_error error = {0};
    size_t at = SIGNATURE_BYTES;
    if (!next_chunk(beginning, &at, &chunk) || read_ihdr(&chunk, &promise, &error) != PPM_OK)
        return false;
    *ret_width = promise.width;
    *ret_height = promise.height;
    return true;
}

enum ppm_status png_look(struct image_bytes body, struct image_promise *ret_promise,
                         struct ppm_error *error)
{
    struct image_promise promise = {0};
    struct chunk chunk = {0};
    size_t at = SIGNATURE_BYTES;
    if (!next_chunk(body, &at, &chunk))
        return png_fail_at_end(body, error);
    if (read_ihdr(&chunk, &promise, error) != PPM_OK)
        return error->status;
    for (int chunks = 1; !is(&chunk, "IEND"); chunks++) {
        if (chunks == CHUNKS_MAX)
            return ppm_fail(error, PPM_TOO_LARGE,
                            "PNG: found more than %d chunks, expected at most that many",
                            CHUNKS_MAX);
        if (!next_chunk(body, &at, &chunk))
            return png_fail_at_end(body, error);
        if (is(&chunk, "eXIf"))
            promise.exif = exif_in(&chunk);
    }
    *ret_promise = promise;
    return PPM_OK;
}

/*
 * jpeg_head.c - see jpeg_head.h.
 */
#include "server/image/jpeg_head.h"

#include <string.h>

enum {
    SEGMENTS_MAX = 1000,         /* between two scans; a photo has about 20 */
    SKIPPED_BYTES_MAX = 1 << 16, /* between two segments of a head; a photo has none */
    FRAME_BYTES = 6,
    COMPONENT_BYTES = 3,
    COMPONENTS_MAX = 4,
    BLOCK = 8, /* pixels each way */
    COEFFICIENTS_BYTES = BLOCK * BLOCK * 2,
};

/* Markers: the byte after FF. */
enum {
    TEM = 0x01,
    SOF0 = 0xC0,
    SOF1 = 0xC1,
    SOF2 = 0xC2,
    SOF9 = 0xC9,
    SOF10 = 0xCA,
    SOF15 = 0xCF,
    DHT = 0xC4,
    JPG = 0xC8,
    DAC = 0xCC,
    RST0 = 0xD0,
    SOI = 0xD8,
    EOI = 0xD9,
    SOS = 0xDA,
    APP1 = 0xE1,
};

struct segment {
    uint8_t marker;
    struct image_bytes data; /* after its length; count 0 where it has none */
};

struct walk {
    struct image_bytes body;
    size_t at;
    int segments;
    bool is_in_scan; /* any number of bytes may come before the next marker */
};

static bool has_data(uint8_t marker)
{
    return marker != TEM && (marker < RST0 || marker > EOI);
}

enum ppm_status jpeg_fail_at_end(struct image_bytes body, struct ppm_error *error)
{
    return ppm_fail(
        error, PPM_MALFORMED,
        "JPEG: the data end after %zu byte%s, expected more up to an end marker (FF D9)",
        body.count, ppm_plural(body.count));
}

/* Leaves walk->at after the next marker: as libjpeg does, past whatever else is before it, fill
 * bytes (FF) and zeros that stand for an FF of the pixels. */
static enum ppm_status find_marker(struct walk *walk, uint8_t *ret_marker, struct ppm_error *error)
{
    const struct image_bytes body = walk->body;
    const size_t left = body.count - walk->at;
    const bool is_cut = !walk->is_in_scan && left > SKIPPED_BYTES_MAX;
    const uint8_t *next = body.at + walk->at;
    const uint8_t *end = next + (is_cut ? SKIPPED_BYTES_MAX : left);
    do {
        next = memchr(next, 0xFF, (size_t)(end - next));
        while (next && next < end && *next == 0xFF)
            next++;
    } while (next && next < end && *next == 0);
    if ((!next || next == end) && is_cut)
        return ppm_fail(error, PPM_MALFORMED,
                        "JPEG: found %d bytes without a marker at byte %zu, expected a segment",
                        SKIPPED_BYTES_MAX, walk->at);
    if (!next || next == end)
        return jpeg_fail_at_end(body, error);
    *ret_marker = *next;
    walk->at = (size_t)(next + 1 - body.at);
    return PPM_OK;
}

static enum ppm_status next_segment(struct walk *walk, struct segment *ret_segment,
                                    struct ppm_error *error)
{
    struct segment segment = {0};
    if (find_marker(walk, &segment.marker, error) != PPM_OK)
        return error->status;
    if (has_data(segment.marker)) {
        const size_t start = walk->at, left = walk->body.count - start;
        const uint8_t *length = walk->body.at + start;
        const size_t bytes = left < 2 ? 0 : (size_t)length[0] << 8 | length[1];
        if (left < 2 || bytes > left)
            return jpeg_fail_at_end(walk->body, error);
        if (bytes < 2)
            return ppm_fail(error, PPM_MALFORMED,
                            "JPEG: found a segment of %zu byte%s at byte %zu, expected 2 at least",
                            bytes, ppm_plural(bytes), start);
        if (++walk->segments > SEGMENTS_MAX)
            return ppm_fail(
                error, PPM_TOO_LARGE,
                "JPEG: found more than %d segments before a scan, expected at most that many",
                SEGMENTS_MAX);
        segment.data = (struct image_bytes){length + 2, bytes - 2};
        walk->at += bytes;
    }
    *ret_segment = segment;
    return PPM_OK;
}

static bool is_frame(uint8_t marker)
{
    return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

/* ---- what decoding takes --------------------------------------------------------------------- */

struct frame {
    uint8_t marker;
    size_t width, height;
    size_t components;
    uint8_t across[COMPONENTS_MAX], down[COMPONENTS_MAX]; /* sampling factors, 1 to 4 */
};

static enum ppm_status read_frame(const struct segment *segment, struct frame *ret_frame,
                                  struct ppm_error *error)
{
    const uint8_t *data = segment->data.at;
    const uint8_t marker = segment->marker;
    if (marker != SOF0 && marker != SOF1 && marker != SOF2 && marker != SOF9 && marker != SOF10)
        return ppm_fail(error, PPM_MALFORMED,
                        "JPEG: found a frame of kind FF %02X, expected a baseline, extended or "
                        "progressive one",
                        marker);
    if (segment->data.count < FRAME_BYTES)
        return ppm_fail(error, PPM_MALFORMED,
                        "JPEG: found a frame's head of %zu bytes, expected %d at least",
                        segment->data.count, FRAME_BYTES);
    const size_t bytes = FRAME_BYTES + COMPONENT_BYTES * (size_t)data[5];
    if (segment->data.count != bytes)
        return ppm_fail(error, PPM_MALFORMED,
                        "JPEG: found a frame's head of %zu bytes for %d components, expected %zu",
                        segment->data.count, data[5], bytes);
    if (data[0] != 8)
        return ppm_fail(error, PPM_MALFORMED, "JPEG: found %d bits a sample, expected 8", data[0]);
    struct frame frame = {
        .marker = marker,
        .height = (size_t)data[1] << 8 | data[2],
        .width = (size_t)data[3] << 8 | data[4],
        .components = data[5],
    };
    if (frame.components != 1 && frame.components != 3 && frame.components != 4)
        return ppm_fail(error, PPM_MALFORMED, "JPEG: found %zu components, expected 1, 3 or 4",
                        frame.components);
    for (size_t i = 0; i < frame.components; i++) {
        const uint8_t factors = data[FRAME_BYTES + COMPONENT_BYTES * i + 1];
        frame.across[i] = factors >> 4;
        frame.down[i] = factors & 15;
        if (frame.across[i] < 1 || frame.across[i] > 4 || frame.down[i] < 1 || frame.down[i] > 4)
            return ppm_fail(error, PPM_MALFORMED,
                            "JPEG: found sampling factors %d x %d, expected 1 to 4",
                            frame.across[i], frame.down[i]);
    }
    *ret_frame = frame;
    return PPM_OK;
}

static size_t round_up(size_t value, size_t step)
{
    return (value + step - 1) / step * step;
}

/* What libjpeg allocates: everything that grows with the picture, and rounds up the rest. Each row
 * of blocks is kept twice, with a border; several scans need all coefficients. */
static size_t working_bytes(const struct frame *frame, bool has_several_scans)
{
    enum { TABLES_BYTES = 256 << 10, ROWS_KEPT = 24 };
    size_t bytes = TABLES_BYTES, across_max = 1, down_max = 1;
    for (size_t i = 0; i < frame->components; i++) {
        across_max = frame->across[i] > across_max ? frame->across[i] : across_max;
        down_max = frame->down[i] > down_max ? frame->down[i] : down_max;
    }
    const size_t mcus_across = round_up(frame->width, across_max * BLOCK) / (across_max * BLOCK);
    const size_t mcus_down = round_up(frame->height, down_max * BLOCK) / (down_max * BLOCK);
    for (size_t i = 0; i < frame->components; i++) {
        const size_t blocks_across = mcus_across * frame->across[i];
        const size_t blocks = blocks_across * mcus_down * frame->down[i];
        bytes += blocks_across * BLOCK * frame->down[i] * ROWS_KEPT;
        bytes += mcus_across * across_max * BLOCK * down_max;
        bytes += has_several_scans ? blocks * COEFFICIENTS_BYTES : 0;
    }
    return bytes + frame->width * COMPONENTS_MAX;
}

/* ---- the two walks --------------------------------------------------------------------------- */

static struct image_bytes exif_in(const struct segment *segment)
{
    static const uint8_t PREFIX[6] = "Exif\0";
    const struct image_bytes data = segment->data;
    if (segment->marker != APP1 || data.count < sizeof PREFIX ||
        memcmp(data.at, PREFIX, sizeof PREFIX) != 0)
        return (struct image_bytes){0};
    return (struct image_bytes){data.at + sizeof PREFIX, data.count - sizeof PREFIX};
}

bool jpeg_find_size(struct image_bytes beginning, size_t *ret_width, size_t *ret_height)
{
    struct walk walk = {.body = beginning};
    struct segment segment = {0};
    struct frame frame = {0};
    struct ppm_error error = {0};
    while (!is_frame(segment.marker))
        if (next_segment(&walk, &segment, &error) != PPM_OK || segment.marker == SOS)
            return false;
    if (read_frame(&segment, &frame, &error) != PPM_OK)
        return false;
    *ret_width = frame.width;
    *ret_height = frame.height;
    return true;
}

enum ppm_status jpeg_look(struct image_bytes body, struct image_promise *ret_promise,
                          struct ppm_error *error)
{
    struct walk walk = {.body = body};
    struct segment segment = {0};
    struct frame frame = {0};
    struct image_bytes exif = {0};
    while (segment.marker != SOS) {
        if (next_segment(&walk, &segment, error) != PPM_OK)
            return error->status;
        if (is_frame(segment.marker) && frame.components == 0 &&
            read_frame(&segment, &frame, error) != PPM_OK)
            return error->status;
        if (exif.count == 0)
            exif = exif_in(&segment);
        if (segment.marker == EOI || (segment.marker == SOS && frame.components == 0))
            return ppm_fail(error, PPM_MALFORMED,
                            "JPEG: found FF %02X at byte %zu, expected a frame and a scan first",
                            segment.marker, walk.at);
    }
    const size_t scanned = segment.data.count > 0 ? segment.data.at[0] : 0;
    const bool is_progressive = frame.marker == SOF2 || frame.marker == SOF10;
    *ret_promise = (struct image_promise){
        .width = frame.width,
        .height = frame.height,
        .exif = exif,
        .working_bytes = working_bytes(&frame, is_progressive || scanned < frame.components),
    };
    return PPM_OK;
}

enum ppm_status jpeg_check_scans(struct image_bytes body, struct ppm_error *error)
{
    struct walk walk = {.body = body};
    struct segment segment = {0};
    int scans = 0;
    while (segment.marker != EOI) {
        if (next_segment(&walk, &segment, error) != PPM_OK)
            return error->status;
        if (segment.marker != SOS)
            continue;
        walk.segments = 0;
        walk.is_in_scan = true;
        if (++scans > JPEG_SCANS_MAX)
            return ppm_fail(error, PPM_TOO_LARGE,
                            "JPEG: found more than %d scans, expected at most that many",
                            JPEG_SCANS_MAX);
    }
    return PPM_OK;
}

/*
 * exif.c - see exif.h.
 */
#include "server/image/exif.h"

#include <libexif/exif-data.h>
#include <stdlib.h>
#include <string.h>

enum { TIFF_BYTES_MAX = 65528, ALLOCATED_BYTES_MAX = 1 << 20 };

static const uint8_t PREFIX[6] = "Exif\0";

/* What libexif may still allocate on this thread: it passes no context to its allocator. */
static _Thread_local struct {
    size_t left;
    bool is_refused, is_short;
} memory;

static bool take(size_t bytes)
{
    memory.is_refused |= bytes > memory.left;
    memory.left -= memory.is_refused ? 0 : bytes;
    return !memory.is_refused;
}

/* libexif expects zeros. */
static void *allocate(ExifLong bytes)
{
    void *block = take(bytes) ? calloc(1, bytes) : NULL;
    memory.is_short |= !block && !memory.is_refused;
    return block;
}

static void *reallocate(void *old, ExifLong bytes)
{
    void *block = take(bytes) ? realloc(old, bytes) : NULL;
    memory.is_short |= !block && !memory.is_refused;
    return block;
}

static int orientation_of(ExifData *data)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->components < 1 ||
        entry->size < sizeof(ExifShort))
        return ORIENT_UPRIGHT;
    const int found = exif_get_short(entry->data, exif_data_get_byte_order(data));
    return found >= 1 && found <= ORIENT_MAX ? found : ORIENT_UPRIGHT;
}

static int read_orientation(const uint8_t *exif, size_t bytes)
{
    int orientation = ORIENT_UPRIGHT;
    ExifMem *allocator = exif_mem_new(allocate, reallocate, free);
    ExifData *data = allocator ? exif_data_new_mem(allocator) : NULL;
    if (data) {
        /* It would add the entries that the standard asks for. */
        exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(data, exif, (unsigned)bytes);
        orientation = orientation_of(data);
    }
    exif_data_unref(data);
    exif_mem_unref(allocator);
    return orientation;
}

enum ppm_status exif_orientation(struct image_bytes tiff, int *ret_orientation,
                                 struct ppm_error *error)
{
    const size_t bytes = tiff.count < TIFF_BYTES_MAX ? tiff.count : TIFF_BYTES_MAX;
    uint8_t *exif = malloc(sizeof PREFIX + bytes);
    if (!exif)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read EXIF of %zu bytes", bytes);
    memcpy(exif, PREFIX, sizeof PREFIX);
    memcpy(exif + sizeof PREFIX, tiff.at, bytes);
    memory.left = ALLOCATED_BYTES_MAX;
    memory.is_refused = memory.is_short = false;
    const int orientation = read_orientation(exif, sizeof PREFIX + bytes);
    free(exif);
    if (memory.is_refused)
        return ppm_fail(error, PPM_MALFORMED,
                        "EXIF: found entries that need more memory than the %d bytes expected",
                        ALLOCATED_BYTES_MAX);
    if (memory.is_short)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read EXIF of %zu bytes", bytes);
    *ret_orientation = orientation;
    return PPM_OK;
}

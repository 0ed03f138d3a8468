/*
 * exif.c - see exif.h.
 *
 * libexif follows pointers from directory to directory, and those of a small file can lead it in
 * circles for seconds. So it gets a file of the one entry that matters.
 */
#include "server/image/exif.h"

#include <libexif/exif-data.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 8, COUNT_BYTES = 2, ENTRY_BYTES = 12, NEXT_BYTES = 4 };

static const uint8_t PREFIX[6] = "Exif\0";

/* Whether libexif lacked memory on this thread: it passes no context to its allocator, and tells
 * nobody. */
static _Thread_local bool is_short;

/* libexif expects zeros. */
static void *allocate(ExifLong bytes)
{
    void *block = calloc(1, bytes);
    is_short |= !block;
    return block;
}

static void *reallocate(void *old, ExifLong bytes)
{
    void *block = realloc(old, bytes);
    is_short |= !block;
    return block;
}

static bool read_order(struct image_bytes tiff, ExifByteOrder *ret_order)
{
    if (tiff.count < HEADER_BYTES)
        return false;
    *ret_order = tiff.at[0] == 'I' ? EXIF_BYTE_ORDER_INTEL : EXIF_BYTE_ORDER_MOTOROLA;
    return memcmp(tiff.at, "II*", 4) == 0 || memcmp(tiff.at, "MM\0*", 4) == 0;
}

/* The orientation's entry in the first directory, with one value, which is in the entry itself;
 * NULL: there is none. */
static const uint8_t *find_entry(struct image_bytes tiff, ExifByteOrder order)
{
    const size_t at = exif_get_long(tiff.at + 4, order);
    if (at > tiff.count || tiff.count - at < COUNT_BYTES)
        return NULL;
    const uint8_t *entry = tiff.at + at + COUNT_BYTES;
    const size_t room = (tiff.count - at - COUNT_BYTES) / ENTRY_BYTES;
    const size_t claimed = exif_get_short(tiff.at + at, order);
    for (size_t i = 0; i < claimed && i < room; i++, entry += ENTRY_BYTES)
        if (exif_get_short(entry, order) == EXIF_TAG_ORIENTATION &&
            exif_get_long(entry + 4, order) == 1)
            return entry;
    return NULL;
}

static int orientation_of(ExifData *data, ExifByteOrder order)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    ExifLong found = 0;
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->size >= sizeof(ExifShort))
        found = exif_get_short(entry->data, order);
    else if (entry && entry->format == EXIF_FORMAT_LONG && entry->size >= sizeof(ExifLong))
        found = exif_get_long(entry->data, order); /* by writers that do not keep to the standard */
    return found >= 1 && found <= ORIENT_MAX ? (int)found : ORIENT_UPRIGHT;
}

static int read_entry(const uint8_t *entry, ExifByteOrder order)
{
    uint8_t exif[sizeof PREFIX + HEADER_BYTES + COUNT_BYTES + ENTRY_BYTES + NEXT_BYTES] = {0};
    uint8_t *tiff = exif + sizeof PREFIX, *directory = tiff + HEADER_BYTES;
    int orientation = ORIENT_UPRIGHT;
    ExifMem *allocator = exif_mem_new(allocate, reallocate, free);
    ExifData *data = allocator ? exif_data_new_mem(allocator) : NULL;
    memcpy(exif, PREFIX, sizeof PREFIX);
    memcpy(tiff, order == EXIF_BYTE_ORDER_INTEL ? "II*" : "MM\0*", 4);
    exif_set_long(tiff + 4, order, HEADER_BYTES);
    exif_set_short(directory, order, 1);
    memcpy(directory + COUNT_BYTES, entry, ENTRY_BYTES);
    if (data) {
        /* It would add the entries that the standard asks for. */
        exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(data, exif, sizeof exif);
        orientation = orientation_of(data, order);
    }
    exif_data_unref(data);
    exif_mem_unref(allocator);
    return orientation;
}

enum ppm_status exif_orientation(struct image_bytes tiff, int *ret_orientation,
                                 struct ppm_error *error)
{
    ExifByteOrder order;
    const uint8_t *entry = read_order(tiff, &order) ? find_entry(tiff, order) : NULL;
    is_short = false;
    const int orientation = entry ? read_entry(entry, order) : ORIENT_UPRIGHT;
    if (is_short)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read EXIF");
    *ret_orientation = orientation;
    return PPM_OK;
}

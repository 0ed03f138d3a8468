/* fuzz_exif.c - EXIF: what is found is the value of an entry of the first directory, by TIFF's
 * words. */
#include "server/image/exif.h"
#include "tests/fuzz/fuzz.h"

enum { ORIENTATION = 0x0112, SHORT = 3, LONG = 4, ENTRY_BYTES = 12 };

static size_t read_number(const uint8_t *at, int bytes, bool is_big_endian)
{
    size_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[is_big_endian ? i : bytes - 1 - i];
    return value;
}

/* Whether an entry of the first directory says so, as its one value. */
static bool has_orientation(const uint8_t *data, size_t size, size_t orientation)
{
    if (size < 10)
        return false;
    const bool is_big_endian = data[0] == 'M';
    const size_t start = read_number(data + 4, 4, is_big_endian);
    if (start > size - 2)
        return false;
    const size_t count = read_number(data + start, 2, is_big_endian);
    for (size_t i = 0; i < count && start + 2 + (i + 1) * ENTRY_BYTES <= size; i++) {
        const uint8_t *entry = data + start + 2 + i * ENTRY_BYTES;
        const size_t format = read_number(entry + 2, 2, is_big_endian);
        if (read_number(entry, 2, is_big_endian) == ORIENTATION &&
            (format == SHORT || format == LONG) && read_number(entry + 4, 4, is_big_endian) == 1 &&
            read_number(entry + 8, format == SHORT ? 2 : 4, is_big_endian) == orientation)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ppm_error error = {0};
    int found = 0;
    if (exif_orientation((struct image_bytes){data, size}, &found, &error) != PPM_OK) {
        fuzz_check_error(&error);
        return 0;
    }
    FUZZ_CHECK(found >= 1 && found <= ORIENT_MAX, "%d", found);
    FUZZ_CHECK(found == ORIENT_UPRIGHT || has_orientation(data, size, (size_t)found),
               "%d is in no entry", found);
    return 0;
}

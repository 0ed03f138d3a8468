/* test_exif.c - the orientation in EXIF: whatever else is in it, and files that ask for too much.
 */
#include "server/image/exif.h"
#include "tests/heap.h"
#include "tests/image_files.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ORIENTATION = 0x0112, MAKE = 0x010F, MODEL = 0x0110, EXIF_IFD = 0x8769 };
enum { ASCII = 2, SHORT = 3, LONG = 4 };

static enum ppm_status read_exif(const struct image_file *file, int *ret_orientation,
                                 struct ppm_error *error)
{
    return exif_orientation((struct image_bytes){(const uint8_t *)file->bytes, file->count},
                            ret_orientation, error);
}

static int orientation_of(struct image_file file)
{
    struct ppm_error error = {0};
    int found = -1;
    cr_assert(read_exif(&file, &found, &error) == PPM_OK, "%s", error.text);
    image_file_free(&file);
    return found;
}

Test(exif, orientations_of_both_byte_orders)
{
    for (int is_big_endian = 0; is_big_endian < 2; is_big_endian++)
        for (uint32_t value = 0; value < 300; value++) {
            const struct exif_entry entries[] = {{MAKE, ASCII, 4, 0x61616161},
                                                 {ORIENTATION, SHORT, 1, value}};
            const int expected = value >= 1 && value <= 8 ? (int)value : 1;
            const int found = orientation_of(image_file_exif(is_big_endian, entries, 2, 0));
            cr_assert(found == expected, "%u: %d", value, found);
        }
}

/* Some writers do not keep to the standard, which has it short. */
Test(exif, an_orientation_may_be_long)
{
    const struct exif_entry entry = {ORIENTATION, LONG, 1, 6};
    for (int is_big_endian = 0; is_big_endian < 2; is_big_endian++)
        cr_assert(orientation_of(image_file_exif(is_big_endian, &entry, 1, 0)) == 6);
}

/* None of these is an orientation. */
Test(exif, other_entries_are_not_the_orientation)
{
    static const struct exif_entry cases[] = {
        {MODEL, SHORT, 1, 6},       {ORIENTATION, LONG, 1, 9},         {ORIENTATION, ASCII, 1, 6},
        {ORIENTATION, SHORT, 0, 6}, {ORIENTATION, SHORT, 1u << 31, 6}, {ORIENTATION, 99, 1, 6},
        {ORIENTATION, SHORT, 2, 6}, {ORIENTATION, SHORT, 3, 12},       {ORIENTATION, LONG, 2, 12},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_assert(orientation_of(image_file_exif(false, &cases[i], 1, 100)) == 1, "case %zu", i);
}

Test(exif, bytes_that_are_no_exif_mean_upright)
{
    static const char *const cases[] = {"", "I", "II*", "II*\1\1\1\1", "nothing of the kind"};
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_assert(orientation_of(image_file_copy(cases[i], strlen(cases[i]))) == 1, "case %zu", i);
}

Test(exif, prefixes_are_read_as_far_as_they_go)
{
    const struct exif_entry entries[] = {{ORIENTATION, SHORT, 1, 6}, {MAKE, ASCII, 40, 50}};
    struct image_file file = image_file_exif(true, entries, 2, 100);
    const size_t entry_end = 8 + 2 + 12;
    for (size_t count = 0; count <= file.count; count++) {
        const int found = orientation_of(image_file_copy(file.bytes, count));
        cr_assert(found == 1 || (found == 6 && count >= entry_end), "%zu bytes: %d", count, found);
    }
    cr_assert(orientation_of(file) == 6);
}

/* Directories that are their own successor, or their own part: by every pointer there is, from as
 * many entries as there may be. Followed, they would lead on and on. */
Test(exif, directories_in_a_circle_are_not_followed, .timeout = 60)
{
    enum { GPS_IFD = 0x8825, INTEROPERABILITY_IFD = 0xA005, ENTRIES = 65535 };
    static const uint16_t pointers[] = {EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD};
    static struct exif_entry entries[ENTRIES];
    for (size_t i = 0; i < COUNT(pointers); i++) {
        for (size_t k = 0; k < ENTRIES - 1; k++)
            entries[k] = (struct exif_entry){pointers[i], LONG, 1, 8};
        entries[ENTRIES - 1] = (struct exif_entry){ORIENTATION, SHORT, 1, 3};
        struct image_file file = image_file_exif(false, entries, ENTRIES, 0);
        file.bytes[file.count - 4] = 8;
        cr_assert(orientation_of(file) == 3, "%x", pointers[i]);
    }
}

Test(exif, long_exif_is_read)
{
    const struct exif_entry entries[] = {{ORIENTATION, SHORT, 1, 8}};
    cr_assert(orientation_of(image_file_exif(false, entries, 1, 300000)) == 8);
}

#ifndef MALLOC_IS_TAKEN

/* 2,000 entries of 60 KB each, all of them the same bytes. */
Test(exif, entries_that_share_bytes_take_little_memory)
{
    enum { ENTRIES = 2000, LITTLE_BYTES = 4 << 10 };
    static struct exif_entry entries[ENTRIES];
    struct ppm_error error = {0};
    int found = -1;
    for (size_t i = 0; i < ENTRIES - 1; i++)
        entries[i] = (struct exif_entry){(uint16_t)(MAKE + i % 2), ASCII, 30000, 30000};
    entries[ENTRIES - 1] = (struct exif_entry){ORIENTATION, SHORT, 1, 5};
    struct image_file file = image_file_exif(false, entries, ENTRIES, 60000);
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    heap_count();
    const enum ppm_status status = read_exif(&file, &found, &error);
    heap_counted();
    cr_assert(status == PPM_OK && found == 5, "%d %s", found, error.text);
    cr_assert(heap_counted_bytes() <= LITTLE_BYTES, "%zu bytes", heap_counted_bytes());
    image_file_free(&file);
}

#endif

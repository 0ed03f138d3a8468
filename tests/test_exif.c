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

/* None of these is an orientation by the standard. */
Test(exif, other_entries_are_not_the_orientation)
{
    static const struct exif_entry cases[] = {
        {MODEL, SHORT, 1, 6},       {ORIENTATION, LONG, 1, 6},         {ORIENTATION, ASCII, 1, 6},
        {ORIENTATION, SHORT, 0, 6}, {ORIENTATION, SHORT, 1u << 31, 6}, {ORIENTATION, 99, 1, 6},
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

/* A directory that is its own successor, or its own part. */
Test(exif, directories_in_a_circle_end)
{
    const struct exif_entry entries[] = {{ORIENTATION, SHORT, 1, 3}, {EXIF_IFD, LONG, 1, 8}};
    struct image_file file = image_file_exif(false, entries, 2, 0);
    file.bytes[file.count - 4] = 8;
    cr_assert(orientation_of(file) == 3);
}

/* The first 64 KB are read. */
Test(exif, long_exif_is_read_in_part)
{
    const struct exif_entry entries[] = {{ORIENTATION, SHORT, 1, 8}};
    cr_assert(orientation_of(image_file_exif(false, entries, 1, 300000)) == 8);
}

#ifndef MALLOC_IS_TAKEN

/* 2,000 entries of 60 KB each, all of them the same bytes. */
Test(exif, entries_that_share_bytes_take_little_memory)
{
    enum { ENTRIES = 2000 };
    static struct exif_entry entries[ENTRIES];
    struct ppm_error error = {0};
    int found = -1;
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct exif_entry){(uint16_t)(MAKE + i % 2), ASCII, 30000, 30000};
    struct image_file file = image_file_exif(false, entries, ENTRIES, 60000);
    if (!heap_is_ours())
        cr_skip_test("another malloc is in place");
    heap_count();
    const enum ppm_status status = read_exif(&file, &found, &error);
    heap_counted();
    cr_assert(status == PPM_MALFORMED && found == -1, "%d", found);
    cr_assert_str_eq(error.text, "EXIF: found entries that need more memory than the 1048576 bytes "
                                 "expected");
    cr_assert(heap_counted_bytes() <= (1 << 20) + (66 << 10), "%zu bytes", heap_counted_bytes());
    image_file_free(&file);
}

#endif

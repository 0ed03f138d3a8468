/* test_safetensors.c - weights files: errors and their messages, and values. */
#include "core/model/safetensors.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(safetensors, .init = support_open_folder, .fini = support_close_folder);

static void expect_refusal(const char *what, const char *path, const char *text)
{
    struct ppm_error error = {0};
    struct safetensors *file = safetensors_open(path, NULL, &error);
    cr_expect(file == NULL, "%s: was opened", what);
    cr_expect(error.status == PPM_BAD_CONFIG, "%s: found status %d", what, (int)error.status);
    cr_expect(strstr(error.text, text) != NULL, "%s: found \"%s\", expected \"%s\"", what,
              error.text, text);
    cr_expect(strstr(error.text, path) != NULL, "%s: \"%s\" does not name the file", what,
              error.text);
    safetensors_close(file);
}

Test(safetensors, refuses_what_is_no_file)
{
    expect_refusal("missing", support_path("missing"), "No such file or directory");
    cr_assert(mkdir(support_path("folder"), 0700) == 0);
    expect_refusal("folder", support_path("folder"), "found a directory");
    cr_assert(mkfifo(support_path("pipe"), 0600) == 0);
    expect_refusal("pipe", support_path("pipe"), "found a FIFO, expected a regular file");
}

Test(safetensors, refuses_false_lengths)
{
    static const struct {
        const char *name;
        size_t size;
        const char *bytes, *text;
    } cases[] = {
        {"empty", 0, "", "found 0 bytes, expected a safetensors file"},
        {"7 bytes", 7, "\2\0\0\0\0\0\0", "found 7 bytes"},
        {"length alone", 8, "\2\0\0\0\0\0\0\0", "found a header of 2 bytes in a file of 8"},
        {"one byte short", 9, "\2\0\0\0\0\0\0\0{", "found a header of 2 bytes in a file of 9"},
        {"2^64 - 1", 10, "\xff\xff\xff\xff\xff\xff\xff\xff{}", "18446744073709551615 bytes"},
        {"2^64 - 8", 10, "\xf8\xff\xff\xff\xff\xff\xff\xff{}", "18446744073709551608 bytes"},
        {"big-endian", 10, "\0\0\0\0\0\0\0\2{}", "found a header of 144115188075855872 bytes"},
        {"no header", 8, "\0\0\0\0\0\0\0\0", "the header is not a JSON object"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_refusal(cases[i].name, support_write("false", cases[i].bytes, cases[i].size),
                       cases[i].text);

    /* 16 MiB and a byte, all there */
    enum { HEADER = (16 << 20) + 1 };
    char *bytes = malloc(8 + HEADER);
    cr_assert(bytes != NULL);
    memset(bytes, ' ', 8 + HEADER);
    memcpy(bytes, "\1\0\0\1\0\0\0\0{}", 10);
    expect_refusal("large header", support_write("large", bytes, 8 + HEADER), "at most 16777216");
    free(bytes);
}

#define F32(shape, from, to)                                                                       \
    "{'dtype': 'F32', 'shape': [" shape "], 'data_offsets': [" #from ", " #to "]}"

Test(safetensors, refuses_false_headers)
{
    static const struct {
        const char *name, *header;
        size_t data_bytes;
        const char *text;
    } cases[] = {
        {"not JSON", "{'a': }", 0, "the header is not a JSON object"},
        {"a list", "[]", 0, "the header is not a JSON object: found an array"},
        {"duplicate", "{'a': " F32("1", 0, 4) ", 'a': " F32("1", 0, 4) "}", 4, "duplicate"},
        {"a number", "{'a': 1}", 0, "tensor a: expected a dtype, a shape and two data_offsets"},
        {"no dtype", "{'a': {'shape': [1], 'data_offsets': [0, 4]}}", 4, "tensor a: expected a d"},
        {"no shape", "{'a': {'dtype': 'F32', 'data_offsets': [0, 4]}}", 4, "expected a dtype"},
        {"no offsets", "{'a': {'dtype': 'F32', 'shape': [1]}}", 4, "expected a dtype"},
        {"one offset", "{'a': {'dtype': 'F32', 'shape': [1], 'data_offsets': [4]}}", 4,
         "expected a dtype"},
        {"dtype is 1", "{'a': {'dtype': 1, 'shape': [1], 'data_offsets': [0, 4]}}", 4, "a dtype"},
        {"real offset", "{'a': " F32("1", 0.0, 4) "}", 4, "two data_offsets"},
        {"negative offset", "{'a': " F32("1", -4, 0) "}", 4, "two data_offsets"},
        {"offset of 2^64", "{'a': " F32("1", 0, 18446744073709551620) "}", 4, "too big integer"},
        {"negative shape", "{'a': " F32("-1", 0, 4) "}", 4, "expected a shape of integers"},
        {"real shape", "{'a': " F32("1.0", 0, 4) "}", 4, "expected a shape of integers"},
        {"9 dimensions", "{'a': " F32("1, 1, 1, 1, 1, 1, 1, 1, 1", 0, 4) "}", 4, "at most 8"},
        {"beyond the end", "{'a': " F32("2", 0, 8) "}", 7, "lie outside the file"},
        {"far beyond", "{'a': " F32("2", 9223372036854775800, 9223372036854775807) "}", 8,
         "lie outside the file"},
        {"reversed", "{'a': " F32("1", 4, 0) "}", 4, "lie outside the file"},
        {"too few bytes", "{'a': " F32("2, 3", 0, 20) "}", 20, "do not span what dtype and shape"},
        {"too many bytes", "{'a': " F32("2, 3", 0, 28) "}", 28, "do not span what dtype and shape"},
        {"product overflows to 0", "{'a': " F32("4294967296, 4294967296", 0, 0) "}", 0,
         "do not span"},
        {"product overflows to 4", "{'a': " F32("6148914691236517205, 3", 0, 4) "}", 4,
         "do not span"},
        {"overlap", "{'a': " F32("2", 0, 8) ", 'b': " F32("1", 4, 8) "}", 8,
         "tensor b: its bytes do not begin where those of the tensor before it end"},
        {"the same bytes", "{'a': " F32("1", 0, 4) ", 'b': " F32("1", 0, 4) "}", 4, "do not begin"},
        {"hole in front", "{'a': " F32("1", 4, 8) "}", 8, "tensor a: its bytes do not begin"},
        {"hole", "{'a': " F32("1", 0, 4) ", 'b': " F32("1", 8, 12) "}", 12, "tensor b: its bytes"},
        {"trailing bytes", "{'a': " F32("1", 0, 4) "}", 5,
         "found 5 bytes of tensors, expected the 4 of its header"},
        {"bytes of no tensor", "{}", 1, "found 1 bytes of tensors, expected the 0"},
        {"hole of unknown dtype", "{'a': {'dtype': 'F4', 'shape': [1], 'data_offsets': [1, 2]}}", 2,
         "do not begin"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_refusal(cases[i].name,
                       support_write_header("false", cases[i].header, cases[i].data_bytes),
                       cases[i].text);
}

static struct safetensors *open_ok(const char *path)
{
    struct ppm_error error = {0};
    struct safetensors *file = safetensors_open(path, NULL, &error);
    cr_assert(file != NULL, "%s", error.text);
    return file;
}

static void expect_values(struct safetensors *file, const char *name, const float *expected,
                          size_t count)
{
    float found[8] = {0};
    struct ppm_error error = {0};
    const struct safetensors_entry *entry = safetensors_find(file, name);
    cr_assert(entry != NULL, "%s", name);
    cr_expect(safetensors_read(file, entry, found, &error) == PPM_OK, "%s: %s", name, error.text);
    cr_expect(memcmp(found, expected, count * sizeof *expected) == 0, "%s: found %g %g, not %g %g",
              name, (double)found[0], (double)found[1], (double)expected[0], (double)expected[1]);
}

/* The values of the float16 were calculated by hand. */
Test(safetensors, reads_every_float_format_exactly)
{
    static const float values[] = {1, -0.0F, 3.40282347e38F, 1e-45F, INFINITY};
    static const uint16_t float16[] = {0x3c00, 0x8000, 0x7bff, 0x0001, 0xfc00, 0x3555};
    static const float float16_values[] = {1, -0.0F, 65504, 0x1p-24F, -INFINITY, 0x1.554p-2F};
    static const uint16_t bfloat16[] = {0x3f80, 0x8000, 0x7f7f, 0x0001, 0xff80, 0xc049};
    static const float bfloat16_values[] = {1,         -0.0F,     0x1.fep127F,
                                            0x1p-133F, -INFINITY, -3.140625F};
    static const struct support_weights tensors[] = {{"a", "F32", {5}, values},
                                                     {"half", "F16", {2, 3}, float16},
                                                     {"empty.name", "I64", {1, 1, 3}, NULL},
                                                     {"brain", "BF16", {6, 1, 1, 1}, bfloat16}};
    struct safetensors *file = open_ok(support_write_safetensors("f", tensors, COUNT(tensors)));
    expect_values(file, "a", values, 5);
    expect_values(file, "half", float16_values, 6);
    expect_values(file, "brain", bfloat16_values, 6);
    cr_expect(safetensors_find(file, "hal") == NULL && safetensors_find(file, "") == NULL);
    cr_expect(safetensors_find(file, "half")->rank == 2);
    cr_expect(safetensors_find(file, "half")->shape[1] == 3);
    cr_expect(safetensors_entry(file, 4) == NULL);
    safetensors_close(file);
}

Test(safetensors, refuses_to_read_other_formats)
{
    static const struct {
        const char *name;
        size_t bytes;
    } dtypes[] = {{"F64", 8}, {"I64", 8},  {"I32", 4},     {"U16", 2},
                  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F4", 1}};
    for (size_t i = 0; i < COUNT(dtypes); i++) {
        char header[120], expected[80];
        snprintf(header, sizeof header,
                 "{'a': {'dtype': '%s', 'shape': [1], 'data_offsets': [0, %zu]}}", dtypes[i].name,
                 dtypes[i].bytes);
        struct safetensors *file = open_ok(support_write_header("f", header, dtypes[i].bytes));
        struct ppm_error error = {0};
        float value;
        cr_expect(safetensors_read(file, safetensors_find(file, "a"), &value, &error) ==
                  PPM_BAD_CONFIG);
        snprintf(expected, sizeof expected, "tensor a: found dtype %s, expected F32, F16 or BF16",
                 dtypes[i].name);
        cr_expect(strstr(error.text, expected) != NULL, "%s", error.text);
        safetensors_close(file);
    }
}

Test(safetensors, the_header_may_be_in_any_order)
{
    const char *header = " {'__metadata__': {'format': 'pt'}, 'second': " F32(
        "2", 4, 12) ","
                    " 'none': " F32("0, 5", 4, 4) ", 'first': " F32("", 0, 4) "}   ";
    size_t size;
    char *bytes = support_read(support_write_header("f", header, 12), &size);
    static const float values[] = {7, 8, 9};
    memcpy(bytes + size - sizeof values, values, sizeof values);
    struct safetensors *file = open_ok(support_write("f", bytes, size));
    free(bytes);
    expect_values(file, "first", values, 1);
    expect_values(file, "second", values + 1, 2);
    cr_expect(safetensors_find(file, "first")->rank == 0);
    cr_expect(safetensors_find(file, "__metadata__") == NULL);
    cr_expect_str_eq(safetensors_entry(file, 0)->name, "first");
    safetensors_close(file);
}

/* A file that shrinks after it was opened: an error, no crash. */
Test(safetensors, a_file_cut_short_meanwhile)
{
    static const struct support_weights tensor = {"a", "F32", {4}, NULL};
    const char *path = support_write_safetensors("f", &tensor, 1);
    struct safetensors *file = open_ok(path);
    struct ppm_error error = {0};
    float values[4];
    cr_assert(truncate(path, 70) == 0);
    cr_expect(safetensors_read(file, safetensors_find(file, "a"), values, &error) ==
              PPM_BAD_CONFIG);
    cr_expect(strstr(error.text, "ends at byte 70, inside a tensor") != NULL, "%s", error.text);
    safetensors_close(file);
}

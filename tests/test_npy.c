/* test_npy.c - NumPy's .npy: reading, errors and their messages, writing. */
#include "server/codec/npy/npy.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Writes the start of a .npy of that version with that header. Returns its length. */
static size_t write_head(char *to, int major, const char *text)
{
    const size_t length = strlen(text);
    const size_t prefix = major == 1 ? 10 : 12;
    const char head[12] = {
        (char)0x93,          'N', 'U', 'M', 'P', 'Y', (char)major, 0, (char)length,
        (char)(length >> 8), 0,   0};
    memcpy(to, head, prefix);
    memcpy(to + prefix, text, length);
    return prefix + length;
}

/* Decodes for a model with that many channels, from memory that ends with the body, at an odd
 * address. */
static enum ppm_status decode(const char *body, size_t body_bytes, size_t channels,
                              struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const struct codec_expectation expectation = {
        .layout = PPM_NCHW, .channels = channels, .model = "m"};
    char *copy = malloc(body_bytes + 1);
    cr_assert(copy != NULL);
    memcpy(copy + 1, body, body_bytes);
    const enum ppm_status status =
        codec_decode(&codec_npy, copy + 1, body_bytes, &expectation, ret_tensor, error);
    free(copy);
    return status;
}

static enum ppm_status decode_text(int major, const char *text, const void *data, size_t data_bytes,
                                   struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    char body[4096];
    const size_t head_bytes = write_head(body, major, text);
    cr_assert(head_bytes + data_bytes <= sizeof body);
    memcpy(body + head_bytes, data, data_bytes);
    return decode(body, head_bytes + data_bytes, 2, ret_tensor, error);
}

static const float values[4] = {1, -2.5F, 1e-45F, 3.40282347e38F};

Test(npy, reads_every_version_and_spelling)
{
    static const char *const texts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 2), }            \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 2)}",
        "{\"shape\":(1,2,1,2),\"descr\":\"<f4\",\"fortran_order\":False}\n",
        " { 'fortran_order' :\tFalse ,\n'shape' : ( 1 , 2 , 1 , 2 , ) , \"descr\" : '<f4' , } ",
        "{u'descr': u'<f4', 'fortran_order': False,\f'shape': (1, 2, 1, 2), }",
        "{'descr': '=f4', 'fortran_order': False, 'shape': (1, 2, 1, 2), }",
        "{'descr': '|f4', 'fortran_order': False, 'shape': (1, 2, 1, 2), }",
        "{'descr': 'f4', 'fortran_order': False, 'shape': (1, 2, 1, 2), }",
        "{'descr': '<f', 'fortran_order': False, 'shape': (1, 2, 1, 2), }",
        "{'descr': 'float32', 'fortran_order': False, 'shape': (1, 2, 1, 2), }",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (int major = 1; major <= 3; major++) {
            struct ppm_tensor tensor = {0};
            struct ppm_error error = {0};
            cr_assert(decode_text(major, texts[i], values, sizeof values, &tensor, &error) ==
                          PPM_OK,
                      "%s, version %d: %s", texts[i], major, error.text);
            cr_assert(tensor.shape.n == 1 && tensor.shape.c == 2 && tensor.shape.h == 1 &&
                      tensor.shape.w == 2);
            cr_assert(tensor.is_batch && tensor.dtype == PPM_FLOAT32);
            cr_assert(memcmp(tensor.data, values, sizeof values) == 0);
            ppm_tensor_free(&tensor);
        }
    }
}

/* NumPy reads Python 2's headers, but not in later versions of the format. */
Test(npy, reads_long_integers_of_python_2)
{
    static const char *const texts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L, 1L, 2L), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2L ,1L, 2 L,), }",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        for (int major = 1; major <= 3; major++) {
            struct ppm_tensor tensor = {0};
            struct ppm_error error = {0};
            decode_text(major, texts[i], values, sizeof values, &tensor, &error);
            cr_expect((error.status == PPM_OK) == (major < 3), "%s, version %d: %s", texts[i],
                      major, error.text);
            cr_expect(major == 3 || (tensor.shape.c == 2 && tensor.shape.w == 2));
            ppm_tensor_free(&tensor);
        }
}

Test(npy, three_axes_are_no_batch)
{
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode_text(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2)}", values,
                          sizeof values, &tensor, &error) == PPM_OK,
              "%s", error.text);
    cr_assert(!tensor.is_batch && tensor.shape.n == 1 && tensor.shape.c == 2);
    ppm_tensor_free(&tensor);
}

Test(npy, reads_float64_and_float16)
{
    static const double doubles[4] = {0.1, -INFINITY, 3.402823567797336e38, 1e-300};
    static const uint16_t halves[4] = {0x3c00, 0xc100, 0x0001, 0xfc00};
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode_text(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 1)}",
                          doubles, sizeof doubles, &tensor, &error) == PPM_OK,
              "%s", error.text);
    const float *found = tensor.data;
    cr_assert(found[0] == 0.1F && found[1] == -INFINITY && found[2] == 3.40282347e38F &&
              found[3] == 0);
    ppm_tensor_free(&tensor);
    cr_assert(decode_text(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2, 1)}", halves,
                          sizeof halves, &tensor, &error) == PPM_OK,
              "%s", error.text);
    found = tensor.data;
    cr_assert(found[0] == 1 && found[1] == -2.5F && found[2] == ldexpf(1, -24) &&
              found[3] == -INFINITY);
    ppm_tensor_free(&tensor);
}

Test(npy, not_a_number_passes)
{
    static const double doubles[2] = {NAN, 1};
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode_text(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 1)}",
                          doubles, sizeof doubles, &tensor, &error) == PPM_OK,
              "%s", error.text);
    cr_assert(isnan(*(const float *)tensor.data));
    ppm_tensor_free(&tensor);
}

/* Every element encodes its position: 1000000 n + 10000 c + 100 h + w. */
static void check_fortran(bool is_batch, const size_t axes[4], const char *descr)
{
    const size_t n = axes[0], c = axes[1], h = axes[2], w = axes[3];
    const bool is_double = strcmp(descr, "<f8") == 0;
    char *body = malloc(256 + n * c * h * w * 8);
    cr_assert(body != NULL);
    char text[128], batch[24] = "";
    if (is_batch)
        snprintf(batch, sizeof batch, "%zu, ", n);
    snprintf(text, sizeof text,
             "{'descr': '%s', 'fortran_order': True, 'shape': (%s%zu, %zu, %zu)}", descr, batch, c,
             h, w);
    char *to = body + write_head(body, 1, text);
    for (size_t i = 0; i < n * c * h * w; i++) {
        const size_t in = i % n, ic = i / n % c, ih = i / n / c % h, iw = i / n / c / h;
        const double value = (double)(1000000 * in + 10000 * ic + 100 * ih + iw);
        const float single = (float)value;
        memcpy(to, is_double ? (const void *)&value : (const void *)&single, is_double ? 8 : 4);
        to += is_double ? 8 : 4;
    }
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode(body, (size_t)(to - body), c, &tensor, &error) == PPM_OK, "%s: %s", text,
              error.text);
    const float *found = tensor.data;
    for (size_t in = 0; in < n; in++)
        for (size_t ic = 0; ic < c; ic++)
            for (size_t ih = 0; ih < h; ih++)
                for (size_t iw = 0; iw < w; iw++)
                    cr_assert(*found++ == (float)(1000000 * in + 10000 * ic + 100 * ih + iw),
                              "%s at [%zu, %zu, %zu, %zu]", text, in, ic, ih, iw);
    ppm_tensor_free(&tensor);
    free(body);
}

Test(npy, fortran_order_is_transposed)
{
    check_fortran(true, (const size_t[4]){2, 3, 4, 5}, "<f4");
    check_fortran(true, (const size_t[4]){2, 3, 4, 5}, "<f8");
    check_fortran(true, (const size_t[4]){3, 1, 2, 1100}, "<f4"); /* rows beyond one chunk */
    check_fortran(false, (const size_t[4]){1, 7, 5, 3}, "<f8");
    check_fortran(false, (const size_t[4]){1, 1, 1, 1}, "<f4");
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(npy, refuses_headers)
{
    static const char accepted[] = "expected '<f4', '<f8' or '<f2', such as x.astype('<f4') has";
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "descr is '>f4' (big-endian), "},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "descr is '|O' (Python objects), "},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 1, 2)}",
         "descr is a list of fields (a structured array), "},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1, 2)}", "descr is '<i4', "},
        {"{'descr': 'float', 'fortran_order': False, 'shape': (2, 1, 2)}", "descr is 'float', "},
        {"{'descr': '<float32', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "descr is '<float32', "},
        {"{'descr': '<f44', 'fortran_order': False, 'shape': (2, 1, 2)}", "descr is '<f44', "},
        {"{'descr': '', 'fortran_order': False, 'shape': (2, 1, 2)}", "descr is '', "},
        {"{'descr': 4, 'fortran_order': False, 'shape': (2, 1, 2)}",
         "npy header at byte 20: found \"4, 'fortran_order': False, 'shape': (2, ...\", "},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (2, 1, 2)}", "descr is '<f4, ', "},
        {"{'descr': '<f4", "found \"'<f4\", "},
        {"{'descr': '\x01\xff', 'fortran_order': False}", "descr is '\\x01\\xff', "},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 1, 2)}",
         "expected True or False as fortran_order"},
        {"{'descr': '<f4', 'fortran_order': false}", "expected True or False as fortran_order"},
        {"{'descr': '<f4', 'fortran_order': Falsey}", "expected ',' or '}'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
         "expected a shape such as (1, 4, 30, 30)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2, 1, 2]}",
         "expected a shape such as (1, 4, 30, 30)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, -1, 2)}",
         "found \"-1, 2)}\", expected an extent of the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1.5, 2)}",
         "found \".5, 2)}\", expected ',' or ')' in the shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,, 1)}",
         "found \", 1)}\", expected an extent"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 18446744073709551616)}",
         "found \"18446744073709551616)}\", expected an extent"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
         "the shape has 0 axes, expected 3 or 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}", "the shape has 1 axis,"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 1, 2)}",
         "the shape has 5 axes,"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0, 2)}", "found a dimension of 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}",
         "overflows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2", "found its end at byte "},
        {"{'descr': '<f4', 'fortran_order': False, }", "npy header: 'shape' is missing"},
        {"{'descr': '<f4', 'shape': (2, 1, 2)}", "npy header: 'fortran_order' is missing"},
        {"{'fortran_order': False, 'shape': (2, 1, 2)}", "npy header: 'descr' is missing"},
        {"{}", "npy header: 'descr' is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "npy header at byte 27: found \"'descr': '<f4', 'fortran_order': False, ...\", expected "
         "'descr', 'fortran_order' and 'shape', once each"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2), 'x': 1}",
         "found \"'x': 1}\", expected 'descr', 'fortran_order' and 'shape', once each"},
        {"{'descr' '<f4'}", "expected ':'"},
        {"{'descr': '<f4' 'shape': (2, 1, 2)}", "expected ',' or '}'"},
        {"{'descr': '<f4',, 'shape': (2, 1, 2)}", "once each"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2)} + x",
         "found \"+ x\", expected nothing after the '}'"},
        {"__import__('os')", "npy header at byte 10: found \"__import__('os')\", expected '{'"},
        {"", "npy header: found its end at byte 10, expected '{'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3)}",
         "npy: found 16 bytes of data, expected 24 for shape [2, 1, 3] of <f4"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "npy: found 16 bytes of data, expected 32 for shape [2, 1, 2] of <f8"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1, 2)}",
         "npy: found 16 bytes of data, expected 8 for shape [2, 1, 2] of <f2"},
        /* No machine has this much memory; nothing is allocated. */
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1000000, 1000000000)}",
         "found 16 bytes of data, expected 8000000000000000 for shape"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        const enum ppm_status status =
            decode_text(1, cases[i].text, values, sizeof values, &tensor, &error);
        cr_assert(status == PPM_MALFORMED, "%s: status %d", cases[i].text, (int)status);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL,
                  "%s: found \"%s\", expected \"%s\"", cases[i].text, error.text,
                  cases[i].sentence);
        const size_t length = strlen(cases[i].sentence);
        if (strcmp(cases[i].sentence + length - 2, ", ") == 0)
            cr_assert(strstr(error.text, accepted) != NULL, "%s", error.text);
        cr_assert(tensor.data == NULL && tensor.shape.n == 0);
    }
}

Test(npy, refuses_what_stands_before_the_header)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *sentence;
    } cases[] = {
        {"", 0, "the body is empty, expected a tensor as application/x-npy"},
        {"\x93NUMP", 5, "npy: found \"\\x93NUMP\", expected \\x93NUMPY"},
        {"{\"data\": [1]}", 13,
         "npy: found JSON, expected \\x93NUMPY; send JSON with Content-Type: application/json"},
        {"\x1f\x8b\x08", 3,
         "npy: found gzip data, expected \\x93NUMPY; send it with Content-Encoding: gzip"},
        {"\x93NUMPY\1v{'descr'", 16, "curl's --data-binary sends that, -d leaves bytes out"},
        {"\x93NUMPY\2O\1{'descr'", 17, "curl's --data-binary sends that, -d leaves bytes out"},
        {"\x93NUMPY\1\0", 8,
         "npy: found 8 bytes, which end within the header, expected at least 12"},
        {"\x93NUMPY\0\0\0\0\0\0", 12, "npy: found version 0.0, expected 1.0, 2.0 or 3.0"},
        {"\x93NUMPY\4\0\0\0\0\0", 12, "npy: found version 4.0, expected"},
        {"\x93NUMPY\1\1\0\0\0\0", 12, "npy: found version 1.1, expected"},
        {"\x93NUMPY\1\0\x11\x27{}", 12,
         "npy: found a header of 10001 bytes, expected at most 10000"},
        {"\x93NUMPY\2\0\0\0\1\0", 12, "npy: found a header of 65536 bytes, expected at most 10000"},
        {"\x93NUMPY\3\0\xff\xff\xff\xff", 12, "npy: found a header of 4294967295 bytes"},
        {"\x93NUMPY\1\0\x10\0{}", 12,
         "npy: found 12 bytes, which end within the header, expected at least 26"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor tensor = {0};
        struct ppm_error error = {0};
        cr_assert(decode(cases[i].bytes, cases[i].count, 2, &tensor, &error) == PPM_MALFORMED,
                  "case %zu", i);
        cr_assert(strstr(error.text, cases[i].sentence) != NULL, "case %zu: %s", i, error.text);
    }
}

Test(npy, refuses_float64_beyond_float32)
{
    static const double doubles[2] = {1, -3.4028235677973366e38};
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    cr_assert(decode_text(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 1)}",
                          doubles, sizeof doubles, &tensor, &error) == PPM_MALFORMED);
    cr_assert(strstr(error.text, "npy: element 1 is -3.4028235677973366e+38, beyond float32") !=
                  NULL,
              "%s", error.text);
    cr_assert(tensor.data == NULL);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* As NumPy writes it: version 1, data at a multiple of 64. */
Test(npy, writes_answers)
{
    static const struct {
        struct ppm_tensor tensor;
        const char *dictionary;
    } cases[] = {
        {{.shape = {1, 2, 1, 2}, .layout = PPM_NCHW, .is_batch = true, .dtype = PPM_FLOAT32},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 1, 2), }"},
        {{.shape = {1, 1, 2, 2}, .layout = PPM_NHWC, .is_batch = false, .dtype = PPM_INT32},
         "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2, 1), }"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        float data[4];
        memcpy(data, values, sizeof data);
        struct ppm_tensor tensor = cases[i].tensor;
        tensor.data = data;
        struct codec_bytes bytes = {0};
        struct ppm_error error = {0};
        cr_assert(
            codec_encode(&codec_npy,
                         &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1},
                         &bytes, &error) == PPM_OK);
        const size_t head = bytes.size - sizeof values;
        cr_assert(head % 64 == 0 && head <= 192, "the data starts at %zu", head);
        cr_assert(bytes.size <= codec_encoded_bytes_max(&codec_npy, 4));
        cr_assert(memcmp(bytes.data, "\x93NUMPY\1\0", 8) == 0);
        cr_assert((unsigned char)bytes.data[8] + 256 * (unsigned char)bytes.data[9] ==
                  (int)head - 10);
        cr_assert(strncmp(bytes.data + 10, cases[i].dictionary, strlen(cases[i].dictionary)) == 0,
                  "%.*s", (int)head - 10, bytes.data + 10);
        cr_assert(bytes.data[head - 1] == '\n');
        cr_assert(memcmp(bytes.data + head, values, sizeof values) == 0);
        cr_assert(tensor.data == data);
        free(bytes.data);
    }
}

Test(npy, the_longest_header_fits)
{
    for (size_t digits = 1; digits < 1000000; digits *= 10) {
        /* Only the header grows with w; the elements are 4 * digits bytes. */
        struct ppm_tensor tensor = {
            .shape = {1, 1, 1, digits}, .is_batch = true, .dtype = PPM_FLOAT32};
        struct ppm_error error = {0};
        cr_assert(ppm_tensor_allocate(&tensor, &error) == PPM_OK);
        memset(tensor.data, 0, digits * 4);
        struct codec_bytes bytes = {0};
        cr_assert(
            codec_encode(&codec_npy,
                         &(struct codec_answer){.tensor = &tensor, .model = "m", .threads = 1},
                         &bytes, &error) == PPM_OK);
        cr_assert((bytes.size - digits * 4) % 64 == 0);
        struct ppm_tensor back = {0};
        cr_assert(decode(bytes.data, bytes.size, 1, &back, &error) == PPM_OK, "%s", error.text);
        cr_assert(back.shape.w == digits);
        ppm_tensor_free(&back);
        ppm_tensor_free(&tensor);
        free(bytes.data);
    }
}

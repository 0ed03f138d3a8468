/*
 * npy_header.c - see npy_header.h.
 *
 * The header is a Python literal; it is read by a fixed grammar and never evaluated:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (1, 4, 30, 30), }
 *
 * Spelled otherwise where NumPy's own reader takes that: other white space, order of keys and names
 * of a type; u'' strings; and Python 2's long integers, (1L, 4L), in versions 1 and 2.
 */
#include "server/codec/npy/npy_header.h"

#include "server/codec/axes.h"
#include "server/codec/quote.h"

#include <string.h>

enum { HEADER_BYTES_MAX = 10000 };

const char codec_npy_magic[] = "\x93NUMPY";
static const char accepted[] = "'<f4', '<f8' or '<f2', such as x.astype('<f4') has";

/* NumPy's names for a type. The short ones may follow "<", "=" or "|": native byte order. */
static const struct dtype_name {
    enum codec_npy_dtype dtype;
    const char *descr;
    size_t element_bytes;
    const char *code, *character, *name;
} dtypes[] = {
    {CODEC_NPY_FLOAT32, "<f4", 4, "f4", "f", "float32"},
    {CODEC_NPY_FLOAT64, "<f8", 8, "f8", "d", "float64"},
    {CODEC_NPY_FLOAT16, "<f2", 2, "f2", "e", "float16"},
};

/* Which entries of the dictionary were read. */
struct seen {
    bool descr, fortran_order, shape;
};

struct cursor {
    const char *body, *at, *end;
    bool may_be_python2;
    struct ppm_error *error;
};

static enum ppm_status refuse(const struct cursor *cursor, const char *expected)
{
    char found[CODEC_QUOTED_BYTES];
    if (cursor->at == cursor->end)
        return ppm_fail(cursor->error, PPM_MALFORMED,
                        "npy header: found its end at byte %zu, expected %s",
                        (size_t)(cursor->at - cursor->body), expected);
    return ppm_fail(cursor->error, PPM_MALFORMED,
                    "npy header at byte %zu: found \"%s\", expected %s",
                    (size_t)(cursor->at - cursor->body),
                    codec_quote(cursor->at, (size_t)(cursor->end - cursor->at), found), expected);
}

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && memchr(" \t\r\n\f", *cursor->at, 5))
        cursor->at++;
}

/* Skips spaces, then byte if it comes next. */
static bool skip_byte(struct cursor *cursor, char byte)
{
    skip_space(cursor);
    if (cursor->at == cursor->end || *cursor->at != byte)
        return false;
    cursor->at++;
    return true;
}

static bool skip_word(struct cursor *cursor, const char *word)
{
    const size_t bytes = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < bytes || memcmp(cursor->at, word, bytes) != 0)
        return false;
    cursor->at += bytes;
    return true;
}

/* Skips a string in single or double quotes, without the escapes that no valid header has. */
static bool skip_string(struct cursor *cursor, const char **ret_text, size_t *ret_bytes)
{
    skip_space(cursor);
    const char *quote = cursor->at;
    if (quote < cursor->end && (*quote == 'u' || *quote == 'U'))
        quote++;
    if (quote == cursor->end || (*quote != '\'' && *quote != '"'))
        return false;
    const char *text = quote + 1;
    const char *end = memchr(text, *quote, (size_t)(cursor->end - text));
    if (!end)
        return false;
    *ret_text = text;
    *ret_bytes = (size_t)(end - text);
    cursor->at = end + 1;
    return true;
}

static bool names_dtype(const char *descr, size_t bytes, const struct dtype_name *dtype)
{
    const size_t order_bytes = bytes > 0 && memchr("<=|", *descr, 3) ? 1 : 0;
    return codec_is_text(descr, bytes, dtype->name) ||
           codec_is_text(descr + order_bytes, bytes - order_bytes, dtype->code) ||
           codec_is_text(descr + order_bytes, bytes - order_bytes, dtype->character);
}

static enum ppm_status read_descr(struct cursor *cursor, struct codec_npy_header *header)
{
    const char *descr;
    size_t bytes;
    skip_space(cursor);
    if (cursor->at < cursor->end && *cursor->at == '[')
        return ppm_fail(cursor->error, PPM_MALFORMED,
                        "npy header: descr is a list of fields (a structured array), expected %s",
                        accepted);
    if (!skip_string(cursor, &descr, &bytes))
        return refuse(cursor, accepted);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (names_dtype(descr, bytes, &dtypes[i])) {
            header->dtype = dtypes[i].dtype;
            header->descr = dtypes[i].descr;
            header->element_bytes = dtypes[i].element_bytes;
            return PPM_OK;
        }
    }
    const char *what = "";
    if (memchr(descr, 'O', bytes))
        what = " (Python objects)";
    else if (bytes > 0 && *descr == '>')
        what = " (big-endian)";
    char found[CODEC_QUOTED_BYTES];
    return ppm_fail(cursor->error, PPM_MALFORMED, "npy header: descr is '%s'%s, expected %s",
                    codec_quote(descr, bytes, found), what, accepted);
}

static enum ppm_status read_order(struct cursor *cursor, struct codec_npy_header *header)
{
    skip_space(cursor);
    header->is_fortran = skip_word(cursor, "True");
    if (!header->is_fortran && !skip_word(cursor, "False"))
        return refuse(cursor, "True or False as fortran_order");
    return PPM_OK;
}

static enum ppm_status read_shape(struct cursor *cursor, struct codec_npy_header *header)
{
    static const char expected[] = "a shape such as (1, 4, 30, 30)";
    size_t count = 0;
    if (!skip_byte(cursor, '('))
        return refuse(cursor, expected);
    while (!skip_byte(cursor, ')')) {
        size_t extent;
        if (count > 0 && !skip_byte(cursor, ','))
            return refuse(cursor, "',' or ')' in the shape");
        if (count > 0 && skip_byte(cursor, ')'))
            break;
        skip_space(cursor);
        if (!codec_read_size(&cursor->at, cursor->end, &extent))
            return refuse(cursor, "an extent of the shape");
        if (cursor->may_be_python2)
            skip_byte(cursor, 'L');
        if (count < 4)
            header->axes[count] = extent;
        count++;
    }
    if (count != 3 && count != 4)
        return ppm_fail(cursor->error, PPM_MALFORMED,
                        "npy header: the shape has %zu ax%s, expected 3 or 4", count,
                        count == 1 ? "is" : "es");
    header->axis_count = count;
    return PPM_OK;
}

/* Reads one "key: value" of the dictionary. */
static enum ppm_status read_entry(struct cursor *cursor, struct seen *seen,
                                  struct codec_npy_header *header)
{
    static const char expected[] = "'descr', 'fortran_order' and 'shape', once each";
    struct {
        const char *name;
        bool *is_read;
        enum ppm_status (*read)(struct cursor *cursor, struct codec_npy_header *header);
    } const keys[] = {{"descr", &seen->descr, read_descr},
                      {"fortran_order", &seen->fortran_order, read_order},
                      {"shape", &seen->shape, read_shape}};
    const struct cursor before = *cursor;
    const char *key;
    size_t bytes;
    if (!skip_string(cursor, &key, &bytes))
        return refuse(cursor, expected);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!codec_is_text(key, bytes, keys[i].name))
            continue;
        if (*keys[i].is_read)
            break;
        *keys[i].is_read = true;
        if (!skip_byte(cursor, ':'))
            return refuse(cursor, "':'");
        return keys[i].read(cursor, header);
    }
    return refuse(&before, expected);
}

static enum ppm_status read_dictionary(struct cursor *cursor, struct codec_npy_header *header)
{
    struct seen seen = {false, false, false};
    enum ppm_status status = PPM_OK;
    if (!skip_byte(cursor, '{'))
        return refuse(cursor, "'{'");
    while (status == PPM_OK && !skip_byte(cursor, '}')) {
        status = read_entry(cursor, &seen, header);
        skip_space(cursor);
        if (status == PPM_OK && !skip_byte(cursor, ',') &&
            (cursor->at == cursor->end || *cursor->at != '}'))
            return refuse(cursor, "',' or '}'");
    }
    if (status != PPM_OK)
        return status;
    skip_space(cursor);
    if (cursor->at != cursor->end)
        return refuse(cursor, "nothing after the '}'");
    if (!seen.descr || !seen.fortran_order || !seen.shape)
        return ppm_fail(cursor->error, PPM_MALFORMED, "npy header: '%s' is missing",
                        !seen.descr           ? "descr"
                        : !seen.fortran_order ? "fortran_order"
                                              : "shape");
    return PPM_OK;
}

bool codec_is_npy_file(const char *body, size_t body_bytes)
{
    return body_bytes >= CODEC_NPY_MAGIC_BYTES &&
           memcmp(body, codec_npy_magic, CODEC_NPY_MAGIC_BYTES) == 0;
}

static enum ppm_status refuse_magic(const char *body, size_t body_bytes, struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *kind = ppm_looks_like(body, body_bytes);
    if (kind)
        return ppm_fail(error, PPM_MALFORMED, "npy: found %s, expected \\x93NUMPY%s", kind,
                        codec_hint(kind));
    return ppm_fail(error, PPM_MALFORMED, "npy: found \"%s\", expected \\x93NUMPY",
                    codec_quote(body, size_min(body_bytes, 8), found));
}

/* Whether all zero bytes are missing, the minor version among them: then the dictionary begins too
 * early. */
static bool is_stripped(const char *body, size_t body_bytes)
{
    return body_bytes > 12 && body[7] != 0 && memchr(body + 8, '{', 2);
}

/* Reads magic, version and length; the dictionary is [*ret_start, *ret_end). */
static enum ppm_status find_header(const char *body, size_t body_bytes, size_t *ret_start,
                                   size_t *ret_end, struct ppm_error *error)
{
    const unsigned char *bytes = (const unsigned char *)body;
    if (body_bytes < CODEC_NPY_MAGIC_BYTES ||
        memcmp(body, codec_npy_magic, CODEC_NPY_MAGIC_BYTES) != 0)
        return refuse_magic(body, body_bytes, error);
    if (is_stripped(body, body_bytes))
        return ppm_fail(error, PPM_MALFORMED,
                        "npy: found a header without its NUL bytes, expected the file as it is: "
                        "curl's --data-binary sends that, -d leaves bytes out");
    if (body_bytes < 12)
        return ppm_fail(error, PPM_MALFORMED,
                        "npy: found %zu byte%s, which end within the header, expected at least 12",
                        body_bytes, ppm_plural(body_bytes));
    const unsigned major = bytes[6];
    if (major < 1 || major > 3 || bytes[7] != 0)
        return ppm_fail(error, PPM_MALFORMED, "npy: found version %u.%u, expected 1.0, 2.0 or 3.0",
                        major, bytes[7]);
    size_t header_bytes = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (major > 1)
        header_bytes |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (header_bytes > HEADER_BYTES_MAX)
        return ppm_fail(error, PPM_MALFORMED,
                        "npy: found a header of %zu bytes, expected at most %d", header_bytes,
                        HEADER_BYTES_MAX);
    *ret_start = major > 1 ? 12 : 10;
    *ret_end = *ret_start + header_bytes;
    if (*ret_end > body_bytes)
        return ppm_fail(error, PPM_MALFORMED,
                        "npy: found %zu byte%s, which end within the header, expected at least %zu",
                        body_bytes, ppm_plural(body_bytes), *ret_end);
    return PPM_OK;
}

enum ppm_status codec_npy_read_header(const char *body, size_t body_bytes,
                                      struct codec_npy_header *ret_header, struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    size_t start = 0, end = 0;
    enum ppm_status status = find_header(body, body_bytes, &start, &end, error);
    struct cursor cursor = {.body = body, .at = body + start, .end = body + end, .error = error};
    cursor.may_be_python2 = start > 0 && body[CODEC_NPY_MAGIC_BYTES] < 3;
    if (status == PPM_OK)
        status = read_dictionary(&cursor, &header);
    header.bytes = end;
    if (status == PPM_OK)
        *ret_header = header;
    return status;
}

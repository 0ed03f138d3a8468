/* fuzz_negotiate.c - Accept and Content-Type: a known form, and the one that RFC 9110 names. */
#include "server/codec/negotiate.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NONE = -1, TEXT_BYTES_MAX = 1 << 12, RANGES_MAX = 16, FORM_COUNT = 4 };

static bool may_be_png;

static enum codec_use use(void)
{
    return may_be_png ? CODEC_ANY_LABELS : CODEC_ANY_TENSOR;
}

static int negotiate(const char *accept, int own)
{
    const struct codec_form *form = codec_negotiate(accept, codec_forms[own], use());
    FUZZ_CHECK(!form || codec_is_for(form, use()), "%s", form->name);
    for (int i = 0; i < FORM_COUNT; i++)
        if (form == codec_forms[i])
            return i;
    return NONE;
}

/* How specifically a range matches a form: 0 to 3. */
static int closeness(const char *range, int form)
{
    const char *type = codec_forms[form]->media_type;
    const size_t bytes = strcspn(range, ";,");
    if (bytes == strlen(type) && strncmp(range, type, bytes) == 0)
        return 3;
    const char *any = strncmp(type, "image/", 6) == 0 ? "image/*" : "application/*";
    if (bytes == strlen(any) && strncmp(range, any, bytes) == 0)
        return 2;
    return bytes == strlen("*/*") && strncmp(range, "*/*", bytes) == 0;
}

/* The same for lists as make_list makes them. */
static int negotiate_simply(const char *accept, int own)
{
    double qualities[FORM_COUNT] = {0};
    int closest[FORM_COUNT] = {0}, best = own;
    for (const char *range = accept; range; range = strchr(range, ',')) {
        double quality = 1;
        range += *range == ',';
        const char *q = strpbrk(range, ";,");
        if (q && *q == ';')
            quality = strtod(q + strlen(";q="), NULL);
        for (int form = 0; form < FORM_COUNT; form++) {
            const int close = closeness(range, form);
            if (close > closest[form] ||
                (close && close == closest[form] && quality > qualities[form])) {
                closest[form] = close;
                qualities[form] = quality;
            }
        }
    }
    for (int form = 0; form < FORM_COUNT; form++)
        if (codec_is_for(codec_forms[form], use()))
            best = qualities[form] > qualities[best] ? form : best;
    return qualities[best] > 0 ? best : NONE;
}

/* Holds for every header: case, empty elements and repetitions change nothing. */
static void check_laws(const char *accept, int own)
{
    static char text[2 * TEXT_BYTES_MAX + 2];
    const int form = negotiate(accept, own);
    size_t i = 0;
    for (; accept[i]; i++)
        text[i] = (char)(i % 2 ? toupper : tolower)((unsigned char)accept[i]);
    text[i] = '\0';
    FUZZ_CHECK(negotiate(text, own) == form, "%s: %d, in another case %d", accept, form,
               negotiate(text, own));
    if (form != NONE && codec_forms[form]->decode)
        FUZZ_CHECK(negotiate(accept, form) == form, "%s: %d is not its own best", accept, form);
    if (strchr(accept, '"'))
        return;
    snprintf(text, sizeof text, ",%s,%s", accept, accept);
    FUZZ_CHECK(negotiate(text, own) == form, "%s: %d, twice %d", accept, form,
               negotiate(text, own));
}

static void check_content_type(const char *text)
{
    const struct codec_form *form = codec_form_of_type(text), *expected = NULL;
    const char *start = text + strspn(text, " \t");
    for (int i = 0; i < FORM_COUNT; i++) {
        const char *type = codec_forms[i]->media_type;
        const char *after = start + strlen(type);
        if (codec_forms[i]->decode && strncasecmp(start, type, strlen(type)) == 0 &&
            (after += strspn(after, " \t"), *after == '\0' || *after == ';'))
            expected = codec_forms[i];
    }
    FUZZ_CHECK(form == expected, "Content-Type %s: %s, not %s", text, form ? form->name : "none",
               expected ? expected->name : "none");
}

/* A list of sensible ranges: one per byte. */
static char *make_list(const uint8_t *data, size_t size)
{
    static const char *const ranges[] = {"application/json",
                                         "application/x-npy",
                                         "application/octet-stream",
                                         "application/*",
                                         "*/*",
                                         "text/*",
                                         "image/*",
                                         "image/png"};
    static const char *const qualities[] = {"",       ";q=1",     ";q=1.000", ";q=0",
                                            ";q=0.5", ";q=0.501", ";q=0.50",  ";q=0.001"};
    char *list = NULL;
    size_t bytes;
    FILE *file = open_memstream(&list, &bytes);
    FUZZ_CHECK(file, "out of memory");
    for (size_t i = 0; i < size && i < RANGES_MAX; i++)
        fprintf(file, "%s%s%s", i ? "," : "", ranges[data[i] & 7], qualities[data[i] >> 3 & 7]);
    fclose(file);
    return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_BYTES_MAX)
        return 0;
    char *text = fuzz_text(data, size), *list = make_list(data, size);
    check_content_type(text);
    for (int i = 0; i < 2 * FORM_COUNT; i++) {
        const int own = i / 2;
        may_be_png = i % 2;
        if (!codec_forms[own]->decode)
            continue;
        check_laws(text, own);
        FUZZ_CHECK(negotiate(list, own) == negotiate_simply(list, own), "%s: %d, not %d", list,
                   negotiate(list, own), negotiate_simply(list, own));
    }
    free(text);
    free(list);
    return 0;
}

/* test_json_text.c - files in JSON: where their base64 is, and its bytes. */
#include "server/codec/json/base64.h"
#include "server/codec/json/json_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Memory that ends where the text ends. */
static char *exactly(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + (bytes == 0));
    memcpy(copy, text, bytes);
    return copy;
}

Test(json_text, a_string_is_found_in_every_wrapping)
{
    static const char *const bodies[] = {
        "[\"abcd\"]",
        " [ \"abcd\" ] ",
        "[{\"b64\": \"abcd\"}]",
        "[{\"image_bytes\" : {\"b64\":\"abcd\"} }\n]",
        "[{\"data\": \"abcd\"}], \"more\": [1]",
        "[{\"a\\\"b\": \"abcd\"}]",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const size_t bytes = strlen(bodies[i]), start = strcspn(bodies[i], "[");
        struct codec_json_text text = {0};
        struct ppm_error error = {0};
        size_t end = 0;
        cr_assert(codec_json_is_text(bodies[i], bytes, start), "%s", bodies[i]);
        cr_assert(codec_json_find_text("x", bodies[i], bytes, start, &text, &end, &error) == PPM_OK,
                  "%s: %s", bodies[i], error.text);
        cr_assert(text.bytes == 4 && memcmp(bodies[i] + text.start, "abcd", 4) == 0);
        cr_assert(end > text.start && (bodies[i][end - 1] == ']' || bodies[i][end - 2] == ']'));
        for (size_t cut = start + 1; cut < strcspn(bodies[i], "]"); cut++) {
            char *copy = exactly(bodies[i], cut);
            error = (struct ppm_error){0};
            cr_assert(codec_json_find_text("x", copy, cut, start, &text, &end, &error) ==
                          PPM_MALFORMED,
                      "%s cut at %zu", bodies[i], cut);
            free(copy);
        }
    }
}

Test(json_text, anything_else_is_refused)
{
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"[\"\"]", "x at byte 1: found \"\""},
        {"[\"a\", \"b\"]", "x at byte 4: found , \"b\"], expected ']', as a request has one image"},
        {"[{}]", "x at byte 2: found }], expected an image as {\"b64\": \"...\"}"},
        {"[{\"b64\"}]", "expected ':'"},
        {"[{\"b64\": 7}]", "x at byte 9: found 7}], expected an image"},
        {"[{\"b64\": \"a\", \"c\": 1}]", "expected '}', as an image has one member"},
        {"[{\"a\": {\"b\": {\"c\": \"d\"}}}]", "expected an image"},
        {"[{\"b64\": \"a]", "x at byte 9: the string does not end"},
        {"[\"a\\\"]", "the string does not end"},
        {"[", "found the end of the body"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct codec_json_text text = {0};
        struct ppm_error error = {0};
        size_t end = 0;
        char *copy = exactly(cases[i].body, strlen(cases[i].body));
        cr_assert(codec_json_find_text("x", copy, strlen(cases[i].body), 0, &text, &end, &error) ==
                      PPM_MALFORMED,
                  "%s", cases[i].body);
        cr_assert(strstr(error.text, cases[i].text), "%s: %s", cases[i].body, error.text);
        free(copy);
    }
    cr_assert(!codec_json_is_text("[[1]]", 5, 0) && !codec_json_is_text("[ ", 2, 0));
}

static enum ppm_status decode(const char *text, size_t bytes, char *ret_bytes, size_t *ret_count,
                              struct ppm_error *error)
{
    char *copy = exactly(text, bytes), *memory = malloc(codec_base64_bytes_max(bytes));
    *ret_count = 0;
    if (codec_base64_decode("x", copy, bytes, NULL, memory, ret_count, error) == PPM_OK)
        memcpy(ret_bytes, memory, *ret_count);
    free(memory);
    free(copy);
    return error->status;
}

/* RFC 4648, 10, and what JSON writers make of it. */
Test(json_text, base64_is_decoded)
{
    static const struct {
        const char *text, *bytes;
    } cases[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
        {"Zm9v\\nYmFy\\r\\n", "foobar"},
        {"Zg\\u003d\\u003D", "f"},
        {"+\\/+\\/", "\xfb\xff\xbf"},
        {"\\u002b\\u002F\\u002B\\u002f", "\xfb\xff\xbf"},
    };
    char bytes[64];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t count;
        cr_assert(decode(cases[i].text, strlen(cases[i].text), bytes, &count, &error) == PPM_OK,
                  "%s: %s", cases[i].text, error.text);
        cr_assert(count == strlen(cases[i].bytes) && memcmp(bytes, cases[i].bytes, count) == 0,
                  "%s", cases[i].text);
    }
}

Test(json_text, what_is_no_base64_is_refused)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"Zm9vY", "ends within a group of 4"},
        {"Zm9vYg=", "ends within a group of 4"},
        {"Zm9v_-__", "found no base64 in \"_-__\", characters 4 and on"},
        {"Zg==Zg==", "characters 4 and on"},
        {"Zm\\t9v", "characters 2 and on"},
        {"Zm9v\\", "characters 4 and on"},
        {"Zm9v\\u00", "characters 4 and on"},
        {"data:image/png;base64,Zm9v", "characters 4 and on"},
    };
    char bytes[64];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        size_t count;
        cr_assert(decode(cases[i].text, strlen(cases[i].text), bytes, &count, &error) ==
                      PPM_MALFORMED,
                  "%s", cases[i].text);
        cr_assert(strstr(error.text, cases[i].words), "%s: %s", cases[i].text, error.text);
    }
    struct ppm_error error = {0};
    size_t count;
    cr_assert(decode("Zm\0v", 4, bytes, &count, &error) == PPM_MALFORMED);
}

static bool is_cancelled(void *context)
{
    return --*(int *)context < 0;
}

Test(json_text, a_long_text_is_decoded_in_slices_and_may_be_abandoned)
{
    enum { GROUPS = 100000 };
    char *text = malloc(4 * GROUPS), *bytes = malloc(codec_base64_bytes_max(4 * GROUPS));
    int looks = 1000;
    const struct codec_cancel cancel = {is_cancelled, &looks};
    struct ppm_error error = {0};
    size_t count = 0;
    for (size_t i = 0; i < GROUPS; i++)
        memcpy(text + 4 * i, i % 2 ? "Zm9v" : "YmFy", 4);
    cr_assert(codec_base64_decode("x", text, 4 * GROUPS, &cancel, bytes, &count, &error) == PPM_OK);
    cr_assert(count == 3 * GROUPS && memcmp(bytes + count - 6, "barfoo", 6) == 0);
    looks = 2;
    cr_assert(codec_base64_decode("x", text, 4 * GROUPS, &cancel, bytes, &count, &error) ==
              PPM_CANCELLED);
    free(text);
    free(bytes);
}

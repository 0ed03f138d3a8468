/* Tests of the parts of HTTP field values: spans, tokens, quoted strings, lists and weights. */
#include "server/base/field_value.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <string.h>

static void assert_span(struct span found, const char *expected, const char *where)
{
    cr_assert(found.bytes == strlen(expected) && memcmp(found.start, expected, found.bytes) == 0,
              "%s: found \"%.*s\", expected \"%s\"", where, (int)found.bytes, found.start,
              expected);
}

Test(field_value, a_list_is_cut_at_commas_outside_quotes)
{
    static const struct {
        const char *list, *elements[4];
    } cases[] = {
        {"", {0}},
        {"a", {"a"}},
        {"a,b", {"a", "b"}},
        {" \ta ,\t b c ", {"a", "b c"}},
        {",,a", {"", "", "a"}},
        {"a,", {"a"}},
        {"a;x=\"1,2\",b", {"a;x=\"1,2\"", "b"}},
        {"\"\\\",\",b", {"\"\\\",\"", "b"}},
        {"\"never closed, b", {"\"never closed, b"}},
        {"\"at the end\\", {"\"at the end\\"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span rest = span_of(cases[i].list), element;
        size_t count = 0;
        for (; field_next_element(&rest, &element); count++) {
            cr_assert(count < 4 && cases[i].elements[count], "%s: more than %zu elements",
                      cases[i].list, count);
            assert_span(element, cases[i].elements[count], cases[i].list);
        }
        cr_assert(count == 4 || !cases[i].elements[count], "%s: found %zu elements", cases[i].list,
                  count);
    }
}

Test(field_value, a_token_ends_where_the_grammar_says)
{
    static const struct {
        const char *text, *token;
    } cases[] = {{"", ""},      {"gzip;q=1", "gzip"},       {"*/json", "*"}, {"a b", "a"},
                 {"\"a\"", ""}, {"A-z_0.9~!", "A-z_0.9~!"}, {"\xc3\xa4", ""}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct span rest = span_of(cases[i].text);
        assert_span(field_token(&rest), cases[i].token, cases[i].text);
        assert_span(rest, cases[i].text + strlen(cases[i].token), cases[i].text);
        cr_assert(field_is_token(cases[i].text) ==
                  (*cases[i].text && strcmp(cases[i].text, cases[i].token) == 0));
    }
}

Test(field_value, a_weight_has_three_decimals_at_most)
{
    static const struct {
        const char *text;
        int quality; /* -1: invalid */
    } cases[] = {{"0", 0},       {"1", 1000},     {"0.", 0},     {"0.5", 500},   {"0.25", 250},
                 {"0.125", 125}, {"1.000", 1000}, {"1.001", -1}, {"0.1234", -1}, {"2", -1},
                 {"", -1},       {".5", -1},      {"-1", -1},    {"0,5", -1},    {"0.x", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int quality;
        const int found = field_quality(span_of(cases[i].text), &quality) ? quality : -1;
        cr_assert(found == cases[i].quality, "%s: found %d, expected %d", cases[i].text, found,
                  cases[i].quality);
    }
}

Test(field_value, spans_compare_whatever_the_case)
{
    cr_assert(span_is(span_of("GZip"), "gzip") && !span_is(span_of("gzip"), "gzi"));
    cr_assert(span_is(span_trimmed(span_of(" \t")), "") && !span_is(span_of(""), "a"));
    for (int byte = -128; byte < 128; byte++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *at = byte ? strchr(digits, byte) : NULL;
        const int expected = at ? (int)(at - digits) % 16 : -1;
        cr_assert(field_hex_digit((char)byte) == expected, "byte %d", byte);
    }
}

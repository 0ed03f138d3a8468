/* test_arguments.c - flags and words of a command line. */
#include "server/config/arguments.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <string.h>

/* Reads "--value V", the switch "--is-set" and words. */
static enum ppm_status read_words(const char *const *given, const char **words, size_t *count,
                                  struct ppm_error *error)
{
    char *arguments[12];
    int total = 0;
    const char *value = "none";
    bool is_set = false;
    const struct argument table[] = {
        {.flag = "--value", .value = &value}, {.flag = "--is-set", .is_set = &is_set}, {0}};
    for (; given[total]; total++)
        arguments[total] = (char *)given[total];
    if (arguments_read_words(total, arguments, table, words, count, error) == PPM_OK) {
        words[(*count)++] = value;
        words[(*count)++] = is_set ? "set" : "not set";
    }
    return error->status;
}

Test(arguments, words_are_what_belongs_to_no_flag)
{
    static const struct {
        const char *given[8], *expected[8];
    } cases[] = {
        {{NULL}, {"none", "not set"}},
        {{"a.jpg", "b.png"}, {"a.jpg", "b.png", "none", "not set"}},
        {{"a", "--value", "v", "b", "--is-set", "c"}, {"a", "b", "c", "v", "set"}},
        {{"--is-set", "a", "--value=v", ""}, {"a", "", "v", "set"}},
        {{"a", "--", "--value", "-b", "--"}, {"a", "--value", "-b", "--", "none", "not set"}},
        {{"--value", "--", "a"}, {"a", "--", "not set"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        const char *words[16];
        size_t count = 0;
        cr_assert(read_words(cases[i].given, words, &count, &error) == PPM_OK, "case %zu: %s", i,
                  error.text);
        for (size_t k = 0; k < count; k++)
            cr_assert(cases[i].expected[k] && strcmp(words[k], cases[i].expected[k]) == 0,
                      "case %zu: word %zu is \"%s\"", i, k, words[k]);
        cr_assert(!cases[i].expected[count], "case %zu: %zu words", i, count);
    }
}

Test(arguments, what_begins_as_a_flag_is_no_word)
{
    static const struct {
        const char *given[4], *text;
    } cases[] = {
        {{"a", "-b"}, "unknown flag \"-b\"; known flags are --value, --is-set"},
        {{"-"}, "unknown flag \"-\""},
        {{"--is-set=1"}, "unknown flag \"--is-set=1\""},
        {{"a", "--value"}, "--value: found nothing, expected a value"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        const char *words[16];
        size_t count = 0;
        cr_assert(read_words(cases[i].given, words, &count, &error) == PPM_BAD_CONFIG &&
                      strncmp(error.text, cases[i].text, strlen(cases[i].text)) == 0,
                  "case %zu: %s", i, error.text);
    }
}

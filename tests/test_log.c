/* test_log.c - a record is a line of printable text, whatever it is made of. */
#include "server/log.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is logged meanwhile goes to a pipe. */
static int ends[2];

static void begin(void)
{
    cr_assert(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
}

/* All that was logged, NUL behind it. */
static const char *logged(void)
{
    static char text[1 << 16];
    close(ends[1]);
    close(STDERR_FILENO);
    size_t bytes = 0;
    for (ssize_t got; (got = read(ends[0], text + bytes, sizeof text - 1 - bytes)) > 0;)
        bytes += (size_t)got;
    text[bytes] = '\0';
    return text;
}

Test(log, a_record_has_time_level_and_text, .init = begin)
{
    log_line(LOG_WARN, "%d bytes of %s", 5, "x");
    const char *text = logged();
    const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ warn  5 bytes of x\n";
    cr_assert(strlen(text) == strlen(pattern), "%s", text);
    for (size_t i = 0; pattern[i]; i++)
        cr_assert(pattern[i] == 'd' && i < 23 ? isdigit((unsigned char)text[i])
                                              : text[i] == pattern[i],
                  "%s", text);
}

Test(log, control_bytes_do_not_get_through, .init = begin)
{
    log_line(LOG_ERROR, "%s",
             "a\nb\rc\td\x1b[31me\x7f"
             "f\x01g\xc2\x9bh");
    const char *text = logged();
    const char *end = strchr(text, '\n');
    cr_assert(end != NULL && end[1] == '\0', "%s", text);
    for (const char *c = text; c < end; c++)
        cr_assert(*c >= 0x20 && *c < 0x7f, "\\x%02x", (unsigned char)*c);
    cr_assert(strstr(text, "a") && strstr(text, "[31m") && strstr(text, "h\n"), "%s", text);
}

Test(log, a_record_of_any_length_is_one_line, .init = begin)
{
    static const size_t lengths[] = {0, 1, 1000, 2010, 2015, 2020, 2021, 2022, 2030, 2048, 9000};
    char *long_text = calloc(1, 10000);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(long_text, 'a', lengths[i]);
        log_line(LOG_ERROR, "%s", long_text);
    }
    free(long_text);
    const char *at = logged();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const char *end = strchr(at, '\n');
        cr_assert(end != NULL && strncmp(at + 24, " error ", 7) == 0, "line %zu", i);
        const size_t length = (size_t)(end - at) - 31;
        cr_assert(length == lengths[i] || (length < lengths[i] && length > 2000), "%zu of %zu",
                  length, lengths[i]);
        at = end + 1;
    }
    cr_assert_str_empty(at);
}

Test(log, levels_below_the_threshold_are_left_out, .init = begin)
{
    for (int threshold = LOG_ERROR; threshold <= LOG_DEBUG; threshold++) {
        log_set_level((enum log_level)threshold);
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
            log_line((enum log_level)level, "at %d: %d", threshold, level);
    }
    const char *text = logged();
    cr_assert(strstr(text, "at 0: 0") && !strstr(text, "at 0: 1"), "%s", text);
    cr_assert(strstr(text, "at 1: 1") && !strstr(text, "at 1: 2"), "%s", text);
    cr_assert(strstr(text, "at 2: 2") && !strstr(text, "at 2: 3"), "%s", text);
    cr_assert(strstr(text, "at 3: 3"), "%s", text);
}

/* test_log.c - a record is a line of printable text, whatever its contents. */
#include "server/observe/log.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Meanwhile the log goes to a pipe. */
static int ends[2];

static void begin(void)
{
    cr_assert(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
}

/* Everything that was logged, NUL-terminated. */
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
    cr_assert_str_eq(text + 31, "a\\x0ab\\x0dc\\x09d\\x1b[31me\\x7ff\\x01g\\xc2\\x9bh\n");
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

/* The only line, as JSON. */
static json_t *logged_json(void)
{
    const char *text = logged();
    json_error_t error;
    const char *end = strchr(text, '\n');
    cr_assert(end != NULL && end[1] == '\0' && end - text < PIPE_BUF, "%s", text);
    json_t *record = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert(record != NULL, "%s: %s", error.text, text);
    return record;
}

Test(log, a_record_of_json_has_time_level_and_message, .init = begin)
{
    const char *time, *level, *message;
    log_set_format(LOG_JSON);
    log_line(LOG_WARN, "%d \"bytes\" of \x1b \\ \n", 5);
    json_t *record = logged_json();
    cr_assert(json_unpack(record, "{s:s, s:s, s:s!}", "time", &time, "level", &level, "message",
                          &message) == 0);
    cr_assert(strlen(time) == 24 && time[10] == 'T' && time[23] == 'Z', "%s", time);
    cr_assert_str_eq(level, "warn");
    cr_assert_str_eq(message, "5 \"bytes\" of \\x1b \\ \\x0a");
    json_decref(record);
}

Test(log, a_record_of_json_of_any_length_is_one_line, .init = begin)
{
    char *long_text = calloc(1, 10000);
    memset(long_text, '"', 9999);
    log_set_format(LOG_JSON);
    log_line(LOG_ERROR, "%s", long_text);
    json_t *record = logged_json();
    const char *message = json_string_value(json_object_get(record, "message"));
    cr_assert(strlen(message) > 2000 && strspn(message, "\"") == strlen(message));
    json_decref(record);
    free(long_text);
}

Test(log, what_is_announced_is_said_at_any_level, .init = begin)
{
    log_set_level(LOG_ERROR);
    log_announce("listening on %s", "x\n");
    log_set_format(LOG_JSON);
    log_announce("listening on %s", "y");
    const char *text = logged();
    cr_assert(strncmp(text, "listening on x\\x0a\n{", 20) == 0, "%s", text);
    cr_assert(strstr(text, "\"message\":\"listening on y\"}\n") != NULL, "%s", text);
}

/* Every field at its longest. */
static struct log_request longest(void)
{
    static char id[129], model[128], target[3000];
    memset(id, 'i', sizeof id - 1);
    memset(model, 'm', sizeof model - 1);
    memset(target, '"', sizeof target - 1);
    return (struct log_request){.id = id,
                                .client = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
                                .method = "FROBNICATIONARY",
                                .target = target,
                                .route = "/v2/models/{model}/infer",
                                .model = model,
                                .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                                .parent_id = "00f067aa0ba902b7",
                                .span_id = "061fdfb4c840faf1",
                                .status = 200,
                                .bytes_in = SIZE_MAX,
                                .bytes_out = SIZE_MAX,
                                .total_ms = 123456789.25,
                                .queue_ms = 123456789.25,
                                .decode_ms = 123456789.25,
                                .compute_ms = 123456789.25,
                                .encode_ms = 1e-9};
}

Test(log, a_request_at_its_longest_is_one_line_of_text, .init = begin)
{
    const struct log_request request = longest();
    log_request(&request);
    const char *text = logged();
    const char *end = strchr(text, '\n');
    cr_assert(end != NULL && end[1] == '\0', "%s", text);
    cr_assert(strstr(text, "\"\" 200 in=18446744073709551615 out=") &&
                  strstr(text, " route=/v2/models/{model}/infer model=mmm") &&
                  strstr(text, "iii trace=4bf92f3577b34da6a3ce929d0e0e4736\n"),
              "%s", text);
}

Test(log, a_request_at_its_longest_is_one_line_of_json, .init = begin)
{
    const struct log_request request = longest();
    const char *id, *target;
    double compute_ms;
    log_set_format(LOG_JSON);
    log_request(&request);
    json_t *record = logged_json();
    cr_assert(json_unpack(record, "{s:s, s:s, s:F}", "id", &id, "target", &target, "compute_ms",
                          &compute_ms) == 0);
    cr_assert_str_eq(id, request.id);
    cr_assert(strlen(target) == 400 && compute_ms == 123457000);
    json_decref(record);
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

/* ---- which requests are logged ---- */

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        found++;
    return found;
}

static void log_status(unsigned status, double total_ms)
{
    log_request(&(struct log_request){.id = "i",
                                      .client = "c",
                                      .method = "GET",
                                      .target = "/",
                                      .status = status,
                                      .total_ms = total_ms});
}

Test(log, the_level_of_a_request_says_how_it_ended, .init = begin)
{
    log_set_slow_ms(100);
    log_status(200, 100);
    log_status(404, 1);
    log_status(503, 200);
    log_status(201, 100.001);
    const char *text = logged();
    cr_expect(strstr(text, "Z info  GET / 200 "), "%s", text);
    cr_expect(strstr(text, "Z warn  GET / 404 "), "%s", text);
    cr_expect(strstr(text, "Z error GET / 503 "), "%s", text);
    cr_expect(strstr(text, "Z warn  GET / 201 "), "%s", text);
}

Test(log, failed_refused_and_slow_requests_are_logged_at_every_level, .init = begin)
{
    static const enum log_level levels[] = {LOG_WARN, LOG_ERROR};
    log_set_slow_ms(100);
    for (size_t i = 0; i < 2; i++) {
        log_set_level(levels[i]);
        log_status(200, 99);
        log_status(304, 1);
        log_status(413, 1);
        log_status(500, 1);
        log_status(202, 101);
    }
    const char *text = logged();
    cr_expect(count(text, "\n") == 6 && count(text, " GET / 413 ") == 2 &&
                  count(text, " GET / 500 ") == 2 && count(text, " GET / 202 ") == 2,
              "%s", text);
}

Test(log, no_request_is_slow_without_a_bound, .init = begin)
{
    log_set_level(LOG_WARN);
    log_status(200, 1e9);
    log_set_slow_ms(1);
    log_set_slow_ms(0);
    log_status(200, 1e9);
    cr_expect_str_empty(logged());
}

Test(log, all_refused_requests_are_logged_at_info, .init = begin)
{
    for (int i = 0; i < 100; i++)
        log_status(401, 1);
    log_flush();
    const char *text = logged();
    cr_expect(count(text, "\n") == 100 && count(text, " 401 ") == 100, "%s", text);
}

/* The sum of the lines that say how many more requests were refused, or whatever is said of them.
 */
static size_t left_out(const char *text, const char *what)
{
    char rest[160];
    size_t sum = 0, more;
    const int length =
        snprintf(rest, sizeof rest,
                 " more requests were %s in a second, of which the log shows 10; all "
                 "of them with log_level info\n",
                 what);
    for (const char *at = text; (at = strstr(at, " warn  ")); at++) {
        const char *number = at + 7, *end = number + strspn(number, "0123456789");
        if (strncmp(end, rest, (size_t)length) == 0 && sscanf(number, "%zu", &more) == 1)
            sum += more;
    }
    return sum;
}

/* As it is not known when a second ends, each line is counted, or said to be left out. */
Test(log, requests_beyond_the_rate_are_counted, .init = begin)
{
    static const struct {
        int status;
        const char *shown, *what;
    } cases[] = {{401, " warn  GET / 401 ", "refused"},
                 {503, " error GET / 503 ", "turned away (503)"}};
    log_set_level(LOG_ERROR);
    for (int i = 0; i < 500; i++) {
        log_status(401, 1);
        log_status(503, 1);
    }
    for (int i = 0; i < 50; i++)
        log_status(500, 1);
    log_flush();
    log_flush();
    const char *text = logged();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t shown = count(text, cases[i].shown);
        const size_t more = left_out(text, cases[i].what);
        cr_expect(shown >= 10 && more > 0 && shown + more == 500, "%d: %zu + %zu: %s",
                  cases[i].status, shown, more, text);
    }
    cr_expect(count(text, " error GET / 500 ") == 50, "%s", text);
}

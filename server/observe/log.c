/* log.c - see log.h. */
#include "server/observe/log.h"
#include "server/base/clock.h"
#include "server/observe/log_rate.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES = 4096,
    MESSAGE_BYTES = 2016, /* JSON may double each byte, and adds 65 */
    TIME_BYTES = 32,
};
_Static_assert((int)LINE_BYTES <= PIPE_BUF, "a pipe takes a line at once");
_Static_assert(2 * (MESSAGE_BYTES - 1) + 65 < LINE_BYTES, "a message fits into its line");

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int highest_level = LOG_INFO, current_format = LOG_TEXT;
static atomic_size_t slow_ms;

void log_set_level(enum log_level level)
{
    atomic_store(&highest_level, (int)level);
}

void log_set_format(enum log_format format)
{
    atomic_store(&current_format, (int)format);
}

void log_set_slow_ms(size_t ms)
{
    atomic_store(&slow_ms, ms);
}

static void write_line(const char *line, size_t bytes)
{
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    pthread_mutex_lock(&mutex); /* or two threads might see the same room for one line */
    /* if nobody reads the pipe and it is full, the line is lost */
    if (poll(&log, 1, 0) == 1 && (log.revents & POLLOUT)) {
        ssize_t ignored = write(STDERR_FILENO, line, bytes);
        (void)ignored;
    }
    pthread_mutex_unlock(&mutex);
}

static void write_time(char ret_text[TIME_BYTES])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t at = strftime(ret_text, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret_text + at, TIME_BYTES - at, ".%03ldZ", now.tv_nsec / 1000000);
}

/* Formats a message, makes it printable, and cuts it to fit. */
static void write_message(char ret_message[MESSAGE_BYTES], const char *format, va_list arguments)
{
    char text[MESSAGE_BYTES];
    size_t at = 0;
    vsnprintf(text, sizeof text, format, arguments);
    for (const char *c = text; *c && at < MESSAGE_BYTES - sizeof "\\x1b"; c++) {
        if ((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f)
            ret_message[at++] = *c;
        else
            at += (size_t)sprintf(ret_message + at, "\\x%02x", (unsigned char)*c);
    }
    ret_message[at] = '\0';
}

/* Writes a record and releases it. NULL, for lack of memory: it is lost. */
static void write_json(json_t *record)
{
    char line[LINE_BYTES];
    const size_t room = sizeof line - 1, flags = JSON_COMPACT | JSON_REAL_PRECISION(6);
    const size_t bytes = record ? json_dumpb(record, line, room, flags) : 0;
    json_decref(record);
    if (bytes == 0 || bytes > room)
        return;
    line[bytes] = '\n';
    write_line(line, bytes + 1);
}

static bool is_json(void)
{
    return atomic_load(&current_format) == LOG_JSON;
}

static void write_json_message(enum log_level level, const char *message)
{
    char time[TIME_BYTES];
    write_time(time);
    write_json(json_pack("{s:s, s:s, s:s}", "time", time, "level", level_names[level], "message",
                         message));
}

/* Whatever the log level. */
static void write_record(enum log_level level, const char *format, va_list arguments)
{
    char message[MESSAGE_BYTES], time[TIME_BYTES], line[LINE_BYTES];
    write_message(message, format, arguments);
    if (is_json()) {
        write_json_message(level, message);
        return;
    }
    write_time(time);
    const int bytes =
        snprintf(line, sizeof line, "%s %-5s %s\n", time, level_names[level], message);
    write_line(line, (size_t)bytes);
}

static bool is_shown(enum log_level level)
{
    return (int)level <= atomic_load(&highest_level);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (is_shown(level))
        write_record(level, format, arguments);
    va_end(arguments);
}

void log_announce(const char *format, ...)
{
    char message[MESSAGE_BYTES], line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    write_message(message, format, arguments);
    va_end(arguments);
    if (is_json())
        write_json_message(LOG_INFO, message);
    else
        write_line(line, (size_t)snprintf(line, sizeof line, "%s\n", message));
}

/* ---- requests ---- */

enum { TARGET_BYTES = 400 }; /* a longer target is cut */

__attribute__((format(printf, 2, 3))) static void write_text(enum log_level level,
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_record(level, format, arguments);
    va_end(arguments);
}

static void write_request_text(const struct log_request *r, enum log_level level)
{
    char image[48] = "";
    if (r->image_width > 0)
        snprintf(image, sizeof image, " image=%zux%zu", r->image_width, r->image_height);
    write_text(level,
               "%s %.*s %u in=%zu out=%zu total=%.3fms queue=%.3fms decode=%.3fms compute=%.3fms "
               "encode=%.3fms%s route=%s model=%s client=%s id=%s%s%s",
               r->method, TARGET_BYTES, r->target, r->status, r->bytes_in, r->bytes_out,
               r->total_ms, r->queue_ms, r->decode_ms, r->compute_ms, r->encode_ms, image,
               r->route ? r->route : "-", r->model ? r->model : "-", r->client, r->id,
               r->trace_id ? " trace=" : "", r->trace_id ? r->trace_id : "");
}

/* Leaves out stages that were not reached. */
static void set_time(json_t *record, const char *key, double ms)
{
    if (ms > 0)
        json_object_set_new(record, key, json_real(ms));
}

static void write_request_json(const struct log_request *r, enum log_level level)
{
    char time[TIME_BYTES], target[TARGET_BYTES + 1];
    write_time(time);
    snprintf(target, sizeof target, "%s", r->target);
    json_t *record = json_pack(
        "{s:s, s:s, s:s, s:s, s:s*, s:s*, s:i, s:I, s:I, s:s, s:s, s:s*, s:s*, s:s*}", "time", time,
        "level", level_names[level], "method", r->method, "target", target, "route", r->route,
        "model", r->model, "status", (int)r->status, "bytes_in", (json_int_t)r->bytes_in,
        "bytes_out", (json_int_t)r->bytes_out, "client", r->client, "id", r->id, "trace_id",
        r->trace_id, "parent_id", r->parent_id, "span_id", r->span_id);
    set_time(record, "total_ms", r->total_ms);
    set_time(record, "queue_ms", r->queue_ms);
    set_time(record, "decode_ms", r->decode_ms);
    set_time(record, "compute_ms", r->compute_ms);
    set_time(record, "encode_ms", r->encode_ms);
    if (r->image_width > 0)
        json_object_set_new(
            record, "image",
            json_pack("[I, I]", (json_int_t)r->image_width, (json_int_t)r->image_height));
    write_json(record);
}

/* ---- which requests ---- */

/* What clients can cause by the thousand: requests that are wrong, and more than can be served. */
enum flood { REFUSED, TOO_MANY, FLOOD_COUNT };

static struct {
    pthread_mutex_t mutex;
    struct log_rate rates[FLOOD_COUNT];
} floods = {.mutex = PTHREAD_MUTEX_INITIALIZER,
            .rates = {{.lines_max = LOG_REFUSED_PER_S}, {.lines_max = LOG_REFUSED_PER_S}}};

static void write_left_out(enum flood flood, size_t count)
{
    static const char *const what[] = {[REFUSED] = "refused", [TOO_MANY] = "turned away (503)"};
    if (count > 0)
        write_text(LOG_WARN,
                   "%zu more request%s %s in a second, of which the log shows %d; all of them "
                   "with log_level info",
                   count, count == 1 ? " was" : "s were", what[flood], LOG_REFUSED_PER_S);
}

/* Whether the log takes one more of them; writes what it did not take before. */
static bool take(enum flood flood)
{
    struct log_rate *rate = &floods.rates[flood];
    const double now_s = clock_now_s();
    pthread_mutex_lock(&floods.mutex);
    const size_t left_out = log_rate_left_out(rate, now_s);
    const bool is_taken = log_rate_take(rate, now_s);
    pthread_mutex_unlock(&floods.mutex);
    write_left_out(flood, left_out);
    return is_taken;
}

static void write_left_out_by(double now_s)
{
    for (int flood = 0; flood < FLOOD_COUNT; flood++) {
        pthread_mutex_lock(&floods.mutex);
        const size_t left_out = log_rate_left_out(&floods.rates[flood], now_s);
        pthread_mutex_unlock(&floods.mutex);
        write_left_out((enum flood)flood, left_out);
    }
}

void log_tick(void)
{
    write_left_out_by(clock_now_s());
}

void log_flush(void)
{
    write_left_out_by(INFINITY);
}

void log_request(const struct log_request *request)
{
    const size_t bound_ms = atomic_load(&slow_ms);
    const bool is_slow = bound_ms > 0 && request->total_ms > (double)bound_ms;
    const bool is_refused = request->status >= 400 && request->status < 500;
    const bool is_turned_away = request->status == 503;
    const enum log_level level = request->status >= 500  ? LOG_ERROR
                                 : is_refused || is_slow ? LOG_WARN
                                                         : LOG_INFO;
    if (!is_shown(LOG_INFO) && (level == LOG_INFO || (is_refused && !is_slow && !take(REFUSED)) ||
                                (is_turned_away && !is_slow && !take(TOO_MANY))))
        return;
    if (is_json())
        write_request_json(request, level);
    else
        write_request_text(request, level);
}

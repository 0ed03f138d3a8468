/* log.c - see log.h. */
#include "server/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2048 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int highest_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&highest_level, (int)level);
}

void log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warn ", "info ", "debug"};
    char line[LINE_BYTES];
    struct timespec now;
    struct tm utc;
    va_list arguments;
    if ((int)level > atomic_load(&highest_level))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t at = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    at += (size_t)snprintf(line + at, sizeof line - at, ".%03ldZ %s ", now.tv_nsec / 1000000,
                           names[level]);
    va_start(arguments, format);
    int wrote = vsnprintf(line + at, sizeof line - at - 1, format, arguments);
    va_end(arguments);
    size_t end = wrote < 0 ? at : at + (size_t)wrote;
    end = end < sizeof line - 2 ? end : sizeof line - 2;
    for (size_t i = at; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e)
            line[i] = '?';
    line[end++] = '\n';
    pthread_mutex_lock(&mutex); /* or two threads could both see room for one line */
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    /* a pipe that nobody reads is full: the line is lost, not the request */
    if (poll(&log, 1, 0) == 1 && (log.revents & POLLOUT)) {
        ssize_t ignored = write(STDERR_FILENO, line, end);
        (void)ignored;
    }
    pthread_mutex_unlock(&mutex);
}

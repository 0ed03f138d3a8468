/* progress.c - see progress.h. */
#include "server/progress.h"
#include "server/clock.h"

#include <stdio.h>
#include <unistd.h>

static struct {
    const char *verb;
    double started_s, shown_s;
    bool is_shown;
} progress;

void progress_report(const char *what, double share)
{
    const double now = clock_now_s();
    if (now - progress.started_s < 1 || now - progress.shown_s < 0.1 || !isatty(STDERR_FILENO))
        return;
    progress.shown_s = now;
    progress.is_shown = true;
    fprintf(stderr, "\r\033[K%s %s %3.0f%%", progress.verb, what, 100 * share);
}

static void report(void *context, const char *what, double share)
{
    (void)context;
    progress_report(what, share);
}

struct ppm_progress progress_start(const char *verb)
{
    progress.verb = verb;
    progress.started_s = clock_now_s();
    progress.shown_s = 0;
    progress.is_shown = false;
    return (struct ppm_progress){.report = report};
}

void progress_end(void)
{
    if (progress.is_shown)
        fprintf(stderr, "\r\033[K");
    progress.is_shown = false;
}

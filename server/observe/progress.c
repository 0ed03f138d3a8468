/* progress.c - see progress.h. */
#include "server/observe/progress.h"
#include "server/base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    const char *verb;
    double started_s, shown_s;
    volatile sig_atomic_t is_shown;
} progress;

void progress_report(const char *what, double share)
{
    const double now = clock_now_s();
    if (now - progress.started_s < 1 || now - progress.shown_s < 0.1 || !isatty(STDERR_FILENO))
        return;
    progress.shown_s = now;
    progress.is_shown = true;
    fprintf(stderr, "\r\033[K%s %s %3.0f%%", progress.verb, what, 100 * (share < 1 ? share : 1));
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

/* Raises the signal again with its default action, so that a shell sees what ended the program. A
 * second signal may interrupt another thread meanwhile: timeout(1) sends one to the program and one
 * to its group. */
static void on_interrupt(int number)
{
    static atomic_flag is_caught = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&is_caught))
        return;
    static const char wiped[] = "\r\033[Kinterrupted\n";
    const size_t skipped = progress.is_shown ? 0 : strlen("\r\033[K");
    const ssize_t wrote = write(STDERR_FILENO, wiped + skipped, sizeof wiped - 1 - skipped);
    (void)wrote;
    signal(number, SIG_DFL);
    raise(number);
}

void progress_catch_interrupt(void)
{
    const struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
}

/* signals.c - see signals.h. */
#include "server/service/signals.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static sigset_t stopping(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

static sigset_t all(void)
{
    sigset_t signals = stopping();
    sigaddset(&signals, SIGHUP);
    return signals;
}

void signals_block(void)
{
    const sigset_t signals = all();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool signals_wait(void)
{
    const sigset_t signals = all();
    int signal = 0;
    return sigwait(&signals, &signal) == 0 && signal == SIGHUP;
}

bool signals_stop_within(double s)
{
    const sigset_t signals = stopping();
    const struct timespec time = {.tv_sec = (time_t)s,
                                  .tv_nsec = (long)(1e9 * (s - (double)(time_t)s))};
    return sigtimedwait(&signals, NULL, &time) > 0;
}

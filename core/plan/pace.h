/*
 * pace.h - how fast runs of a plan are, with the whole team of threads and with one.
 *
 * A team's barriers cost more than they save where there is little to do. Where other processes
 * take one of the team's cores, each barrier waits for the scheduler, and one thread is faster.
 */
#ifndef PPM_CORE_PLAN_PACE_H
#define PPM_CORE_PLAN_PACE_H

#include <stdbool.h>
#include <stddef.h>

struct pace {
    double alone_ms;     /* a map on one thread, lately */
    unsigned slow_runs;  /* of the team, in a row: slower than that */
    unsigned alone_runs; /* to do before the team is tried again */
};

/* Whether n maps that take one thread map_us each are too little for a team. */
bool pace_is_for_one_thread(double map_us, size_t n);

/* Threads for the next run: 1, or all of them. */
int pace_choose_threads(struct pace *pace, double map_us, size_t n, int threads);

/* Notes how long a run took. */
void pace_note(struct pace *pace, size_t n, int threads, double ms);

#endif

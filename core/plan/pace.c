/* pace.c - see pace.h. */
#include "core/plan/pace.h"

enum { ALONE_BELOW_US = 40, TEAM_ABOVE_US = 5000, SLOW_RUNS_MAX = 3, ALONE_RUNS = 64 };

bool pace_is_for_one_thread(double map_us, size_t n)
{
    return map_us * (double)n < ALONE_BELOW_US;
}

int pace_choose_threads(struct pace *pace, double map_us, size_t n, int threads)
{
    if (pace_is_for_one_thread(map_us, n))
        return 1;
    if (map_us * (double)n > TEAM_ABOVE_US || pace->alone_runs == 0)
        return threads;
    pace->alone_runs--;
    return 1;
}

/* One outlier changes nothing. When the team is slow again and again, it is only tried now and
 * then. */
void pace_note(struct pace *pace, size_t n, int threads, double ms)
{
    const double map_ms = ms / (double)n;
    if (threads == 1) {
        pace->alone_ms = pace->alone_ms > 0 ? (3 * pace->alone_ms + map_ms) / 4 : map_ms;
        return;
    }
    if (pace->alone_ms == 0)
        pace->alone_runs = 1; /* the next run, to compare with */
    pace->slow_runs = pace->alone_ms > 0 && map_ms > pace->alone_ms ? pace->slow_runs + 1 : 0;
    if (pace->slow_runs >= SLOW_RUNS_MAX)
        pace->alone_runs = ALONE_RUNS;
}

/* turn.c - see turn.h. */
#include "server/http/turn.h"
#include "server/base/clock.h"

/* A thread serves its connections in turn, so work for one of them delays all others. */
static _Thread_local struct {
    const struct http_request *first; /* whose work started the turn */
    double since_s, begun_s;
    double spent_s;
} turn;

static const double turn_s = 0.02, work_of_a_turn_s = 0.005;

bool http_begin_work(const struct http_request *request)
{
    turn.begun_s = clock_now_s();
    if (turn.first == request || turn.begun_s - turn.since_s > turn_s) {
        turn.first = request;
        turn.since_s = turn.begun_s;
        turn.spent_s = 0;
    }
    return turn.spent_s < work_of_a_turn_s;
}

void http_end_work(void)
{
    turn.spent_s += clock_now_s() - turn.begun_s;
}

void http_forget_turn(const struct http_request *request)
{
    if (turn.first == request)
        turn.first = NULL;
}

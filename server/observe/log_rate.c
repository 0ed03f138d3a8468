/* log_rate.c - see log_rate.h. */
#include "server/observe/log_rate.h"

#include <assert.h>

static bool is_over(const struct log_rate *rate, double now_s)
{
    return rate->lines == 0 || now_s - rate->began_s >= 1;
}

bool log_rate_take(struct log_rate *rate, double now_s)
{
    if (is_over(rate, now_s)) {
        assert(rate->left_out == 0); /* or they would be lost */
        rate->began_s = now_s;
        rate->lines = 0;
    }
    if (rate->lines == rate->lines_max) {
        rate->left_out++;
        return false;
    }
    rate->lines++;
    return true;
}

size_t log_rate_left_out(struct log_rate *rate, double now_s)
{
    if (!is_over(rate, now_s))
        return 0;
    const size_t left_out = rate->left_out;
    rate->left_out = 0;
    return left_out;
}
